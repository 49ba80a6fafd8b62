"""Children: the partitions that a source was fetched with are known again from what is kept of them."""

from __future__ import annotations

import math
from pathlib import Path

from tasks.config import ApiSource, Child
from tasks.raw.children import keep_children, with_kept_children
from tasks.raw.partitions import list_partitions


def test_what_is_taken_of_a_parent_may_be_no_number(tmp_path: Path) -> None:
    """A column of a parent's table may hold NaN and infinities, and the children are those that were fetched."""
    parent = {"from": "orders", "column": "id", "take": {"total": "total"}}
    source = ApiSource.model_validate({"url": "http://127.0.0.1/{id}", "partitions": {"id": parent}})
    fetched = [Child("1", (("total", math.nan),)), Child("2", (("total", -math.inf),))]

    keep_children(source.with_children({"id": fetched}), tmp_path)
    known = with_kept_children(source, tmp_path)

    assert known is not None
    assert str([each.taken for each in list_partitions(known)]) == "[(('total', nan),), (('total', -inf),)]"
