"""Which version serves, who decided so, and the way back."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from filelock import FileLock

from tasks.core.errors import ConfigError, TrainingError
from tasks.core.storage import commit_json
from tasks.train.evaluation.results import MODEL_FILE
from tasks.train.registry.version import Version, list_versions, read_version

CHAMPION = "champion.json"
DAMAGED = "champion.damaged.json"
LOCK = ".champion.lock"


@dataclass(frozen=True)
class Decision:
    """Why a version serves, or does not."""

    champion: str
    """The version that serves from then on."""
    version: str
    """The version that was decided on."""
    reason: str
    at: str
    by_hand: bool = False
    policy: str | None = None
    difference: float | None = None
    """By how much the version scores better than the champion on the same hold-out, and its interval."""
    low: float | None = None
    high: float | None = None

    @property
    def promoted(self) -> bool:
        """Return whether the version serves from then on."""
        return self.champion == self.version

    @property
    def sentence(self) -> str:
        """Return what was decided, and why."""
        serving = "" if self.promoted else f"; {self.champion} serves on"
        return f"{self.version} {self.reason}{serving}"


@dataclass(frozen=True)
class Champion:
    """The version that serves, and how that came about; `champion.json`."""

    version: str
    candidate: str
    model: str
    """Path of the model file, relative to the pipeline's folder of models."""
    fingerprint: str
    metric: str
    score: float
    interval: tuple[float, float] | None
    training_rows: int
    test_rows: int
    since: str
    previous: list[str] = field(default_factory=list)
    """Versions that served before, the last one last."""
    decisions: list[Decision] = field(default_factory=list)


_decoder = msgspec.json.Decoder(Champion)  # made here, as `json_reader` says


def read_champion(models: Path) -> Champion | None:
    """Return the champion of a pipeline, or None where there is none yet.

    Raises:
        TrainingError: when its file is damaged: nobody but the user knows then what is to serve.

    """
    path = models / CHAMPION
    try:
        return _decoder.decode(path.read_bytes())
    except FileNotFoundError:
        return None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        known = ", ".join(version.name for version in list_versions(models))
        cure = f"choose which serves: models promote {models.name} VERSION, of {known}" if known else "remove it"
        raise TrainingError(f"{path}: is damaged ({str(error).rstrip('.')}); {cure}") from None


def promote(models: Path, name: str, trusted: Collection[str] = ()) -> Decision:
    """Let a version serve, by hand; `trusted` are the packages that its pipeline file trusts.

    Raises:
        ConfigError: when there is none of that name.
        TrainingError: when its model cannot be loaded.

    """
    with deciding(models):
        version, (champion, damaged) = read_version(models, name), _read_to_replace(models)
        if champion is not None and champion.version == name:
            return Decision(name, name, "serves already", now(), by_hand=True)
        from tasks.train.models.model_file import load_model  # noqa: PLC0415 - skops: a second

        load_model(models / name / MODEL_FILE, version.types, trusted)  # a model that cannot be loaded cannot serve
        reason = f"promoted by hand{_doubt(version)}"
        if damaged:
            (models / CHAMPION).replace(models / DAMAGED)
            reason += f"; the damaged {CHAMPION}, with the decisions before, is kept as {DAMAGED}"
        decision = Decision(name, name, reason, now(), by_hand=True)
        keep(models, champion, version, decision)
        return decision


def roll_back(models: Path) -> Decision:
    """Let the version serve that did before, by hand.

    Raises:
        ConfigError: when no other version has served.

    """
    with deciding(models):
        champion, there = read_champion(models), {version.name: version for version in list_versions(models)}
        if champion is None:
            raise ConfigError(f"no version of {models.name} serves yet; run the pipeline first")
        before = [name for name in champion.previous if name in there]
        if not before:
            raise ConfigError(f"no version of {models.name} has served before {champion.version}; name one to promote")
        name = before[-1]
        reason = f"rolled back from {champion.version}{_doubt(there[name])}"
        decision = Decision(name, name, reason, now(), by_hand=True)
        keep(models, champion, there[name], decision, previous=before[:-1])
        return decision


def _doubt(version: Version) -> str:
    """Return what is to be known beside a decision by hand."""
    return f"; {changed}, and may predict otherwise than it was scored" if (changed := version.changed) else ""


def keep(
    models: Path,
    champion: Champion | None,
    taken: Version | None,
    decision: Decision,
    previous: list[str] | None = None,
) -> None:
    """Commit a decision, and with it the version that takes over, where one does."""
    decisions = [*(champion.decisions if champion else []), decision]
    if taken is None:
        assert champion is not None
        commit_json(models / CHAMPION, asdict(replace(champion, decisions=decisions)))
        return
    before = previous if previous is not None else [*champion.previous, champion.version] if champion else []
    made = Champion(
        version=taken.name,
        candidate=taken.candidate,
        model=f"{taken.name}/{MODEL_FILE}",
        fingerprint=taken.fingerprint,
        metric=taken.metric,
        score=taken.score,
        interval=taken.interval,
        training_rows=taken.training_rows,
        test_rows=taken.test_rows,
        since=decision.at,
        previous=before,
        decisions=decisions,
    )
    commit_json(models / CHAMPION, asdict(made))


def _read_to_replace(models: Path) -> tuple[Champion | None, bool]:
    """Return the champion, and whether its file is damaged."""
    try:
        return read_champion(models), False
    except TrainingError:
        return None, True


def deciding(models: Path) -> FileLock:
    """Return the lock under which a champion is read, judged and replaced."""
    models.mkdir(parents=True, exist_ok=True)
    return FileLock(models / LOCK)


def now() -> str:
    """Return the time as champions and decisions tell it."""
    return datetime.now(UTC).isoformat(timespec="seconds")
