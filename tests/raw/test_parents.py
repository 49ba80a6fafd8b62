"""Children as a parent's table tells of them: each value once, as requests have it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.config import ApiSource
from tasks.core.errors import QueryError
from tasks.core.storage import DataFolder
from tasks.raw.parents import find_children
from tasks.raw.partitions import list_partitions

SOURCE = ApiSource.model_validate({"url": "http://x/{id}", "partitions": {"id": {"from": "orders", "column": "id"}}})


def children_of(folder: Path, values: pa.Array) -> tuple[list[Any], list[str]]:
    """Return the values of the children of a table, and what is told of them."""
    table = folder / "tables" / "orders"
    table.mkdir(parents=True)
    pq.write_table(pa.table({"id": values}), table / "a.parquet")
    known, told = find_children("items", SOURCE, DataFolder(folder))
    return [dict(partition.values)["id"] for partition in list_partitions(known)], told


def test_numbers_with_a_point_are_whole_where_they_can_be(tmp_path: Path) -> None:
    """An id of a column with a gap may be 1.0: it is asked for as 1, each once; a null and NaN are no child, and counted."""
    values = pa.array([1.0, None, 2.0, 1.0, float("nan"), 2.5, -0.0])

    found, told = children_of(tmp_path, values)

    assert [(value, type(value)) for value in found] == [(0, int), (1, int), (2, int), (2.5, float)]
    assert told == ["partitions.id: 2 rows of orders without id, and so without a partition"]


@pytest.mark.parametrize("value", [2.0**53, -1e20, float("inf")])
def test_a_number_that_has_lost_digits_is_refused(tmp_path: Path, value: float) -> None:
    """Another thing than was meant would be asked for; the message has the cure."""
    with pytest.raises(QueryError, match=r"partitions.id.column: id of orders has .*{type: int}"):
        children_of(tmp_path, pa.array([1.0, value]))
