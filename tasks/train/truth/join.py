"""Outcomes joined with kept predictions, in the engine of the tables: what counts, and what does not, and why."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from tasks.config import QueryLimits, Truth
from tasks.core.errors import TrainingError
from tasks.core.escaping import count
from tasks.core.scratch import scratch
from tasks.core.sql import explain_sql, explained, opened_tables, plain_sql, raise_if_full
from tasks.core.suggestions import did_you_mean
from tasks.core.tables import files_as_sql, quote_name, quote_text
from tasks.train.data.query import LIMITS_AT, PLAIN_TYPES, RESULT, run_query
from tasks.train.predict.awaited import KEY

OUTCOME = "outcome"
_SHOWN = 3
_FAMILIES = {
    r"U?(TINY|SMALL|BIG)INT|U?INTEGER|HUGEINT": "whole number",
    r"FLOAT": "number of 32 bits",
    r"DOUBLE": "number of 64 bits",
    r"DECIMAL\(\d+,(\d+)\)": r"decimal with \1 places",
    r"VARCHAR|ENUM.*|UUID|JSON": "text",
    r"BOOLEAN": "truth",
    r"DATE|TIMESTAMP(_S|_MS| WITH TIME ZONE)?": "time",
}
"""Kinds of keys that DuckDB compares exactly with each other; every other kind only with itself."""


@dataclass(frozen=True)
class KeptFile:
    """A kept prediction: when it was made, and whether that is long enough ago to count."""

    path: Path
    at: datetime
    before: datetime
    """Outcomes of what was predicted before that were known when it was made."""
    week: date
    counts: bool


@dataclass(frozen=True)
class Outcomes:
    """What the query gave: rows, keys, and what of them nothing can be made of."""

    rows: int
    keys: int
    keyless: int
    """Rows without a value in a column of the key."""
    unknown: int
    """Keys without an outcome yet."""
    disputed: int
    """Keys with several outcomes, which differ."""
    disputed_rows: int
    examples: str
    unmet: int = 0
    """Keys of which nothing was predicted."""


_WITH_KEY = "has_key"
_ONCE = f"{_WITH_KEY} AND alike = 1 AND turn = 1"
_NEW = f"{_ONCE} AND NOT already"
_JOINED = f"{_NEW} AND known > 0 AND different = 1"
COUNTED = {
    "predicted": "true",  # all that are old enough
    "keyless": f"NOT {_WITH_KEY}",
    "ambiguous": f"{_WITH_KEY} AND alike > 1",  # rows that were predicted together, with the same key
    "repeated": f"{_WITH_KEY} AND alike = 1 AND turn > 1",  # of a key that the version had predicted in that week already
    "already": f"{_ONCE} AND already",  # of a key that was predicted so long before that its outcome was known
    "waiting": f"{_NEW} AND coalesce(known, 0) = 0",
    "disputed": f"{_NEW} AND different > 1",
    "joined": _JOINED,
}
"""What predictions of a week are counted by: each counts as one of these, beside being predicted."""
_HASHED = (f"CASE WHEN different = 1 THEN {OUTCOME} END", "alike > 1", "turn", "known > 0", "different > 1")
_MOMENT = "%Y-%m-%d %H:%M:%S.%f"


@dataclass(frozen=True)
class WeekCounts:
    """What of the predictions that a version made in a week counts."""

    week: date
    counts: Mapping[str, int]
    digest: str
    """Tells its rows and outcomes from others; which of them were known already is forgotten as earlier predictions go."""


class Joined:
    """The connection in which outcomes lie, and predictions are joined with them version by version."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, truth: Truth, target: str) -> None:
        self._connection, self._truth, self._target = connection, truth, target
        self._keys = [f"{KEY}{place}" for place in range(1, len(truth.key) + 1)]
        self._families: list[str] = []

    def read_outcomes(self, tables: Mapping[str, Path], limits: QueryLimits, stop: threading.Event) -> Outcomes:
        """Run the query, and bring its rows to one for each key.

        Raises:
            TrainingError: it does not run, or is stopped, or its result lacks a column.

        """
        run_query(self._connection, self._truth.query, tables, "truth.query", limits, stop)
        kinds = {str(name): str(kind) for name, kind, *_ in self._ask(f"DESCRIBE {RESULT}")}
        if mistakes := list(_find_missing(self._truth, self._target, list(kinds))):
            raise TrainingError("\n".join(mistakes))
        self._families = [_family(kinds[name]) for name in self._truth.key]
        keys = ", ".join(
            f"{_as_key(name, kinds[name])} AS {key}" for name, key in zip(self._truth.key, self._keys, strict=True)
        )
        given = f"SELECT {keys}, {self._outcome(kinds[self._target])} AS {OUTCOME} FROM {RESULT}"  # noqa: S608 - quoted names, and our own
        listed = ", ".join(self._keys)
        self._connection.execute(
            f"CREATE TEMP TABLE outcomes AS SELECT {listed}, any_value({OUTCOME}) AS {OUTCOME}, "  # noqa: S608 - quoted names, and our own
            f"count({OUTCOME}) AS known, count(DISTINCT {OUTCOME}) AS different, count(*) AS number, false AS met "
            f"FROM ({given}) given WHERE {self._is_known('given')} GROUP BY {listed}"
        )
        rows = self._ask(f"SELECT count(*) FROM {RESULT}")[0][0]  # noqa: S608 - quoted names, and our own
        keys_, with_key, unknown, disputed, disputed_rows = self._ask(
            "SELECT count(*), coalesce(sum(number), 0), count(*) FILTER (known = 0), count(*) FILTER (different > 1), "
            "coalesce(sum(number) FILTER (different > 1), 0) FROM outcomes"
        )[0]
        examples = self._ask(f"SELECT {listed} FROM outcomes WHERE different > 1 ORDER BY ALL LIMIT {_SHOWN}")  # noqa: S608 - quoted names, and our own
        return Outcomes(
            int(rows),
            int(keys_),
            int(rows) - int(with_key),
            int(unknown),
            int(disputed),
            int(disputed_rows),
            ", ".join(" ".join(map(str, each)) for each in examples),
        )

    def find_mismatches(self, files: Iterable[KeptFile]) -> dict[Path, str]:
        """Return why predictions cannot be joined, by file: a key of theirs is of another kind than that of the outcomes."""
        known = dict[tuple[str, ...], str]()
        found = dict[Path, str]()
        for file in files:
            schema = pq.read_schema(file.path)
            kinds = tuple(str(schema.field(key).type) for key in self._keys)
            if kinds not in known:
                known[kinds] = "; ".join(self._explain_mismatches(file))
            if told := known[kinds]:
                found[file.path] = told
        return found

    def _explain_mismatches(self, file: KeptFile) -> Iterator[str]:
        kinds = self._kinds(files_as_sql([file.path]))
        for name, key, family in zip(self._truth.key, self._keys, self._families, strict=True):
            kind = kinds[key]
            if _family(kind) != family:
                yield (
                    f"of which truth.key {name!r} is a {_family(kind)} ({kind}) in the predictions, and a {family} in the result of "
                    f"truth.query; write CAST({name} AS {kind}) AS {name} there, or predict with the kind that is there"
                )

    def look_over(self, files: Sequence[KeptFile]) -> None:
        """Find when each key was predicted first, by whatever version, and which outcomes have a prediction."""
        listed = ", ".join(self._keys)
        self._connection.execute(
            f"CREATE OR REPLACE TEMP TABLE earliest AS SELECT {listed}, min(made) AS first FROM {self._rows(files)} p "  # noqa: S608 - quoted names, and our own
            f"WHERE {self._is_known('p')} GROUP BY {listed}"
        )
        same = self._same("outcomes", "earliest")
        self._connection.execute(f"UPDATE outcomes SET met = true FROM earliest WHERE {same}")  # noqa: S608 - quoted names, and our own

    def join(self, files: Sequence[KeptFile]) -> None:
        """Join the predictions of one version, after `look_over`."""
        keys = ", ".join(f"p.{key}" for key in self._keys)
        self._connection.execute(
            f"CREATE OR REPLACE TEMP TABLE said AS SELECT *, row_number() OVER "  # noqa: S608 - quoted names, and our own
            f"(PARTITION BY week, {', '.join(self._keys)}, alike = 1 ORDER BY made, filename, file_row_number) AS turn "
            f"FROM (SELECT p.*, {self._is_known('p')} AS {_WITH_KEY}, coalesce(first < before, false) AS already, "
            f"count(*) OVER (PARTITION BY filename, {keys}) AS alike "
            f"FROM {self._rows(files)} p LEFT JOIN earliest ON {self._same('p', 'earliest')})"
        )
        self._connection.execute(
            "CREATE OR REPLACE TEMP TABLE joined AS SELECT said.*, outcomes.* EXCLUDE "  # noqa: S608 - quoted names, and our own
            f"({', '.join(self._keys)}) FROM said LEFT JOIN outcomes ON {self._same('outcomes', 'said')} WHERE said.counts"
        )

    def _rows(self, files: Sequence[KeptFile]) -> str:
        """Return the SQL of the rows of predictions, with what is known of their file."""
        listed = ", ".join(
            f"({quote_text(str(file.path))}, TIMESTAMP '{file.at:{_MOMENT}}', TIMESTAMP '{file.before:{_MOMENT}}', "
            f"DATE '{file.week}', {file.counts})"
            for file in files
        )
        source = files_as_sql((file.path for file in files), located=True)
        kinds = self._kinds(source)
        as_keys = ", ".join(f"{_as_key(key, kinds[key])} AS {key}" for key in self._keys)
        return (
            f"(SELECT * FROM (SELECT * REPLACE ({as_keys}) FROM {source}) "  # noqa: S608 - quoted names, and our own
            f"JOIN (VALUES {listed}) f (filename, made, before, week, counts) USING (filename))"
        )

    def _kinds(self, source: str) -> dict[str, str]:
        return {str(name): str(kind) for name, kind, *_ in self._ask(f"DESCRIBE SELECT * FROM {source}")}  # noqa: S608 - quoted names, and our own

    def _same(self, one: str, other: str) -> str:
        return " AND ".join(f"{one}.{key} = {other}.{key}" for key in self._keys)

    def count_weeks(self, columns: Sequence[str]) -> Iterator[WeekCounts]:
        """Yield the weeks in which the version joined last has predicted, the oldest first; `columns` are those that are scored."""
        counted = ", ".join(f"count(*) FILTER ({condition})" for condition in COUNTED.values())
        hashed = ", ".join([*map(quote_name, [*self._keys, *columns]), *_HASHED])
        found = self._ask(
            f"SELECT week, sum(CAST(hash({hashed}) AS HUGEINT)), {counted} FROM joined GROUP BY week ORDER BY week"  # noqa: S608 - quoted names, and our own
        )
        for week, digest, *numbers in found:
            yield WeekCounts(week, dict(zip(COUNTED, map(int, numbers), strict=True)), str(digest))

    def read_week(self, week: date, columns: Sequence[str]) -> pa.Table:
        """Return the joined rows of a week: their outcome, and the columns, in the order of their keys."""
        chosen, keys = ", ".join(map(quote_name, [OUTCOME, *columns])), ", ".join(self._keys)
        query = f"SELECT {chosen} FROM joined WHERE week = DATE '{week}' AND {_JOINED} ORDER BY {keys}"  # noqa: S608 - quoted names, and our own
        found: Any = self._connection.sql(query)
        return found.to_arrow_table()

    def count_unmet(self) -> int:
        """Return of how many keys with an outcome nothing was predicted."""
        return int(self._ask("SELECT count(*) FILTER (NOT met AND known > 0) FROM outcomes")[0][0])

    def _outcome(self, kind: str) -> str:
        """Return the SQL of the outcome; what is no number, as NaN, is not known."""
        quoted = quote_name(self._target)
        plain = plain_sql(quoted, kind, PLAIN_TYPES)
        if plain is None:
            raise TrainingError(f"truth.query: {self._target!r} is {kind}, which no target is; CAST it in the query")
        if re.fullmatch(r"FLOAT|DOUBLE|DECIMAL.*", kind):
            return f"CASE WHEN isfinite(CAST({plain} AS DOUBLE)) THEN {plain} END"
        return plain

    def _is_known(self, table: str) -> str:
        return " AND ".join(f"{table}.{key} IS NOT NULL" for key in self._keys)

    def _ask(self, sql: str) -> list[Any]:
        return self._connection.execute(sql).fetchall()


