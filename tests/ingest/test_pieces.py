"""Large answers landed in pieces: the same rows and doubts as whole, and nothing of one that breaks off."""

from __future__ import annotations

import asyncio
import gzip
import json
import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from flows.ingest import ingest
from tasks.config import Pipeline
from tasks.core.errors import PermanentSourceError
from tasks.ingest.api import bodies
from tasks.ingest.landing import land
from tasks.ingest.tasks import PARTITIONS_AT_ONCE
from tests.ingest.sources import api, land_one, read_landed, read_rows
from tests.site.server import Site

ROWS = [{"id": number, "of": {"x": [number]}} for number in range(50)]
LIST = json.dumps(ROWS).encode()
SINGLE: dict[str, Any] = {"pagination": {"kind": "single"}, "records_at": None}


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take few bytes for much."""
    monkeypatch.setattr(bodies, "_LARGE", 0)
    monkeypatch.setattr(bodies, "_LARGE_GZIP", 0)
    monkeypatch.setattr(bodies, "_PIECE_BYTES", 100)
    monkeypatch.setattr(land, "GROUP_BYTES", 200)


async def land_body(site: Site, body: bytes, folder: Path, kind: str = "application/json", **changes: Any) -> Any:
    """Land one answer, and return what became of it."""
    site.echo, site.echo_body = kind, body
    return await land_one(api(site, "/echo/typed", **SINGLE | changes), folder)


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize(
    ("around", "path"), [(b"%s", None), (b'{"meta": {"a": 1}, "data": {"items": %s}, "z": [1]}', "data.items")]
)
async def test_rows_are_those_of_the_whole(
    site: Site, tmp_path: Path, around: bytes, path: str | None, pack: Any
) -> None:
    """The list at the top, or at a path, is landed piece by piece, packed or not."""
    landed = await land_body(site, pack(around % LIST), tmp_path, records_at=path)

    assert (read_rows(landed.path), landed.pages, landed.warnings) == (ROWS, 1, ())


@pytest.mark.parametrize(
    ("body", "rows"),
    [
        (b'{"id": 1}', [{"id": 1}]),
        (b"null", []),
        (b"[]", []),
        (b'{"id": 1}\n{"id": 2}', [{"id": 1}, {"id": 2}]),
        ('[{"id": "\u017e"}]'.encode("utf-16"), [{"id": "\u017e"}]),
        (b"[[1, 2], [3, 4], [5, 6]]", [{"col0": 1, "col1": 2}, {"col0": 3, "col1": 4}, {"col0": 5, "col1": 6}]),
    ],
)
async def test_what_is_no_list_in_utf_8_is_read_whole(site: Site, tmp_path: Path, body: bytes, rows: list[Any]) -> None:
    """One record, lines, another encoding: they are read as small answers are."""
    assert read_rows((await land_body(site, body, tmp_path)).path) == rows


@pytest.mark.parametrize(
    ("body", "records_at", "sentence"),
    [
        (b'{"items": %s, "total": 99}' % LIST, "items", r"the answer says there is more \(total: 99\)"),
        (
            b'{"errors": ["no"], "data": {"items": %s}}' % LIST,
            "data.items",
            r"the answer has rows, and errors: \['no'\]",
        ),
    ],
)
async def test_what_is_around_the_rows_is_told(
    site: Site, tmp_path: Path, body: bytes, records_at: str, sentence: str
) -> None:
    """What the answer says of more rows, or of errors, is found before and behind the list."""
    landed = await land_body(site, body, tmp_path, records_at=records_at)

    assert landed.rows == len(ROWS)
    assert re.search(sentence, " ".join(landed.warnings))


async def test_a_pair_of_an_object_and_a_list_is_still_told(site: Site, tmp_path: Path) -> None:
    """A list of two is looked at whole: the second may be the records."""
    with pytest.raises(PermanentSourceError, match="the body is an object and a list of 50 objects"):
        await land_body(site, b'[{"pages": 1}, %s]' % LIST, tmp_path)


@pytest.mark.parametrize("changes", [{}, {"answer": {"kind": "xml", "records": "//a"}}])
async def test_nothing_of_an_answer_that_breaks_off_is_kept(
    site: Site, tmp_path: Path, changes: dict[str, Any]
) -> None:
    """Pieces that are written already are no rows; the next run has each row once."""
    with pytest.raises(PermanentSourceError, match="the body cannot be read as answer"):
        await land_body(site, LIST[:-20], tmp_path, **changes)
    assert await asyncio.to_thread(lambda: [path.name for path in tmp_path.rglob("*")]) == []

    landed = await land_body(site, LIST, tmp_path)

    assert read_rows(landed.path) == ROWS


async def test_pieces_of_a_run_that_was_killed_are_no_rows(site: Site, tmp_path: Path) -> None:
    """They lie without a checkpoint, and the next run begins anew."""
    left = tmp_path / ".all.jsonl.zst.landing"
    await asyncio.to_thread(left.write_bytes, pa.compress(LIST, codec="zstd", asbytes=True) * 3)

    landed = await land_body(site, LIST, tmp_path)

    assert (read_rows(landed.path), await asyncio.to_thread(left.exists)) == (ROWS, False)


async def test_a_job_is_kept_where_its_file_breaks_off(site: Site, tmp_path: Path) -> None:
    """Pieces of its file are behind the checkpoint that tells of it, and are cut off by the run that goes on."""
    job = {"id_at": "job.id", "poll": {"header": "Location", "every": "0.01s"}}
    order = {"method": "POST", "job": job, "answer": {"kind": "csv"}, **SINGLE}
    source = api(site, "/jobs/breaks-off-first", **order)

    with pytest.raises(PermanentSourceError, match="a quote that opens in line 102 is not closed"):
        await land_one(source, tmp_path)
    landed = await land_one(source, tmp_path)

    assert [row["id"] for row in read_rows(landed.path)] == [str(number) for number in range(100)]
    assert sum(seen.method == "POST" for seen in site.seen) == 1


async def test_an_increment_in_pieces_is_asked_for_from_its_largest(site: Site, tmp_path: Path) -> None:
    """The largest value of all pieces is kept with them."""
    growing: dict[str, Any] = {"key": ["id"], "incremental": {"field": "id", "param": "since", "start": 0}}
    await land_body(site, LIST, tmp_path, **growing)

    await land_body(site, b"[]", tmp_path, **growing)

    assert site.paths == ["/echo/typed?since=0", "/echo/typed?since=49"]


@pytest.mark.flow
@pytest.mark.usefixtures("prefect_server")
async def test_a_partition_in_pieces_lies_in_no_pack(site: Site, tmp_path: Path) -> None:
    """Where small ones do: its last piece is not all of it."""
    site.echo, site.echo_body = "application/json", LIST
    parts = {"n": {"range": [1, PARTITIONS_AT_ONCE + 1]}}
    config = Pipeline(name="pieces", sources={"many": api(site, "/echo/typed", partitions=parts, **SINGLE)})

    await ingest(config, tmp_path)

    landed = await asyncio.to_thread(read_landed, tmp_path / "raw" / "many")
    assert list(landed.values()) == [ROWS] * (PARTITIONS_AT_ONCE + 1)
    assert not await asyncio.to_thread(lambda: list((tmp_path / "raw" / "many").glob("pack-*")))
