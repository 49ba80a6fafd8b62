"""What ingest found doubtful of raw files is known to convert, also where it runs alone."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from flows.recorder import RunRecorder
from tasks.config import ApiSource
from tasks.core.errors import TableError
from tasks.raw.files import commit_manifest, read_manifest
from tests.convert.conftest import api_source, land, make_table, read_rows
from tests.flows.conftest import ended_with

BODY = {"kind": "cursor", "cursor_at": "next"}
HEADER = {"kind": "link_header"}
WHY = "GET http://127.0.0.1/rows: pagination.cursor_at: 'next' is in no answer; correct cursor_at"


def land_doubtful(root: Path, source: ApiSource, part: str, *, why: str | None = WHY, pages: int = 1) -> None:
    """Land a partition of one row of which ingest has something to tell."""
    raw = land(root, source, part, f'{{"id": "{part}"}}')
    manifest = read_manifest(raw)
    assert manifest is not None
    commit_manifest(raw, replace(manifest, warnings=("a page came twice",), unproven=why, pages=pages))


def test_what_ingest_told_of_rows_is_told_again(tmp_path: Path) -> None:
    """Once for all partitions of which it was said, when the table is made and when nothing is new."""
    source = api_source("a", "b")
    for part in ("origin=a", "origin=b"):
        land_doubtful(tmp_path, source, part, why=None)

    first, again = make_table(tmp_path, source), make_table(tmp_path, source)

    assert first.warnings == ["source rows, partition origin=a and 1 more: a page came twice"]
    assert again.warnings == first.warnings


async def test_a_run_of_convert_alone_tells_what_ingest_told(tmp_path: Path) -> None:
    """It stands among the warnings of the run's summary."""
    source = api_source()
    await asyncio.to_thread(land_doubtful, tmp_path, source, "all", why=None)

    record = RunRecorder("p", tmp_path)
    await record.add("convert", ended_with, [await asyncio.to_thread(make_table, tmp_path, source)])

    assert record.summary(None).warnings == ["source rows, partition all: a page came twice"]


def test_rows_that_may_not_be_all_are_no_table(tmp_path: Path) -> None:
    """What ingest refused is refused in ingest's words."""
    source = api_source("a", "b", pagination=BODY)
    for part in ("origin=a", "origin=b"):
        land_doubtful(tmp_path, source, part)

    with pytest.raises(TableError, match=r"partition origin=a and 1 more: GET .*'next' is in no answer"):
        make_table(tmp_path, source)

    assert not (tmp_path / "tables").exists()


def test_another_partition_shows_that_rows_are_all(tmp_path: Path) -> None:
    """Where one has turned the page, one that names no next is whole."""
    source = api_source("a", "b", pagination=BODY)
    land_doubtful(tmp_path, source, "origin=a")
    land_doubtful(tmp_path, source, "origin=b", why=None, pages=2)

    table = make_table(tmp_path, source)

    assert (table.rows_table, len(table.warnings)) == (2, 1)


def test_partial_data_leave_out_what_may_not_be_all(tmp_path: Path) -> None:
    """The partitions that are refused give no row, and are told; where there are no others it is an error all the same."""
    source = api_source("a", "b", pagination=BODY | {"size": 10})
    land_doubtful(tmp_path, source, "origin=a")
    with pytest.raises(TableError, match="is in no answer"):
        make_table(tmp_path, source, allow_partial=True)
    land_doubtful(tmp_path, source, "origin=b", why=None)

    table = make_table(tmp_path, source, allow_partial=True)

    assert [row["id"] for row in read_rows(tmp_path)] == ["origin=b"]
    assert f"source rows, partition origin=a: {WHY}" in table.warnings


def test_a_header_that_is_not_there_is_told_of(tmp_path: Path) -> None:
    """Servers leave it out of the last page: the rows are taken, with a warning."""
    source = api_source(pagination=HEADER)
    land_doubtful(tmp_path, source, "all", why="no answer has the header 'Link'")

    table = make_table(tmp_path, source)

    assert table.rows_table == 1
    assert "source rows, partition all: no answer has the header 'Link'" in table.warnings
