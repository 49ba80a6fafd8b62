"""Rows of other sources as partitions: whose table they may be of."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.config.files import mistakes_of


@pytest.mark.parametrize(
    ("parent", "mistake"),
    [
        ("orders", "sources.items.partitions.id.from: no source has the table 'orders'; did you mean order?"),
        (
            "joined",
            "sources.items.partitions.id.from: joined is made of other tables once all is fetched; name the table of a source",
        ),
        (
            "parts",
            "sources.items.partitions: items -> parts -> items is a circle, in which each is fetched once the one before is; take one of them out",
        ),
    ],
)
def test_a_wrong_parent_of_partitions_is_told(file: Path, parent: str, mistake: str) -> None:
    """It is no table, one that is made when all is fetched, or in a circle."""
    text = f"""
name: parents
sources:
  order: {{kind: api, url: http://127.0.0.1/orders}}
  items: {{kind: api, url: "http://127.0.0.1/{{id}}", partitions: {{id: {{from: {parent}, column: id}}}}}}
  parts: {{kind: api, url: "http://127.0.0.1/{{id}}", partitions: {{id: {{from: items, column: id}}}}}}
tables:
  joined: {{query: SELECT 1 AS id}}
"""

    assert mistakes_of(file, text) == [mistake]
