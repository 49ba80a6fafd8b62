"""What convert promises of values: each row of a table is one that was written, and of a key the right one."""

from __future__ import annotations

import csv
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.convert.conftest import PROPERTY, files_source, make_table, read_rows

TEXTS = ["a", "b c", "ab,c", "ab;c", 'say "hi"', '"', "two\nlines", "1,5", "1.234", "007", "NA", "ä€", "x" * 50]
ROWS = st.lists(
    st.tuples(
        st.integers(0, 4),
        st.sampled_from(["p", "q", "r/s"]),
        st.none() | st.integers(-(2**63), 2**63 - 1),
        st.none() | st.sampled_from(TEXTS),
    ),
    min_size=1,
    max_size=12,
)
NAMES = ["id", "part", "x", "text"]
COLUMNS = {"id": "int", "part": "string", "x": "int", "text": "string"}


def kept_of(rows: list[tuple[Any, ...]], keep: str | None) -> list[tuple[Any, ...]]:
    """Return the rows that stay: of each key the first or the last, all without a key."""
    if keep is None:
        return rows
    found: dict[int, tuple[Any, ...]] = {}
    for row in rows if keep == "last" else reversed(rows):
        found[row[0]] = row
    return list(found.values())


@settings(PROPERTY, max_examples=30)
@given(
    files=st.lists(ROWS, min_size=1, max_size=3),
    at_once=st.booleans(),
    keep=st.sampled_from([None, "first", "last"]),
    sort_by=st.sampled_from([[], ["x"], ["text", "id"]]),
    partition_by=st.sampled_from([[], ["part"]]),
    delimiter=st.sampled_from([",", ";"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
)
@pytest.mark.parametrize("declared", [True, False])
def test_every_row_is_as_it_was_written(  # noqa: PLR0913, PLR0917 - what a table may be declared to be
    declared: bool,
    files: list[list[tuple[Any, ...]]],
    at_once: bool,
    keep: str | None,
    sort_by: list[str],
    partition_by: list[str],
    delimiter: str,
    quoting: int,
) -> None:
    """In one run or in several, sorted and partitioned, with a key or without; nothing is refused."""
    key: dict[str, Any] = {} if keep is None else {"key": ["id"], "keep": keep}
    table_options = {"sort_by": sort_by, "partition_by": partition_by}
    columns = COLUMNS if declared else {"text": "string", "x": "int"}
    source = files_source(columns=columns, table=table_options, read={"decimal": "."}, **key)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "inbox").mkdir()
        for number, rows in enumerate(files):
            with (root / "inbox" / f"{number}.csv").open("w", newline="") as file:
                csv.writer(file, delimiter=delimiter, quoting=quoting).writerows([NAMES, *rows])  # type: ignore[arg-type]
            if not at_once:
                make_table(root, source)
        table = make_table(root, source)
        written = [row for rows in files for row in rows]

        found = [tuple(row[name] for name in NAMES) for row in read_rows(root)]

        assert sorted(found, key=repr) == sorted(kept_of(written, keep), key=repr)
        assert table.rows_received == len(written) == len(found) + table.rows_duplicate
