"""What is told of a source while it is fetched: in the terminal, in Prefect's artifacts, and as warnings."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from flows.cli.console import PLAIN_WIDTH, ProgressView, make_console
from tasks.config import ApiSource
from tasks.core.progress import ProgressEvent, subscribed
from tasks.ingest.http.requests import RequestStats
from tasks.ingest.landing.plan import Landed
from tasks.ingest.progress import SourceProgress
from tasks.ingest.results import MOST, FailedPartition, PartitionOutcome, RequestWarnings
from tasks.ingest.throttle.limiter import HostLimits, HostThrottle
from tests.ingest.sources import job_of, land_with, open_quietly
from tests.virtual_time import run

RAW = Path("raw.jsonl.zst")
Shown = list[tuple[str, float, str]]


@pytest.fixture
def steps() -> Iterator[list[ProgressEvent]]:
    """Return what is told."""
    told: list[ProgressEvent] = []
    with subscribed(told.append):
        yield told


def landed(*, reused: bool = False) -> Landed:
    """Return a partition of 1,000 rows in two pages."""
    return Landed("a", RAW, rows=1000, pages=2, file_bytes=9, reused=reused, requests=0 if reused else 2)


async def _land(
    seconds: float, partitions: int, outcomes: Sequence[PartitionOutcome] = (), reused: Sequence[Landed] = ()
) -> Shown:
    """Return what is shown of a source whose partitions all end after some seconds, one request under way meanwhile."""
    shown: Shown = []

    async def show(source: str, percent: float, detail: str) -> None:
        shown.append((source, percent, re.sub(r" at [\d,]+/s", "", detail)))

    host = HostThrottle(HostLimits(1, 1, 1))
    async with SourceProgress("news", partitions, [host], show) as progress:
        host.pause(1.0)
        progress.reused(reused)
        stats = RequestStats(rows=40, pages=3, requests=4, in_flight=1)
        if partitions:
            progress.begin(stats)
        await asyncio.sleep(seconds)
        for outcome in outcomes:
            if isinstance(outcome, Landed):
                progress.landed(outcome, stats)
            else:
                progress.failed(outcome, stats)
    return shown


def test_a_slow_source_is_shown_every_two_seconds_and_at_its_end(steps: list[ProgressEvent]) -> None:
    """Rows, pages, what is in flight and pauses are shown, and at the end what failed lacks."""
    outcomes: list[PartitionOutcome] = [landed(), FailedPartition("refused", "c", 1)]

    shown = run(_land(5.0, 4, outcomes, reused=[landed(reused=True)] * 2))

    assert shown == [
        ("news", 50.0, "2,040 rows, 3 pages, 1 in flight, 1 s paused, 2 landed before"),
        ("news", 50.0, "2,040 rows, 3 pages, 1 in flight, 1 s paused, 2 landed before"),
        ("news", 75.0, "3,000 rows, 2 pages, 1 s paused, 1 failed, 2 landed before"),
    ]
    assert [(step.done, step.total) for step in steps] == [(2, 4), (2, 4), (2, 4), (3, 4), (4, 4)]


def test_what_came_counts_on_between_two_attempts(steps: list[ProgressEvent]) -> None:
    """Rows and pages of an attempt that failed are there until the partition ends, and it counts once."""

    async def land() -> None:
        async def show(*_: object) -> None:
            pass

        async with SourceProgress("news", 2, [], show) as progress:
            stats = RequestStats(rows=40, pages=3)
            for _ in range(2):
                progress.begin(stats)
                progress.reused([landed(reused=True)])
            progress.failed(FailedPartition("refused", "c", 1), stats)

    run(land())

    assert [re.sub(r" at -?[\d,]+/s", "", step.detail) for step in steps] == [
        "1,040 rows, 3 pages, 1 landed before",
        "2,040 rows, 3 pages, 1 landed before",
        "2,000 rows, 1 failed, 1 landed before",
    ]


def test_a_large_body_is_told_of_while_it_comes() -> None:
    """Rows are there when a body is whole: until then its megabytes show that something comes."""
    stats = RequestStats(in_flight=1)

    async def land() -> Shown:
        shown: Shown = []

        async def show(source: str, percent: float, detail: str) -> None:
            shown.append((source, percent, detail))

        async with SourceProgress("news", 1, [], show) as progress:
            stats.coming_bytes = 12_345_678
            progress.begin(stats)
            await asyncio.sleep(3.0)
            stats.coming_bytes = stats.in_flight = 0
        return shown

    assert [detail for _, _, detail in run(land())] == ["0 rows, 1 in flight, 12 MB on their way", "0 rows"]


async def test_a_body_on_its_way_is_counted(tmp_path: Path) -> None:
    """What has come of a body is known before all of it has, and is counted once."""
    body, half, rest = b'[{"id": 1}]' + b" " * 400_000, 200_000, asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body[:half])
        await rest.wait()
        writer.write(body[half:])
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        source = ApiSource.model_validate({"url": f"http://127.0.0.1:{port}/"})
        async with open_quietly(source) as client:
            job = job_of(source, tmp_path)
            stats = client.stats(job.raw)
            landing = asyncio.create_task(land_with(client, job))
            async with asyncio.timeout(10):
                while stats.coming_bytes < half:  # noqa: ASYNC110 - nobody tells of it
                    await asyncio.sleep(0.01)
            before = stats.coming_bytes, stats.body_bytes
            rest.set()
            await landing

    assert (before, stats.coming_bytes, stats.body_bytes) == ((half, 0), 0, len(body))


def test_what_is_over_at_once_is_told_and_not_shown(steps: list[ProgressEvent]) -> None:
    """A source that takes less than two seconds costs no call of Prefect's API, and has its line."""
    shown = run(_land(1.0, 1, [landed()]))

    assert shown == []
    assert [(step.stage, step.name, step.done, step.total) for step in steps] == [("ingest", "news", 1, 1)]