@contextmanager
def explained_files(paths: Sequence[Path]) -> Iterator[None]:
    """Turn what DuckDB raises of kept predictions into an error that names the file, or where limits are declared.

    Raises:
        TrainingError: a file is damaged, or memory does not suffice.
        OSError: the disk is full.

    """
    try:
        yield
    except duckdb.OutOfMemoryException as error:
        raise TrainingError(
            f"truth: predictions and outcomes do not fit in memory ({explain_sql(error)}); raise {LIMITS_AT}.memory_limit_mb"
        ) from None
    except duckdb.Error as error:
        raise_if_full(error)
        for path in paths:
            _refuse_damaged(path)
        raise TrainingError(
            f"truth: predictions cannot be joined with the result of truth.query ({explain_sql(error)}); correct its types"
        ) from None


def _refuse_damaged(path: Path) -> None:
    try:
        with pq.ParquetFile(path) as file:
            for _ in file.iter_batches():
                pass
    except (OSError, pa.ArrowException) as error:
        said = (str(error).splitlines() or [""])[0].rstrip(".")
        raise TrainingError(f"{path}: is damaged ({said}); move it away, and run again") from None


def find_query_mistakes(truth: Truth, target: str, tables: Mapping[str, Path], limits: QueryLimits) -> list[str]:
    """Return one sentence for each mistake of the query that tables show, of which the columns alone are looked at."""
    with scratch("check") as spill:
        try:
            with opened_tables(tables, spill, limits) as connection, explained("truth.query", tables, LIMITS_AT):
                return list(_find_missing(truth, target, connection.sql(truth.query).columns))
        except TrainingError as error:
            return str(error).split("\n")


