"""Whether a new version takes the champion's place, by the policy of the pipeline file."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tasks.config import OwnSplit, Split, Training
from tasks.config.metrics import METRICS
from tasks.core.errors import TidemillError
from tasks.core.isolation.client import run_isolated, stop_call_server
from tasks.core.outcome import Failed
from tasks.train.evaluation.leaderboard import Leaderboard
from tasks.train.evaluation.results import MODEL_FILE
from tasks.train.registry.champion import Champion, Decision, deciding, keep, now, read_champion
from tasks.train.registry.training_rows import unseen_rows
from tasks.train.registry.version import Version, read_version, read_version_in

if TYPE_CHECKING:
    from tasks.train.registry.comparison import HeldOut

_COMPARE = "tasks.train.registry.promotion:compare_models"
_FEWEST_ROWS = 50  # fewer tell nothing of two models


def decide_champion(models: Path, version: Version, leaderboard: Leaderboard) -> Decision:
    """Decide by the policy of the pipeline file whether a version takes the champion's place, and keep the decision.

    A version that was set aside by hand is not taken again by itself.
    """
    with deciding(models):
        champion = read_champion(models)
        if champion is not None and champion.version == version.name:
            return Decision(version.name, version.name, "serves already", now())
        serves = champion is not None and (models / champion.model).is_file()
        known = _decided_before(champion, version, leaderboard.training) if serves else None
        if known is not None:
            return known
        decision = _decide(models, champion, version, leaderboard)
        keep(models, champion, version if decision.promoted else None, decision)
        return decision


def _decide(models: Path, champion: Champion | None, version: Version, leaderboard: Leaderboard) -> Decision:
    training = leaderboard.training
    policy = training.promotion.when
    if champion is None:
        return _take(version, training, "is the first version")
    if _is_set_aside(models, champion, version):
        return _stay(champion, version, training, "was set aside by hand, and is taken again by hand only")
    if policy == "never":
        gone = "" if (models / champion.model).is_file() else f"; the model of {champion.version} is gone"
        return _stay(champion, version, training, f"is promoted by hand only, as the pipeline file says{gone}")
    if policy == "always":
        return _take(version, training, "is the newest, and the pipeline file says always")
    if not (models / champion.model).is_file():
        return _take(version, training, f"takes over from {champion.version}, whose model is gone")
    return _compare(models, champion, version, leaderboard)


def _compare(models: Path, champion: Champion, version: Version, leaderboard: Leaderboard) -> Decision:
    """Return what the same held-out rows say; models with classes of the user's own are loaded by a process of its own."""
    serving, training = read_version_in(models / champion.version), leaderboard.training
    assert leaderboard.best is not None  # it was published
    if not version.types and (serving is None or not serving.types):
        return compare_models(models, champion, version, leaderboard)
    plain = training.model_copy(update={"runner": None})  # which may be an extension
    call = run_isolated(
        _COMPARE,
        models,
        champion,
        version,
        replace(leaderboard, training=plain),
        time_s=training.candidates[leaderboard.best.name].time_limit_s,
        extensions=tuple(METRICS.outside().values()),
    )
    stop_call_server()
    if isinstance(call.outcome, Failed):
        return _stay(champion, version, training, f"cannot be compared: {call.outcome.message}; promote it by hand")
    decided: Decision = call.outcome
    return decided


def compare_models(models: Path, champion: Champion, version: Version, leaderboard: Leaderboard) -> Decision:
    """Return what the same held-out rows say of the champion and a new version."""
    from tasks.train.models.model_file import load_model  # noqa: PLC0415 - skops: a second
    from tasks.train.registry.comparison import paired_bootstrap_difference, read_held_out  # noqa: PLC0415 - scikit-learn: a second

    training, training_set = leaderboard.training, leaderboard.training_set
    known = read_version_in(models / champion.version)
    if known is not None and known.of_model == version.of_model:
        told = f"is the model of {champion.version}, of which the pipeline file now asks otherwise"
        return _take(version, training, told)
    try:
        serving = read_version(models, champion.version)
        theirs = load_model(models / champion.model, serving.types, training.trusted)
    except TidemillError as error:
        return _take(version, training, f"takes over from {champion.version}, which cannot serve: {error}")
    held_out = read_held_out(training, training_set, leaderboard.split, serving.features)
    if mismatch := _mismatch(serving, version, held_out.kinds):
        return _stay(champion, version, training, f"cannot be compared: {mismatch}; promote it by hand")
    held_out, told = _unseen(models, serving, version, held_out)
    ours = load_model(models / version.name / MODEL_FILE, version.types, training.trusted)
    try:
        lead, low, high = paired_bootstrap_difference(ours, theirs, held_out, training, training_set)
    except Exception as error:  # noqa: BLE001 - a model may refuse the rows, or have no answer for the metric
        said = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
        return _stay(champion, version, training, f"cannot be compared: {said}; promote it by hand")
    if not all(map(math.isfinite, (lead, low, high))):
        return _stay(champion, version, training, f"cannot be compared: the hold-out does not define {training.metric}")
    told = f"on {told}: {lead:+.4f} {training.metric} ({low:+.4f} to {high:+.4f})"
    if low > 0:
        decided = _take(version, training, f"beats {champion.version} by more than noise {told}")
    else:
        decided = _stay(champion, version, training, f"does not beat {champion.version} by more than noise {told}")
    return replace(decided, difference=lead, low=low, high=high)


