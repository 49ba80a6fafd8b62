"""Past predictions judged by what has become known since: joined, scored week by week and version by version, and kept."""

from __future__ import annotations

import shutil
import threading
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tasks.config import Pipeline, QueryLimits, Truth
from tasks.core.errors import ConfigError, TrainingError
from tasks.core.escaping import count
from tasks.core.sql import check_query, opened_tables, stoppable
from tasks.core.sql_nodes import changing_functions, find_tables, is_changing, parse_tree, walk_nodes
from tasks.core.storage import DataFolder, fingerprint, hash_file, remove_stale_temp_files
from tasks.lineage.records import LINEAGE, TrainingRecord, make_record, take_upstream, write_record
from tasks.train.data.training_set import table_state, versions
from tasks.train.predict.awaited import WEEK, Kept, await_truth, list_kept, made_at, read_kept, week_of
from tasks.train.registry.version import Version, list_versions
from tasks.train.truth.join import Joined, KeptFile, Outcomes, WeekCounts, explain_disputed, explained_files
from tasks.train.truth.scores import (
    SCORES,
    Judged,
    Row,
    Scored,
    State,
    WeekOfVersion,
    by_week,
    keep_scores,
    keep_state,
    name_week,
    read_scores,
    read_state,
)

_SCORING = 1  # raised when the same rows would be scored otherwise


@dataclass(frozen=True)
class _Asked:
    """What is judged, by what, and when."""

    folder: Path
    truth: Truth
    target: str
    limits: QueryLimits
    tables: Mapping[str, Path]
    versions: Mapping[str, Version]
    now: datetime
    before: State
    stop: threading.Event


def judge_predictions(
    pipeline: Pipeline, folder: DataFolder, now: datetime, *, fresh: bool = False, stop: threading.Event | None = None
) -> Judged:
    """Join what is known by now with what was predicted, score it, and commit the table; nothing where nothing is new.

    Args:
        pipeline: The pipeline, which has sections of truth and training.
        folder: The data folder.
        now: The moment from which predictions are as old as they are.
        fresh: Score also what is as it was.
        stop: Ends its queries when it is set.

    Raises:
        ConfigError: no section says what is true.
        TrainingError: the query does not run, or is stopped, or what lies in the folder cannot be read.

    """
    truth, training, place = pipeline.truth, pipeline.training, folder.truth(pipeline.name)
    if truth is None or training is None:
        raise ConfigError(
            f"truth: is missing in pipeline {pipeline.name!r}; add truth: {{query, key, delay}} to its file"
        )
    if mistakes := check_query(truth.query, "truth.query"):
        raise ConfigError(mistakes)
    await_truth(place, truth)
    remove_stale_temp_files(place)
    tables = {name: folder.table(name) for name in pipeline.table_names}
    before = read_state(place)
    rows = read_scores(place)
    models = {version.name: version for version in list_versions(folder.models(pipeline.name))}
    asked = _Asked(
        place, truth, training.target, training.query_limits, tables, models, now, before, stop or threading.Event()
    )
    files = [_as_file(path, truth, now) for path in list_kept(place)]
    inputs = _fingerprint(asked, files)
    scored, state, is_new = frozenset[str](), before, fresh or inputs is None or inputs != before.inputs
    if is_new and files:
        upstream = take_upstream(_read_tables(asked))  # before the query, as tables may move on meanwhile
        rows, state, scored = _score_anew(asked, files, rows, fresh=fresh)
        made = make_record("sql", (file.path.name for file in files), truth.query)
        kept = keep_scores(place, rows)
        write_record(place / LINEAGE, TrainingRecord(hash_file(kept), len(rows), made, upstream))
        keep_state(place, replace(state, inputs=inputs or ""))
    weeks, names = tuple(by_week(rows)), {file.path.name for file in files}
    there = {name for name, known in state.weeks.items() if not names.isdisjoint(known.files)}
    return Judged(
        path=place / SCORES,
        weeks=weeks,
        problems=(*state.problems, *(told for week in weeks if week.name in there for told in _explain_week(week))),
        kept=len(files),
        young=sum(not file.counts for file in files),
        scored=tuple(week for week in weeks if week.name in scored),
        is_new=is_new and bool(files),
        untold=tuple(week for week in weeks if week.has_fallen and week.name not in before.told),
    )


def remember_told(pipeline: str, folder: DataFolder, weeks: Sequence[WeekOfVersion]) -> None:
    """Keep of which weeks somebody was told: nobody is told twice."""
    place = folder.truth(pipeline)
    state = read_state(place)
    keep_state(place, replace(state, told=(*state.told, *(week.name for week in weeks))))


