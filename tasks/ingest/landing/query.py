"""Landing of a query: a partition's rows read whole in one snapshot, batch by batch, and once more where that may help."""

from __future__ import annotations

import asyncio
import itertools
import random
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from tasks.config import SqlIncremental, SqlSource, write_duration
from tasks.core.concurrency import await_end, in_thread
from tasks.core.errors import PermanentSourceError, SourceError
from tasks.core.escaping import count
from tasks.core.suggestions import did_you_mean
from tasks.ingest.http.redaction import Redactor
from tasks.ingest.http.requests import PageGroup, RequestStats
from tasks.ingest.landing.plan import Landed, LandingPlan, summarize_landing, warn_of_clock
from tasks.ingest.landing.watermark import Watermark
from tasks.ingest.landing.writer import RawWriter, discard
from tasks.ingest.sql.batches import add_constants, as_frame
from tasks.ingest.sql.database import Database
from tasks.ingest.sql.query import write_outside, write_query

_BACKOFF_FIRST_S, _BACKOFF_MOST_S = 0.5, 15.0
_MARGIN = timedelta(days=1)  # between clocks, and zones that a time does not name
_DIGIT = re.compile(r"\d")
_ORDERED: tuple[Callable[[pa.DataType], bool], ...] = (
    pa.types.is_integer,
    pa.types.is_floating,
    pa.types.is_decimal,
    pa.types.is_timestamp,
    pa.types.is_date,
    pa.types.is_string,
)


@dataclass(frozen=True)
class QueryAccess:
    """What a partition's query goes through, and where it is counted."""

    open: Callable[[], Database]
    stats: RequestStats
    secrets: Redactor


async def land_query(plan: LandingPlan, access: QueryAccess) -> Landed:
    """Read a partition's rows, and commit them.

    Raises:
        SourceError: the database failed for good, or refuses the query; what was landed before is as it was.

    """
    source = plan.job.source
    assert isinstance(source, SqlSource)
    try:
        for made in itertools.count(1):
            access.stats.requests += 1
            access.stats.retries += made > 1
            try:
                return await _land_once(plan, source, access)
            except PermanentSourceError:
                raise
            except SourceError as error:
                if made >= source.attempts:
                    raise
                access.stats.note_cause(str(error))
            most = min(_BACKOFF_MOST_S, _BACKOFF_FIRST_S * 2.0 ** (made - 1))
            await asyncio.sleep(random.uniform(0.0, most))  # noqa: S311 - jitter is no secret
    except SourceError as error:
        raise access.secrets.redact_error(error) from None
    raise AssertionError  # count() does not end


async def _land_once(plan: LandingPlan, source: SqlSource, access: QueryAccess) -> Landed:
    database = await asyncio.to_thread(access.open)
    landing = _Landing(plan, source, database, access.stats)
    working = asyncio.create_task(in_thread(landing.run))
    try:
        async with asyncio.timeout(source.timeout.total_seconds()):
            return await asyncio.shield(working)
    except TimeoutError:
        await asyncio.to_thread(database.cancel)
        await await_end(working)
        raise PermanentSourceError(
            f"the query was not done within timeout, {write_duration(source.timeout)}; raise it, or ask for less with each partition"
        ) from None
    except asyncio.CancelledError:
        await asyncio.to_thread(database.cancel)
        await await_end(working)
        raise


