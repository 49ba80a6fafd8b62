"""The model store: models on disk, their versions, and which of them serves."""

from tasks.train.model_store.files import load_model, save_model

__all__ = ["load_model", "save_model"]
