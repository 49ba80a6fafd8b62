"""Whether a new version takes the champion's place, by the policy of the pipeline file."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

from tasks.errors import TidemillError
from tasks.spec import Training
from tasks.train.model_store.champion import Champion, Decision, deciding, keep, now, read_champion
from tasks.train.model_store.version import Version, read_version
from tasks.train.results import MODEL_FILE
from tasks.train.training_set import TrainingSet


def decide_champion(models: Path, version: Version, training: Training, training_set: TrainingSet) -> Decision:
    """Return whether a version takes the champion's place, by the policy of the pipeline file, and keep the decision.

    A version that was set aside by hand is not taken again by itself.
    """
    with deciding(models):
        champion = read_champion(models)
        if champion is not None and champion.version == version.name:
            return Decision(version.name, version.name, "serves already", now())
        known = _decided_before(champion, version, training)
        if champion is not None and known is not None:
            return known
        decision = _decide(models, champion, version, training, training_set)
        keep(models, champion, version if decision.promoted else None, decision)
        return decision


def _decide(
    models: Path, champion: Champion | None, version: Version, training: Training, training_set: TrainingSet
) -> Decision:
    policy = training.promotion.when
    if champion is None:
        return _take(version, training, "is the first version")
    if version.name in _set_aside(champion):
        return _stay(champion, version, training, "was set aside by hand, and is taken again by hand only")
    if policy == "never":
        return _stay(champion, version, training, "is promoted by hand only, as the pipeline file says")
    if policy == "always":
        return _take(version, training, "is the newest, and the pipeline file says always")
    if not (models / champion.model).is_file():
        return _take(version, training, f"takes over from {champion.version}, whose model is gone")
    return _compare(models, champion, version, training, training_set)


def _compare(
    models: Path, champion: Champion, version: Version, training: Training, training_set: TrainingSet
) -> Decision:
    """Return what the same held-out rows say."""
    from tasks.train.model_store.challenge import lead_over, read_held_out  # noqa: PLC0415 - scikit-learn: a second
    from tasks.train.model_store.files import load_model  # noqa: PLC0415 - skops: a second

    try:
        theirs, serving = load_model(models / champion.model), read_version(models, champion.version)
    except TidemillError as error:
        return _take(version, training, f"takes over from {champion.version}, which cannot serve: {error}")
    held_out = read_held_out(training, training_set)
    if mismatch := _mismatch(serving, version, held_out.kinds):
        return _stay(champion, version, training, f"cannot be compared: {mismatch}; promote it by hand")
    ours = load_model(models / version.name / MODEL_FILE)
    lead, low, high = lead_over(ours, theirs, held_out, training, task=training_set.task)
    if not all(map(math.isfinite, (lead, low, high))):
        return _stay(champion, version, training, f"cannot be compared: the hold-out does not define {training.metric}")
    seen = "" if serving.training_set == training_set.fingerprint else _say_seen(training)
    told = (
        f"on the same {len(held_out.truth):,} held-out rows: {lead:+.4f} {training.metric} ({low:+.4f} to {high:+.4f})"
    )
    if low > 0:
        decided = _take(version, training, f"beats {champion.version} by more than noise {told}{seen}")
    else:
        decided = _stay(
            champion, version, training, f"does not beat {champion.version} by more than noise {told}{seen}"
        )
    return replace(decided, difference=lead, low=low, high=high)


def _mismatch(serving: Version, version: Version, kinds: dict[str, str]) -> str | None:
    """Return what keeps the champion from predicting the new hold-out."""
    for name in ("target", "task"):
        if getattr(serving, name) != getattr(version, name):
            return f"the {name} was {getattr(serving, name)} for {serving.name}, and is {getattr(version, name)} now"
    for name, kind in serving.features.items():
        if name not in kinds:
            return f"{serving.name} needs the column {name}, which the query no longer gives"
        if kinds[name] != kind:
            return f"the column {name} was a {kind} for {serving.name}, and is a {kinds[name]} now"
    return None


def _say_seen(training: Training) -> str:
    if training.split.by == "time":
        return ""
    return "; it may have learnt from some of them, as its training set was another, which favours it"


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