class _Landing:
    """One attempt at a partition."""

    def __init__(self, plan: LandingPlan, source: SqlSource, database: Database, stats: RequestStats) -> None:
        self._plan, self._source, self._database, self._stats = plan, source, database, stats
        self._began_s = time.monotonic()

    def run(self) -> Landed:
        plan, limit = self._plan, self._source.limit
        self._stats.rows = 0
        most = limit.number if limit else None
        query = write_query(self._source, plan.job.partition, plan.since, self._database, most)
        writer = RawWriter(plan.raw, plan.requested)
        newest = _newest_of(plan)
        try:
            for batch in self._read(query):
                if newest is not None:
                    newest.see(batch)
                rows = add_constants(batch, dict(plan.job.partition.taken))
                writer.add_rows(as_frame(rows), len(rows))
                self._stats.rows += len(rows)
                self._stats.body_bytes += rows.nbytes
            self._stats.pages = 1
            return self._finish(writer, newest, () if limit else tuple(self._find_outside()))
        except BaseException:
            writer.close()
            discard(plan.raw)
            raise

    def _read(self, query: str) -> Iterator[pa.RecordBatch]:
        """Yield the rows of a query, to its end."""
        yield from self._database.read(query)
        if self._database.is_cancelled:
            raise SourceError("the query was ended before its rows were there; run again")

    def _find_outside(self) -> Iterator[str]:
        """Yield what is to be told of rows that are in no partition of a range."""
        for name, query in write_outside(self._source, self._plan.job.partition, self._database):
            (found,) = [row for batch in self._read(query) for row in batch.to_pylist()]
            if number := found["number"]:
                yield (
                    f"partitions.{name}: {count(number, 'row')} without {name} within its range, and in no partition; "
                    "widen range, or leave these rows out in the query"
                )

    def _finish(self, writer: RawWriter, newest: _Newest | None, outside: Sequence[str]) -> Landed:
        """Make the raw file count; an increment without rows, or with the very rows of the one before, leaves nothing."""
        plan = self._plan
        manifest, before = writer.checkpoint.manifest, plan.landed
        doubts: Sequence[str] = warn_of_clock(plan)
        watermark = newest.watermark if newest else None
        if watermark is not None:
            watermark.check()
        warnings = (*outside, *(watermark.doubts if watermark else ()))
        if plan.is_increment and before is not None and (not manifest.rows or manifest.sha256 == before.sha256):
            writer.close()
            discard(plan.raw)
            doubts = (*doubts, *warnings)
        else:
            writer.finish(PageGroup([], 1, None, warnings), watermark.largest if watermark else None)
            writer.put_in_place()
        landed = summarize_landing(plan, plan.job.read_manifests(), self._stats, 0, time.monotonic() - self._began_s)
        return replace(landed, warnings=tuple(dict.fromkeys((*doubts, *landed.warnings))))


def _newest_of(plan: LandingPlan) -> _Newest | None:
    incremental = plan.incremental
    if not isinstance(incremental, SqlIncremental):
        return None
    largest = plan.landed.largest if plan.landed and plan.is_increment else None
    return _Newest(incremental, Watermark(incremental, largest))


class _Newest:
    """The largest value of an incremental query's column among the rows so far."""

    def __init__(self, incremental: SqlIncremental, watermark: Watermark) -> None:
        self._column = incremental.column
        self.watermark = watermark
        self._form = _form_of(watermark.largest)

    def see(self, batch: pa.RecordBatch) -> None:
        """Take further rows into account.

        Raises:
            PermanentSourceError: there is no such column, or what it holds does not grow as it is compared.

        """
        names = batch.schema.names
        if self._column not in names:
            raise PermanentSourceError(
                f"{SqlIncremental.KEY}: the query has no column {self._column!r}; {did_you_mean(self._column, names)}"
            )
        values = batch.column(self._column)
        if pa.types.is_string(values.type):
            self._check_form(values)
        largest = (
            pc.max(values).as_py() if _is_ordered(values.type) else next(iter(values.drop_null().to_pylist()), None)
        )
        self.watermark.see_value(_plain(largest), len(batch))
        if isinstance(largest, date):  # one later than now moves nothing; those before it do
            now = datetime.now(UTC) + _MARGIN
            bound = pa.scalar(now if pa.types.is_timestamp(values.type) else now.date())
            earlier = pc.filter(values, pc.less_equal(values, bound.cast(values.type, safe=False)))
            self.watermark.see_value(_plain(pc.max(earlier).as_py()), 0)

    def _check_form(self, values: pa.Array) -> None:
        """Raise where texts are not written alike: the database compares letters, not times."""
        for value in pc.unique(values).drop_null().to_pylist():
            form = _form_of(value)
            self._form = self._form or form
            if form != self._form:
                raise PermanentSourceError(
                    f"{SqlIncremental.KEY}: {self._column!r} is a text, written as {self._form} and, in {value!r:.60}, otherwise, "
                    "so that what is newer cannot be asked for; make a number or a time of it in the query"
                )


def _form_of(value: Any) -> str:
    return _DIGIT.sub("9", value) if isinstance(value, str) else ""


def _is_ordered(kind: pa.DataType) -> bool:
    return any(is_kind(kind) for is_kind in _ORDERED)


def _plain(value: Any) -> Any:
    """Return a value as a manifest keeps it, and a query compares it."""
    match value:
        case datetime():
            return value.astimezone(UTC).isoformat().replace("+00:00", "Z") if value.tzinfo else value.isoformat()
        case date():
            return value.isoformat()
        case Decimal():
            return format(value, "f")
        case _:
            return value
