"""The model store: models on disk, their versions, and which of them serves."""

from tasks.train.models.model_file import load_model, save_model
from tasks.train.registry.champion import Champion, Decision, promote, read_champion, roll_back
from tasks.train.registry.promotion import decide_champion
from tasks.train.registry.publish import publish_version
from tasks.train.registry.version import CARD, Version, list_versions, read_version

__all__ = [
    "CARD",
    "Champion",
    "Decision",
    "Version",
    "decide_champion",
    "list_versions",
    "load_model",
    "promote",
    "publish_version",
    "read_champion",
    "read_version",
    "roll_back",
    "save_model",
]