def _as_file(path: Path, truth: Truth, now: datetime) -> KeptFile:
    at = made_at(path)
    return KeptFile(path, at, at - truth.delay, week_of(at).date(), at + truth.delay <= now)


def _is_over(week: date, asked: _Asked) -> bool:
    """Return whether all predictions of a week are old enough to count."""
    return week_of(asked.now - asked.truth.delay).date() >= week + WEEK


def _read_tables(asked: _Asked) -> list[Path]:
    """Return the folders of the tables that the query names."""
    named = {each.lower() for each in find_tables(parse_tree(asked.truth.query))}
    return [path for name, path in sorted(asked.tables.items()) if name.lower() in named]


def _fingerprint(asked: _Asked, files: Sequence[KeptFile]) -> str | None:
    """Return the fingerprint of all that decides the figures; None where the query's result changes with time alone."""
    tree, changing = parse_tree(asked.truth.query), changing_functions()
    if any(is_changing(node, changing) for node in walk_nodes(tree)):
        return None
    tables = {path.name: table_state(path) for path in _read_tables(asked)}
    listed = [(file.path.name, file.path.stat().st_size, file.counts, _is_over(file.week, asked)) for file in files]
    section = asked.truth.model_dump(mode="json")
    return fingerprint([_SCORING, section, asked.target, tables, listed, sorted(asked.versions), versions("duckdb")])


def _score_anew(
    asked: _Asked, files: Sequence[KeptFile], rows: Sequence[Row], *, fresh: bool
) -> tuple[list[Row], State, frozenset[str]]:
    """Return the rows of the table, what is known of it, and which weeks were scored; `rows` are those that it has."""
    spill = asked.folder / "spill"
    shutil.rmtree(spill, ignore_errors=True)  # of a run that was killed
    of_key, problems = _sort_files(asked, files)
    figures = _by_week(rows)
    with (
        opened_tables(asked.tables, spill, asked.limits, asked.folder / "predictions") as connection,
        explained_files([file.path for file in files]),
        stoppable(connection, "truth", asked.stop),
    ):
        joined = Joined(connection, asked.truth, asked.target)
        outcomes = joined.read_outcomes(asked.tables, asked.limits, asked.stop)
        mismatched = joined.find_mismatches(file for file, _ in of_key)
        fitting = [(file, kept) for file, kept in of_key if file.path not in mismatched]
        problems += _count_files(mismatched.values())
        by_version = {name: [each for each in fitting if each[1].version == name] for name in sorted(asked.versions)}
        there = {file.path.name for of_version in by_version.values() for file, _ in of_version}
        stays = {name for name, known in asked.before.weeks.items() if not there.issuperset(known.files)}
        known = {
            name: _Made(figures.get(name, []), scored, is_new=False)
            for name, scored in asked.before.weeks.items()
            if name in stays or not fresh
        }
        made = {name: known[name] for name in stays}
        if fitting:
            joined.look_over([file for file, _ in fitting])
        for name, of_version in by_version.items():
            if of_version:
                joined.join([file for file, _ in of_version])
                made.update(_score_version(asked, asked.versions[name], of_version, joined, known, stays))
        unmet = joined.count_unmet() if len(fitting) == len(files) else 0  # it is not known of what cannot be joined
        problems = [*_explain_outcomes(replace(outcomes, unmet=unmet), asked), *problems]
    unknown = [row for name, found in figures.items() if name not in made.keys() | asked.before.weeks for row in found]
    weeks = {week: each.scored for week, each in made.items()}
    return (
        [*unknown, *(row for each in made.values() for row in each.rows)],
        State(weeks=weeks, told=asked.before.told, problems=tuple(problems)),
        frozenset(week for week, each in made.items() if each.is_new),
    )


