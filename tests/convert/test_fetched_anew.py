"""Rows that were lost and came anew: how many differ from those in the table is told."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tasks.config import ApiSource
from tasks.convert.table.commit import commit_table
from tasks.convert.table.conversion import draft_table
from tasks.convert.table.inbox import warn_of_changed_rows
from tasks.convert.table.job import make_job
from tasks.convert.table.state import find_changed, open_table
from tasks.convert.tasks import convert_files
from tasks.core.storage import DataFolder
from tests.convert.conftest import api_source, land, make_table

LINES = ['{"id": 1, "x": 1}', '{"id": 2, "x": 2}', '{"id": 3, "x": null}']
CHANGED = ['{"id": 1, "x": 1}', '{"id": 2, "x": 2.5}', '{"id": 3, "x": null}', '{"id": 4, "x": 4}']


def tell(root: Path, source: ApiSource) -> tuple[str, ...]:
    """Make the table, and return what is told of rows that came anew."""
    job = make_job("rows", source, DataFolder(root), allow_partial=False)
    manifest = open_table(job, fresh=False)
    changed = find_changed(job, manifest)
    draft = asyncio.run(draft_table(job, manifest, changed, convert_files.fn))
    told = warn_of_changed_rows(draft, manifest, changed)
    commit_table(draft)
    return told


@pytest.mark.parametrize(
    ("lines", "settings", "told"),
    [
        (["{}"], {}, None),
        (LINES[::-1], {}, ()),
        (CHANGED, {"refresh": {"after": "1d"}}, ()),
        (
            CHANGED,
            {},
            (
                "raw/rows/origin=JFK.jsonl.zst came anew and the source has changed meanwhile: 1 of 3 rows are no "
                "longer as they were, and 2 are new; what was fetched at another time stands beside them",
            ),
        ),
    ],
    ids=["a new table", "the same rows", "as is asked for", "other rows"],
)
def test_rows_that_differ_are_counted(
    tmp_path: Path, lines: list[str], settings: dict[str, Any], told: tuple[str, ...] | None
) -> None:
    """Rows are compared by their values, whatever their order; where a source is fetched again on purpose nothing is told."""
    source = api_source("EWR", "JFK", key=[], **settings)
    land(tmp_path, source, "origin=EWR", '{"id": 9, "x": 1}')
    land(tmp_path, source, "origin=JFK", *LINES)
    if told is not None:
        make_table(tmp_path, source)
        land(tmp_path, source, "origin=JFK", *lines)

    assert tell(tmp_path, source) == (told or ())