def _find_missing(truth: Truth, target: str, names: Sequence[str]) -> Iterator[str]:
    """Yield a sentence for each column that the query's result lacks."""
    wanted = dict.fromkeys(truth.key, "by which truth.key joins it") | {target: "which is the target"}
    for name, what in wanted.items():
        if name not in names:
            cure = did_you_mean(name, names, f"it has {', '.join(names)}")
            yield f"truth.query: its result has no column {name!r}, {what}; {cure}"


def explain_disputed(outcomes: Outcomes, key: Sequence[str]) -> str:
    """Return the sentence on outcomes that differ."""
    shown = f"{', '.join(key)}: {outcomes.examples}{', …' if outcomes.disputed > _SHOWN else ''}"
    return (
        f"truth.query: rejected {count(outcomes.disputed_rows, 'row')} of {count(outcomes.disputed, 'key')} with outcomes that "
        f"differ ({shown}); have the query give one row a key"
    )


def _family(kind: str) -> str:
    found = (re.fullmatch(pattern, kind) for pattern in _FAMILIES)
    return next((match.expand(_FAMILIES[match.re.pattern]) for match in found if match), kind)


def _as_key(name: str, kind: str) -> str:
    """Return the SQL of a column of a key: texts of all kinds as texts."""
    return f"CAST({quote_name(name)} AS VARCHAR)" if re.fullmatch(r"ENUM.*|UUID|JSON", kind) else quote_name(name)