def _mismatch(serving: Version, version: Version, kinds: dict[str, str]) -> str | None:
    """Return what keeps the champion from predicting the new hold-out as it was made."""
    if changed := serving.changed:
        return changed
    for name in ("target", "task"):
        if getattr(serving, name) != getattr(version, name):
            return f"the {name} was {getattr(serving, name)} for {serving.name}, and is {getattr(version, name)} now"
    for name, kind in serving.features.items():
        if name not in kinds:
            return f"{serving.name} needs the column {name}, which the query no longer gives"
        if kinds[name] != kind:
            return f"the column {name} was a {kind} for {serving.name}, and is a {kinds[name]} now"
    return None


def _unseen(models: Path, serving: Version, version: Version, held_out: HeldOut) -> tuple[HeldOut, str]:
    """Return the held-out rows that the champion has not learnt from, and what they are.

    Rows that are held out now may have trained a champion of other rows, or of another split, which would favor it.
    """
    from tasks.train.registry.comparison import without  # noqa: PLC0415 - scikit-learn: a second

    rows = len(held_out.truth)
    is_own = isinstance(version.training.split, OwnSplit)  # its code may be other code since
    if not is_own and _drawn(serving) == _drawn(version):
        return held_out, f"the same {rows:,} held-out rows"
    unseen = unseen_rows(models / serving.name, held_out.frame, held_out.truth, list(serving.features))
    if unseen is None or unseen.sum() < min(_FEWEST_ROWS, rows):
        return held_out, f"the same {rows:,} held-out rows, of which the champion may have learnt some"
    if unseen.all():
        return held_out, f"the same {rows:,} held-out rows"
    return without(
        held_out, unseen
    ), f"the {unseen.sum():,} of {rows:,} held-out rows that the champion never learnt from"


def _drawn(version: Version) -> tuple[str, Split, int]:
    return version.training_set, version.training.split, version.training.seed


def _take(version: Version, training: Training, reason: str) -> Decision:
    return Decision(version.name, version.name, reason, now(), policy=_policy(training))


def _stay(champion: Champion, version: Version, training: Training, reason: str) -> Decision:
    return Decision(champion.version, version.name, reason, now(), policy=_policy(training))


def _decided_before(champion: Champion | None, version: Version, training: Training) -> Decision | None:
    """Return the same decision of an earlier run: the same two versions, by the same policy."""
    if champion is None:
        return None
    asked = (champion.version, version.name, _policy(training))
    return next((d for d in champion.decisions if (d.champion, d.version, d.policy) == asked), None)


def _is_set_aside(models: Path, champion: Champion, version: Version) -> bool:
    """Return whether a version, or another of the same model, was set aside by hand."""
    aside, serving = _set_aside(champion), read_version_in(models / champion.version)
    if serving is not None and serving.of_model == version.of_model:
        return version.name in aside  # of the model that serves, other decisions were set aside, and not the model
    others = (read_version_in(models / name) for name in aside)
    return version.name in aside or any(each is not None and each.of_model == version.of_model for each in others)


def _set_aside(champion: Champion) -> set[str]:
    """Return the versions that served until somebody chose another by hand, or took them back."""
    aside: set[str] = set()
    serving: str | None = None
    for decision in champion.decisions:
        if decision.by_hand and serving is not None:
            aside.add(serving)
        serving = decision.champion
        aside.discard(serving)
    return aside


def _policy(training: Training) -> str:
    return f"{training.promotion.when} {training.promotion.confidence:g}"
