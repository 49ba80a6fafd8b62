"""A table of a source whose records have become private leaves no version behind in which they are not."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq

from tests.convert.conftest import api_source, land, make_table


def texts_of(root: Path) -> str:
    """Return the rows of all versions of all tables."""
    return str([pq.read_table(path).to_pylist() for path in sorted(root.rglob("*.parquet"))])


def test_the_version_before_goes_where_it_holds_what_is_private(tmp_path: Path) -> None:
    """Readers that had begun on it have to begin again; later versions stay as ever."""
    open_source, private = api_source("EWR", key=[]), api_source("EWR", key=[], privacy={"drop": ["email"]})
    land(tmp_path, open_source, "origin=EWR", '{"id": 1, "email": "planted"}')
    make_table(tmp_path, open_source)
    land(tmp_path, private, "origin=EWR", '{"id": 1}')

    before = texts_of(tmp_path)
    make_table(tmp_path, private)
    after = texts_of(tmp_path)
    land(tmp_path, private, "origin=EWR", '{"id": 2}')
    make_table(tmp_path, private)

    assert ("planted" in before, "planted" in after) == (True, False)
    assert [path.name for path in sorted((tmp_path / ".tables" / "rows").glob("0*"))] == ["000002", "000003"]
