"""The model card: what a version is, how good, on what, and where not to trust it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import assert_never

from tasks.config import GroupSplit, OwnSplit, RandomSplit, TimeSplit, write_duration, write_label
from tasks.core.escaping import count, escape, fence, table
from tasks.lineage.drawing import draw, noun_of_files
from tasks.lineage.records import TrainingRecord
from tasks.train.assessment.threshold import Threshold
from tasks.train.evaluation.results import MODEL_FILE, Calibration, Combination
from tasks.train.registry.assessed import assessed_sections
from tasks.train.registry.version import Environment, Version

_FEATURES_SHOWN = 50
_TABLES_SHOWN = 50
_FEW_ROWS = 100
_P_SURE = 0.05
_LIMIT_CHARACTERS = 2_000


def write_card(version: Version, environment: Environment, record: TrainingRecord | None = None) -> str:
    """Return the card of a version as Markdown."""
    sections = {
        "What it predicts": _purpose(version),
        "Scores": _scores(version),
        **({"Ensemble": _ensemble(version, version.combination)} if version.combination else {}),
        **({"Calibration": _calibration(version.calibration)} if version.calibration else {}),
        **({"Decision": _decision(decision)} if (decision := _of(version)) else {}),
        **dict(assessed_sections(version.assessment)),
        "Data": _data(version),
        "Made of": _made_of(version, record),
        "Features": _features(version),
        "Limits": _limits(version),
        "Made with": _made_with(version, environment),
        "How to load": _loading(version),
    }
    title = f"# {version.pipeline}: {version.candidate}, version {version.name}\n"
    return "\n".join([title, *(f"## {name}\n\n{text}\n" for name, text in sections.items())])


def _purpose(version: Version) -> str:
    declared = version.declared
    made_by = f"`{declared.estimator}`" if declared.estimator else declared.made_by
    return f"{escape(version.target, cell=False)} ({_task(version)}), by {made_by}. Made {version.created}."


def _task(version: Version) -> str:
    """Return the task and the positive class, and which of them is a guess that the pipeline file can contradict."""
    task = f"{version.task}, as its values look" if "task" in version.guessed else version.task
    if version.positive is None:
        return task
    how = ", the rarer one" if "positive" in version.guessed else ", as declared"
    return (
        f"{task}; f1, pr_auc and their like are of the class {escape(write_label(version.positive), cell=False)}{how}"
    )


def _scores(version: Version) -> str:
    confidence = "95 % interval"
    rows = [
        (f"**{version.metric}**, hold-out", version.score, version.interval),
        (f"{version.metric}, mean of {_folds(version)}", version.cv_score, version.cv_interval),
    ]
    lines = [f"| metric | value | {confidence} |", "|---|---|---|"]
    lines += [f"| {name} | {value:.4f} | {_interval(interval)} |" for name, value, interval in rows]
    lines += [
        f"| {name}, hold-out | {value:.4f} | |" for name, value in version.metrics.items() if name != version.metric
    ]
    return "\n".join(lines)


def _folds(version: Version) -> str:
    repeats = version.training.split.model_dump().get("repeats", 1)
    return f"{version.folds // repeats} folds" + (f", drawn {repeats} times" if repeats > 1 else "")


def _ensemble(version: Version, combination: Combination) -> str:
    amounts = "probabilities" if version.task == "classification" else "predictions"
    what, weight = f"The mean of its members' {amounts}", "share"
    if combination.final is not None:
        what, weight = f"`{combination.final}` over its members' {amounts}", "coefficient"
    if combination.rows:
        fitted = "fitted" if combination.final is not None else "by shares fitted"
        what += f", {fitted} on what the folds said of {combination.rows:,} rows that their models had not learnt from"
    rows = [
        [name, f"`{member.estimator}`", ", ".join(f"{each:.4f}" for each in combination.weights.get(name, ()))]
        for name, member in version.members.items()
    ]
    return f"{what}.\n\n{table(('member', 'estimator', weight), rows)}"


def _calibration(calibration: Calibration) -> str:
    gain, low, high = calibration.gain
    return (
        f"Its probabilities are corrected by {calibration.method}. On the hold-out the Brier score, smaller is better, was "
        f"{calibration.brier_before:.4f} before and is {calibration.brier_after:.4f}: a gain of {gain:.4f} "
        f"({low:.4f} to {high:.4f})."
    )


def _of(version: Version) -> Threshold | None:
    return version.assessment.decision if version.assessment is not None else None


def _decision(decision: Threshold) -> str:
    positive = escape(write_label(decision.positive), cell=False)
    lines = [
        f"A row is decided to be {positive} from a probability of {decision.value:.4f} on: of all thresholds the one of "
        f"{decision.aim}, on the {decision.rows:,} rows that folds tested. The hold-out had no say in it.",
        "",
        "| | rows it was chosen on | hold-out, 95 % interval |",
        "|---|---|---|",
    ]
    for name, figure in decision.holdout.items():
        chosen = decision.out_of_fold.get(name)
        lines.append(f"| {name} | {'unknown' if chosen is None else f'{chosen:.4f}'} | {figure} |")
    lines += ["", f"Better than deciding at 0.5, by {decision.measure} on the hold-out: {decision.gain}."]
    return "\n".join(lines)


def _data(version: Version) -> str:
    training = version.training
    split = training.split.model_dump(exclude={"by"})
    told = ", ".join(
        f"{key} {write_duration(value) if isinstance(value, timedelta) else escape(str(value), cell=False)}"
        for key, value in split.items()
    )
    return "\n".join(
        [
            f"- {count(version.training_rows, 'row')} to train, {version.test_rows:,} held out and looked at once",
            f"- split by {training.split.by} ({told}), seed {training.seed}",
            *(
                [f"- each row counts by its {escape(training.weights, cell=False)}, in fits and in every figure"]
                if training.weights
                else []
            ),
            f"- training set `{version.training_set[:16]}`, the result of:",
            "",
            fence(training.query.strip(), "sql"),
        ]
    )


def _made_of(version: Version, record: TrainingRecord | None) -> str:
    """Return the tables that the training set is of, and a drawing of all before them."""
    if record is None:
        return "The version of Tidemill that made it kept no record of that."
    rows = [
        [
            escape(each.name),
            f"{each.total:,}",
            str(each.number),
            ", ".join(
                [*([count(len(each.files), noun_of_files(each))] if each.files else []), *map(escape, each.inputs)]
            ),
            f"`{each.rows[:16]}`",
            f"`{each.made.flow_run}`" if each.made.flow_run else "",
        ]
        for each in record.upstream.tables[:_TABLES_SHOWN]
    ]
    run = f"Published by the flow run `{version.flow_run}`. " if version.flow_run else ""
    ends = [("training set", count(record.rows, "row")), (f"{version.pipeline} {version.candidate}", version.name)]
    return "\n".join(
        [
            f"{run}`tidemill lineage models/{version.pipeline}/{version.name}` names each file with its hash.",
            "",
            table(("table", "rows>", "version>", "made of", "fingerprint", "flow run"), rows),
            "",
            draw(record.upstream, ends),
        ]
    )


def _features(version: Version) -> str:
    ordered = sorted(version.features, key=lambda name: -version.importances.get(name, (0.0, 0.0))[0])
    lines = [f"| feature | kind | drop of {version.metric} when shuffled |", "|---|---|---|"]
    for name in ordered[:_FEATURES_SHOWN]:
        drop = version.importances.get(name)
        told = f"{drop[0]:.4f} ± {drop[1]:.4f}" if drop else ""
        lines.append(f"| {escape(name)} | {version.features[name]} | {told} |")
    more = len(ordered) - _FEATURES_SHOWN
    return "\n".join([*lines, *([f"\nNot shown: {count(more, 'further feature')}."] if more > 0 else [])])


def _limits(version: Version) -> str:
    return "\n".join(f"- {escape(limit, _LIMIT_CHARACTERS, cell=False)}" for limit in _shortcomings(version))


def _shortcomings(version: Version) -> Iterator[str]:
    if version.p_dummy is not None and version.p_dummy > _P_SURE:
        yield f"It is not surely better than a dummy that looks at no feature (p = {version.p_dummy:.2f})."
    if version.equals:
        yield f"It is within noise of {', '.join(version.equals)}: another draw of the rows may rank them otherwise."
    if version.test_rows < _FEW_ROWS:
        yield f"Only {count(version.test_rows, 'row')} were held out: the interval of its score is a rough one."
    match version.training.split:
        case TimeSplit(column=column):
            yield f"It was judged on the latest rows by {column}; it is older than what comes after them."
        case GroupSplit(column=column):
            yield f"It was judged on groups of {column} that it had not seen."
        case OwnSplit(splitter=splitter):
            yield f"It was judged on the rows that {splitter} holds out; intervals take them as drawn one by one."
        case RandomSplit():
            yield "It was judged on rows drawn at random: rows of another time or place may be harder."
        case _:
            assert_never(version.training.split)
    yield "Importances say what the model uses, not what causes the target; features that say the same share theirs."
    yield from version.warnings


def _made_with(version: Version, environment: Environment) -> str:
    packages = ", ".join(
        f"{name} ({told})" if " " in told else f"{name} {told}"  # what tells code of the user's own is no number
        for name, told in environment.packages.items()
        if told
    )
    params = json.dumps(version.declared_params | version.params, sort_keys=True)
    return "\n".join(
        [
            f"- Python {environment.python} on {environment.platform}",
            f"- {packages}",
            *([f"- classes of your own: {', '.join(f'`{each}`' for each in version.types)}"] if version.types else []),
            f"- parameters: {escape(params, _LIMIT_CHARACTERS, cell=False)}",
            f"- fingerprint `{version.fingerprint}`",
        ]
    )


def _loading(version: Version) -> str:
    path, own = f"data/models/{version.pipeline}/{version.name}/{MODEL_FILE}", ""
    if version.types:
        own = f", types={json.dumps(version.types)}, trusted={json.dumps(version.training.trusted)}"
    return f"""```python
from tasks.train.registry import load_model  # runs no code of the file

model = load_model("{path}"{own})
```

`model.predict` takes a data frame with the features above: numbers, truths (0 or 1) and times (seconds since 1970) as float64, texts as objects, missing and infinite values as NaN. `tidemill predict {"PIPELINE_FILE" if version.types else version.pipeline} INPUT` does all of it."""


def _interval(interval: tuple[float, float] | None) -> str:
    return "unknown" if interval is None else f"{interval[0]:.4f} to {interval[1]:.4f}"
