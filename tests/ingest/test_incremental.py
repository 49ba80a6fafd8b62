"""Incremental sources: each run asks for what is new, and what is landed is right whatever ended a run before."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote_plus

import pytest

from tasks.config import ApiSource, Scalar
from tasks.core.errors import PermanentSourceError, SourceError
from tasks.core.storage import DataFolder
from tasks.ingest.landing.plan import Landed
from tasks.raw.files import RawManifest, commit_manifest, list_raw_files
from tests.convert.conftest import make_table
from tests.convert.conftest import read_rows as read_table
from tests.ingest.crashing import crashing
from tests.ingest.sources import api, job_of, land_one, land_with, open_quietly, read_rows
from tests.ingest.test_resume import ONE_BY_ONE, files_of, find
from tests.site.landing import LONG_PAGE_ROWS, kept_at
from tests.site.server import Site

COUNTED = {"kind": "page", "pages_at": "pages"}
NEVER = 99


def growing(site: Site, start: Scalar = 0, overlap: Any = 0, field: str = "at", **changes: Any) -> ApiSource:
    """Return a source of the rows that are as new as what is asked for."""
    plain = {
        "pagination": {"kind": "single"},
        "incremental": {"field": field, "param": "since", "start": start, "overlap": overlap},
        "key": ["id"],
        "params": {} if field == "at" else {"path": field},
        "requests": ONE_BY_ONE,
    }
    return api(site, "/since", **plain | changes)


def rows_at(*values: Any, first: int = 1, **more: Any) -> list[dict[str, Any]]:
    """Return rows with these values."""
    return [{"id": number, "at": value, **more} for number, value in enumerate(values, first)]


def asked_since(site: Site) -> list[str]:
    """Return what each request asked for, as it was sent."""
    return [seen.path.partition("since=")[2].partition("&")[0] for seen in site.seen]


def landed_in(folder: Path, partition: str = "all") -> list[tuple[str, list[int], RawManifest]]:
    """Return name, ids and manifest of each raw file that counts."""
    files = list_raw_files(folder, partition)
    return [(path.name, [row["id"] for row in read_rows(path)], manifest) for path, manifest in files]


async def ids_in(folder: Path, partition: str = "all") -> list[list[int]]:
    """Return the ids of the rows of each raw file that counts."""
    return [ids for _, ids, _ in await asyncio.to_thread(landed_in, folder, partition)]


async def test_each_run_asks_from_the_largest_value_landed(site: Site, tmp_path: Path) -> None:
    """The first run asks from the start, later ones from the largest value less the overlap; each is a file of its own."""
    source, kept = growing(site, overlap=2), kept_at(site)
    landed = []
    for values in [(1, 5, 3), (1, 5, 3, 8), (1, 5, 3, 8, 7, 9)]:
        kept.rows = rows_at(*values)
        landed.append(await land_one(source, tmp_path))

    files = await asyncio.to_thread(landed_in, tmp_path)
    first = files[0][2]
    assert asked_since(site) == ["0", "3", "6"]
    assert [(name, ids) for name, ids, _ in files] == [
        ("all.jsonl.zst", [1, 2, 3]),
        ("all+000001.jsonl.zst", [2, 3, 4]),
        ("all+000002.jsonl.zst", [4, 5, 6]),
    ]
    assert [(m.since, m.largest, m.extends) for _, _, m in files] == [
        (0, 5, None),
        (3, 8, first.sha256),
        (6, 9, first.sha256),
    ]
    assert [(one.rows, one.pages, one.requests, one.reused) for one in landed] == [
        (3, 1, 1, False),
        (6, 2, 1, False),
        (9, 3, 1, False),
    ]


@pytest.mark.parametrize(
    ("start", "overlap", "values", "asked"),
    [
        (0, 10, [100, 50], "90"),
        (0, 0.5, [1.5, 3.25], "2.75"),
        (0, 0, ["9", "10"], "10"),
        ("2024-01-01", "1h", ["2024-01-02T00:00:00Z"], "2024-01-01T23:00:00Z"),
        ("2024-01-01", "1h", ["2024-01-02T00:00:00+02:00"], "2024-01-01T23:00:00+02:00"),
        ("2024-01-01", "1m", ["2024-01-02 00:00:00.250"], "2024-01-01 23:59:00.250"),
        ("2024-01-01", "1h", ["2024-01-02", "2024-01-03"], "2024-01-02"),
        ("2024-01-01", 0, ["2024-01-02", "2024-01-03"], "2024-01-03"),
    ],
)
async def test_the_server_is_asked_in_its_own_form(
    site: Site, tmp_path: Path, start: Scalar, overlap: Any, values: list[Any], asked: str
) -> None:
    """What is sent is the value as it came, less the overlap: number or time, with the zone, the T and the digits it had."""
    kept_at(site).rows = rows_at(*values)
    for _ in range(2):
        await land_one(growing(site, start, overlap), tmp_path)

    assert unquote_plus(asked_since(site)[1]) == asked


async def test_a_run_that_brings_nothing_leaves_nothing(site: Site, tmp_path: Path) -> None:
    """Without rows, or with those of the run before once more, there is no increment; the next run asks the same."""
    kept_at(site).rows = rows_at(1, 5)
    source = growing(site, overlap=-0)
    await land_one(source, tmp_path)
    kept_at(site).rows = rows_at(1)
    nothing = await land_one(source, tmp_path)
    kept_at(site).rows = rows_at(1, 5, 5)
    await land_one(source, tmp_path)
    before = files_of(tmp_path)
    same = [await land_one(source, tmp_path) for _ in range(2)]

    assert before == ["all+000001.json", "all+000001.jsonl.zst", "all.json", "all.jsonl.zst"]
    assert [nothing.rows, *(one.rows for one in same)] == [2, 4, 4]
    assert (files_of(tmp_path), asked_since(site)) == (before, ["0", "5", "5", "5", "5"])


async def test_rows_without_a_value_are_landed(site: Site, tmp_path: Path) -> None:
    """A null field makes a row no larger; a value within another object is found by its path."""
    kept_at(site).rows = [
        {"id": 1, "meta": {"at": 4}},
        {"id": 2, "meta": {"at": None}},
        {"id": 3, "meta": None},
        {"id": 4},
    ]
    for _ in range(2):
        await land_one(growing(site, field="meta.at"), tmp_path)

    assert (await ids_in(tmp_path), asked_since(site)) == ([[1, 2, 3, 4]], ["0", "4"])


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ([{"id": 1}, {"id": 2}], r"^incremental.field: 'at' is in none of 2 records; correct the field$"),
        (rows_at(None), r"^incremental.field: 'at' is in none of 1 record; correct the field$"),
        (rows_at(1, "2024-01-01"), r"'at' has values that cannot be compared, 1 and '2024-01-01'; name a field of"),
        (rows_at(True), r"'at' has the value True, which is neither a number nor a time in ISO 8601; name a field"),
        (rows_at("soon"), r"'at' has the value 'soon', which is neither a number nor a time"),
        (rows_at({"a": 1}), r"'at' has the value {'a': 1}, which is neither a number nor a time"),
    ],
)
async def test_a_field_that_does_not_grow_is_one_error(
    site: Site, tmp_path: Path, rows: list[Any], sentence: str
) -> None:
    """Where the largest value cannot be told, nothing is landed, and what was landed before stays."""
    source = growing(site, params={"path": "nothing"})
    kept_at(site).rows = rows_at(7)
    await land_one(source, tmp_path / "before")
    kept_at(site).rows = rows

    with pytest.raises(PermanentSourceError, match=sentence):
        await land_one(source, tmp_path / "new")
    if rows[0].get("at"):
        with pytest.raises(PermanentSourceError, match=r"^incremental.field: 'at' has"):
            await land_one(source, tmp_path / "before")

    assert not (tmp_path / "new").exists() or files_of(tmp_path / "new") == []
    assert (await ids_in(tmp_path / "before"), len(files_of(tmp_path / "before"))) == ([[1]], 2)


async def test_an_overlap_of_another_kind_is_one_error(site: Site, tmp_path: Path) -> None:
    """A time cannot be taken from numbers: the second run says so, and asks nothing."""
    source = growing(site, "2024-01-01", "1h", params={"path": "none"})
    kept_at(site).rows = rows_at(5)
    await land_one(source, tmp_path)

    with pytest.raises(PermanentSourceError, match=r"^incremental.overlap: 1:00:00 cannot be taken from 5; give a"):
        await land_one(source, tmp_path)

    assert asked_since(site) == ["2024-01-01"]


async def test_fresh_replaces_everything(site: Site, tmp_path: Path) -> None:
    """With --fresh all is asked for from the start, and becomes the one raw file; the increments go."""
    source = growing(site)
    for values in [(1, 2), (1, 2, 3), (1, 2, 3, 4)]:
        kept_at(site).rows = rows_at(*values)
        await land_one(source, tmp_path)
    kept_at(site).rows = rows_at(2, 4, 6)

    landed = await land_one(source, tmp_path, fresh=True)

    assert (landed.rows, await ids_in(tmp_path), asked_since(site)[-1]) == (3, [[1, 2, 3]], "0")
    assert files_of(tmp_path) == ["all.json", "all.jsonl.zst"]


async def test_a_fresh_file_that_is_as_the_old_one_ends_its_increments(site: Site, tmp_path: Path) -> None:
    """Where the server has gone back to what it had, a row that changed in between does not come back."""
    source = growing(site)
    kept_at(site).rows = rows_at(1, 2)
    await land_one(source, tmp_path)
    kept_at(site).rows = rows_at(1, 2, changed=True)
    await land_one(source, tmp_path)
    kept_at(site).rows = rows_at(1, 2)

    await land_one(source, tmp_path, fresh=True)

    assert (await ids_in(tmp_path), files_of(tmp_path)) == ([[1, 2]], ["all.json", "all.jsonl.zst"])


async def test_the_next_plain_run_finishes_a_fresh_one(site: Site, tmp_path: Path) -> None:
    """A --fresh that ended early is gone on with, not an increment added to what it was to replace."""
    source, kept = growing(site, pagination=COUNTED), kept_at(site)
    for values in [range(5), range(7)]:
        kept.rows = rows_at(*values)
        await land_one(source, tmp_path)
    kept.rows, kept.broken_from = rows_at(*range(10, 19)), 3
    with pytest.raises(SourceError):
        await land_one(source, tmp_path, fresh=True)
    before = await ids_in(tmp_path)
    kept.broken_from = NEVER

    landed = await land_one(source, tmp_path)

    assert before == [[1, 2, 3, 4, 5], [5, 6, 7]]
    assert (landed.resumed_from, await ids_in(tmp_path)) == (2, [list(range(1, 10))])
    assert files_of(tmp_path) == ["all.json", "all.jsonl.zst"]


async def test_a_changed_request_starts_over(site: Site, tmp_path: Path) -> None:
    """Rows of other requests are not added to: all is asked for again; the overlap alone changes nothing."""
    kept_at(site).rows = rows_at(1, 5)
    await land_one(growing(site), tmp_path)
    kept_at(site).rows = rows_at(1, 5, 6)
    await land_one(growing(site, overlap=1), tmp_path)

    await land_one(growing(site, params={"order": "id"}), tmp_path)

    assert asked_since(site) == ["0", "4", "0"]
    assert (await ids_in(tmp_path), files_of(tmp_path)) == ([[1, 2, 3]], ["all.json", "all.jsonl.zst"])


async def test_an_increment_goes_on_at_the_page_it_had_reached(site: Site, tmp_path: Path) -> None:
    """A run that ended early in an increment is gone on with: with what it asked for, though larger values have landed since."""
    source, kept = growing(site, pagination=COUNTED), kept_at(site)
    kept.rows = rows_at(1)
    await land_one(source, tmp_path)
    kept.rows, kept.broken_from = rows_at(*range(1, 13)), 3
    with pytest.raises(SourceError):
        await land_one(source, tmp_path)
    kept.broken_from, before = NEVER, len(site.seen)

    landed = await land_one(source, tmp_path)

    assert (landed.resumed_from, len(site.seen) - before) == (2, 12 // LONG_PAGE_ROWS - 2)
    assert (await ids_in(tmp_path), set(asked_since(site)[1:])) == ([[1], list(range(1, 13))], {"1"})
    assert (await asyncio.to_thread(landed_in, tmp_path))[1][2].largest == 12


async def test_each_partition_has_its_own_largest_value(site: Site, tmp_path: Path) -> None:
    """What one partition has come to is nothing to another."""
    source = growing(site, partitions={"part": ["a", "b"]})
    kept_at(site).rows = [*rows_at(1, 9, part="a"), *rows_at(4, part="b")]
    async with open_quietly(source) as client:
        for _ in range(2):
            for number in range(2):
                await land_with(client, job_of(source, tmp_path, number))

    assert sorted(asked_since(site)) == ["0", "0", "4", "9"]
    assert [await ids_in(tmp_path, name) for name in ("part=a", "part=b")] == [[[1, 2], [2]], [[1]]]


@pytest.mark.parametrize("name", ["all+000001.jsonl.zst", "all+000001.json"])
async def test_an_increment_that_is_damaged_is_asked_for_again(site: Site, tmp_path: Path, name: str) -> None:
    """What comes after it does not count either, or its older rows would be taken for the newest."""
    source = growing(site)
    for values in [(1,), (1, 2), (1, 2, 3)]:
        kept_at(site).rows = rows_at(*values)
        await land_one(source, tmp_path)
    await asyncio.to_thread((tmp_path / name).write_bytes, b"")

    await land_one(source, tmp_path)

    assert (asked_since(site)[-1], await ids_in(tmp_path)) == ("1", [[1], [1, 2, 3]])
    assert files_of(tmp_path) == ["all+000001.json", "all+000001.jsonl.zst", "all.json", "all.jsonl.zst"]


async def test_refresh_says_how_often_it_is_asked(site: Site, tmp_path: Path) -> None:
    """An incremental source is asked in every run; with refresh, only where the last rows are as old as it says."""
    kept_at(site).rows = rows_at(1)
    always, daily = growing(site), growing(site, refresh={"after": "24h"})
    at_once = growing(site, refresh={"after": "0s"})
    await land_one(always, tmp_path)

    found: list[Landed | None] = [await find(source, tmp_path) for source in (always, daily, at_once)]

    assert [one is not None for one in found] == [False, True, False]


@pytest.mark.parametrize("fresh", [False, True])
async def test_a_crash_at_any_step_leaves_what_is_landed_right(site: Site, tmp_path: Path, fresh: bool) -> None:
    """Whatever step an increment, or a --fresh, dies before: the next run ends with the newest of every row."""
    source, kept = growing(site, overlap=1, pagination=COUNTED), kept_at(site)
    first, second = rows_at(*range(1, 5)), rows_at(*range(1, 9))
    third = [*second[:7], {"id": 8, "at": 9, "changed": True}]

    async def land_two(folder: Path) -> None:
        for kept.rows in (first, second):
            await land_one(source, folder)
        kept.rows = third

    await land_two(tmp_path / "whole")
    with crashing() as whole:
        await land_one(source, tmp_path / "whole", fresh=fresh)
    found = []
    for step in range(whole.taken):
        folder = tmp_path / f"{step}"
        await land_two(folder)
        with crashing(step):
            await land_one(source, folder, fresh=fresh)
        await land_one(source, folder)
        found.append((await newest_in(folder), [name for name in files_of(folder) if name.startswith(".")]))

    assert whole.taken > 8
    assert found == [({row["id"]: row for row in third}, [])] * whole.taken


async def newest_in(folder: Path) -> dict[int, Any]:
    """Return the last of the rows with each id, as a table keeps it."""
    files = await asyncio.to_thread(list_raw_files, folder, "all")
    return {row["id"]: row for path, _ in files for row in read_rows(path)}


@pytest.mark.parametrize("seed", range(6))
async def test_a_table_is_what_the_server_has_after_any_runs(site: Site, tmp_path: Path, seed: int) -> None:
    """Rows come, change, come late within the overlap; runs die at any step, or begin anew: the table is what the server has."""
    draw = random.Random(seed)
    source, kept = growing(site, "2024-01-01", "3s", pagination=COUNTED), kept_at(site)
    folder = DataFolder(tmp_path).raw("rows")
    rows: dict[int, dict[str, Any]] = {}
    for clock in range(10, 50, 4):
        for _ in range(draw.randrange(5)):
            number = draw.randrange(12)
            moment = f"2024-01-01T00:00:{clock - draw.randrange(3):02}Z"
            rows[number] = {"id": number, "at": moment, "value": draw.randrange(100)}
        kept.rows = sorted(rows.values(), key=lambda row: str(row["at"]))
        with crashing(draw.choice([None, draw.randrange(20)])):
            await land_one(source, folder, fresh=draw.random() < 0.2)
    await land_one(source, folder)

    await asyncio.to_thread(make_table, tmp_path, source)

    table = await asyncio.to_thread(read_table, tmp_path)
    assert {row["id"]: row["value"] for row in table} == {number: row["value"] for number, row in rows.items()}
    assert len(table) == len(rows)
    assert [path.name for path in folder.iterdir() if path.name.startswith(".")] == []


LATER = "9999-12-31T00:00:00Z"
DAYS = ["2024-01-01T00:00:00Z", "2024-01-03T00:00:00Z", "2024-01-02T00:00:00Z"]


@pytest.mark.parametrize(
    ("start", "values", "later"),
    [
        ("2024-01-01", [DAYS[0], LATER, DAYS[1], DAYS[2]], LATER),
        ("2024-01-01", [DAYS[1], "9999-12-31"], "9999-12-31"),
        (0, [5, 2**31 - 1, 3], 2**31 - 1),
        (0, [1_700_000_000_000, 253_402_300_799_000], 253_402_300_799_000),
    ],
)
async def test_a_value_later_than_now_does_not_move_what_is_asked_for(
    site: Site, tmp_path: Path, start: Scalar, values: list[Any], later: Any
) -> None:
    """A record that is valid for ever is landed and told of, and what comes later is still asked for."""
    kept_at(site).rows = rows_at(*values)
    source, right = growing(site, start), max(value for value in values if value != later)

    first = await land_one(source, tmp_path)
    second = await land_one(source, tmp_path)

    assert (first.rows, unquote_plus(asked_since(site)[1])) == (len(values), str(right))
    for landed in (first, second):
        (warning,) = landed.warnings
        assert warning.startswith(f"incremental.field: 'at' is {later!r} in a record, which is later than now")


async def test_values_that_are_all_later_than_now_are_asked_for_from_the_start(site: Site, tmp_path: Path) -> None:
    """Then there is nothing to ask on from: each run asks for all, and it is no error."""
    kept_at(site).rows = rows_at(LATER)
    source = growing(site, "2024-01-01")

    landed = [await land_one(source, tmp_path) for _ in range(2)]

    assert asked_since(site) == ["2024-01-01"] * 2
    assert [len(one.warnings) for one in landed] == [1, 1]


async def test_what_had_stopped_at_a_value_later_than_now_goes_on(site: Site, tmp_path: Path) -> None:
    """A partition that was landed when such a value still counted is asked on from the largest value before."""
    source, kept = growing(site, "2024-01-01"), kept_at(site)
    kept.rows = rows_at(DAYS[0])
    await land_one(source, tmp_path)
    kept.rows = rows_at(DAYS[0], DAYS[2])
    await land_one(source, tmp_path)
    path, manifest = (await asyncio.to_thread(list_raw_files, tmp_path, "all"))[-1]
    await asyncio.to_thread(commit_manifest, path, replace(manifest, largest=LATER))
    kept.rows = rows_at(DAYS[0], DAYS[2], DAYS[1])

    landed = await land_one(source, tmp_path)

    assert unquote_plus(asked_since(site)[-1]) == DAYS[0]
    assert {
        row["id"] for path, _ in await asyncio.to_thread(list_raw_files, tmp_path, "all") for row in read_rows(path)
    } == {1, 2, 3}
    assert landed.requests == 1