def _by_week(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """Return the rows of the table by the name of their week and version."""
    found = dict[str, list[Row]]()
    for row in rows:
        found.setdefault(name_week(row["week"], row["version"]), []).append(row)
    return found


@dataclass(frozen=True)
class _Made:
    """The figures of a version in a week."""

    rows: list[Row]
    scored: Scored
    is_new: bool


def _score_version(
    asked: _Asked,
    version: Version,
    files: Sequence[tuple[KeptFile, Kept]],
    joined: Joined,
    known: Mapping[str, _Made],
    stays: Container[str],
) -> Iterator[tuple[str, _Made]]:
    """Yield the weeks of a version by name: those whose rows are as they were, or that stay, as they are known."""
    from tasks.train.truth.week import scored_columns  # noqa: PLC0415 - scikit-learn costs a second to import

    columns = scored_columns({name: None for file, _ in files for name in pq.read_schema(file.path).names})
    for counted in joined.count_weeks(columns):
        name = name_week(counted.week, version.name)
        of_week = [(file, kept) for file, kept in files if file.week == counted.week and file.counts]
        is_over = _is_over(counted.week, asked)
        digest = fingerprint([_SCORING, counted.digest, is_over, asked.truth.delay.total_seconds()])
        before = known.get(name)
        if before is not None and (name in stays or before.scored.digest == digest):
            yield name, before
            continue
        rows = _score_week(version, counted, of_week, joined.read_week(counted.week, columns), is_over=is_over)
        yield name, _Made(rows, Scored(digest, tuple(file.path.name for file, _ in of_week)), is_new=True)


def _score_week(
    version: Version,
    counted: WeekCounts,
    files: Sequence[tuple[KeptFile, Kept]],
    rows: pa.Table,
    *,
    is_over: bool,
) -> list[Row]:
    from tasks.train.truth.week import Figure, read_week, score_week  # noqa: PLC0415 - as above

    week = read_week(version, files[0][1].classes, rows)
    sizes = [pq.read_metadata(file.path).num_rows for file, _ in files]
    figures = list(score_week(version, week, is_over=is_over))
    figures += [Figure("scored", len(week.output.truth)), *(Figure(*each) for each in week.left.items())]
    figures += [Figure(name, number) for name, number in counted.counts.items() if name != "joined"]
    shares = [(kept.drifted / max(kept.features, 1), size) for (_, kept), size in zip(files, sizes, strict=True)]
    figures.append(Figure("drifted", sum(share * size for share, size in shares) / max(sum(sizes), 1)))
    figures.append(Figure("psi", max(kept.psi for _, kept in files)))
    figures.append(Figure("over", is_over))
    return [
        Row(
            week=counted.week,
            version=version.name,
            metric=version.metric,
            figure=each.figure,
            value=float(each.value),
            low=each.low,
            high=each.high,
        )
        for each in figures
    ]


def _explain_week(week: WeekOfVersion) -> Iterator[str]:
    """Yield a sentence for each kind of predictions of a week that do not count, or not as they should."""
    for figure, what in _TOLD.items():
        if number := week.number(figure):
            yield f"week of {week.week}, {week.version}: {what.format(count(number, 'prediction'))}"


_TOLD = {
    "ambiguous": "rejected {} of rows with the same key in one prediction; name more columns in truth.key",
    "keyless": "rejected {} without a value in a column of truth.key; fill it in what is predicted",
    "already": "rejected {} of keys that were predicted more than truth.delay before; predict only rows whose outcome is not known yet",
    "unmet": "rejected {} that came true as a class which the model has never met, and that no score has; train it anew",
    "ungrouped": "{} without the group of the split, so that the score has no interval; give what is predicted its column",
    "unweighted": "{} without a weight above 0, so that all count alike, and the score is not told to fall; give what is predicted its column",
}


def _sort_files(asked: _Asked, files: Sequence[KeptFile]) -> tuple[list[tuple[KeptFile, Kept]], list[str]]:
    """Return the kept predictions that have the key, and sentences on those that are not scored."""
    found, other = list[tuple[KeptFile, Kept]](), list[str]()
    for file in files:
        try:
            kept = read_kept(file.path)
        except (OSError, ValueError, KeyError, TypeError, pa.ArrowException) as error:
            raise TrainingError(f"{file.path}: is damaged ({error}); move it away, and run again") from None
        if kept.key == asked.truth.key:
            found.append((file, kept))
        else:
            other.append(
                f"kept by the key {', '.join(kept.key)}, and truth.key is {', '.join(asked.truth.key)}; name that one to score such"
            )
    other += [f"by {kept.version}, which is there no more" for _, kept in found if kept.version not in asked.versions]
    return found, _count_files(other)


def _count_files(why: Iterable[str]) -> list[str]:
    return [f"not scored: {count(number, 'kept prediction file')} {each}" for each, number in Counter(why).items()]


def _explain_outcomes(outcomes: Outcomes, asked: _Asked) -> Iterator[str]:
    if outcomes.disputed:
        yield explain_disputed(outcomes, asked.truth.key)
    if outcomes.keyless:
        yield f"truth.query: rejected {count(outcomes.keyless, 'row')} without a value in a column of the key; leave such out"
    if outcomes.unmet:
        yield f"truth.query: {outcomes.unmet:,} of {count(outcomes.keys, 'outcome')} without a prediction"
