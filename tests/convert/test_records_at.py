"""Where the records of a JSON document lie: by the same paths as in the body of an answer."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.convert.conftest import files_source, make_table, read_rows, write_files

DOCUMENT = {"x.y": {"items": [{"id": 1}]}, "@graph.all": [{"id": 2}], "lists": [[], [{"id": 3}]]}


@pytest.mark.parametrize(("path", "found"), [('"x.y".items', 1), ("@graph.all", 2), ("lists.1", 3)])
def test_records_lie_under_any_name(tmp_path: Path, path: str, found: int) -> None:
    """A name with a dot stands in quotes, or is all that is left of the path; a number is a place in a list."""
    write_files(tmp_path, a_json=json.dumps(DOCUMENT))

    make_table(tmp_path, files_source(read={"records_at": path}))

    assert read_rows(tmp_path) == [{"id": found}]