def test_a_source_that_was_landed_before_says_so(steps: list[ProgressEvent]) -> None:
    """Where nothing was asked for, nothing is told of pages."""
    run(_land(0.0, 2, reused=[landed(reused=True)] * 2))

    assert steps == [ProgressEvent("ingest", "news", 2, 2, "2,000 rows, landed before")]


def test_a_source_of_no_partition_is_no_error() -> None:
    """A slice may leave nothing of a source."""
    assert run(_land(3.0, 0)) == [
        ("news", 100.0, "0 rows, 1 s paused"),
        ("news", 100.0, "0 rows, 1 s paused"),
    ]


def test_a_plain_line_is_told_now_and_then_and_not_too_long(capsys: pytest.CaptureFixture[str]) -> None:
    """Of many steps at once the first and the last are printed, cut at the width of a page."""
    view = ProgressView(make_console())

    for done in range(1, 11):
        view.show(ProgressEvent("ingest", "news", done, 10, f"{done} " + "rows" * 30))

    lines = capsys.readouterr().out.splitlines()
    assert [line[10:45] for line in lines] == [
        "ingest   news            1/10   1 r",
        "ingest   news           10/10   10 ",
    ]
    assert {len(line) for line in lines} == {PLAIN_WIDTH}


async def test_of_many_warnings_the_first_are_given() -> None:
    """Each source has its own share, also when they run at once, and at its end says how many more there were."""
    said: list[str] = []
    warnings = RequestWarnings(said.append)

    async def fetch(source: str, troubles: int) -> None:
        with warnings.for_source(source):
            await asyncio.gather(*(trouble(number) for number in range(troubles)))

    async def trouble(number: int) -> None:
        await asyncio.sleep(0)
        warnings.warn(f"trouble {number}")

    await asyncio.gather(fetch("news", 10_000), fetch("users", 1))

    assert sorted(said) == sorted(
        [
            *(f"source news: trouble {number}" for number in range(MOST)),
            "source news: not shown: 9,980 more warnings like these",
            "source users: trouble 0",
        ]
    )
