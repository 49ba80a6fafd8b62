"""The truth of past predictions: where it is found once it is known, and when it counts."""

from __future__ import annotations

from pydantic import field_validator

from tasks.config.base import ConfigModel, Duration, Query
from tasks.config.checks import Columns


class Truth(ConfigModel):
    """How outcomes that become known later are joined with what was predicted. See [the truth](models.md#when-the-truth-arrives)."""

    query: Query
    """SQL (DuckDB) over the tables, or the name of a table, that gives the key and, under the name of the target, the outcome of each; in a pipeline file, the name of a .sql file beside it."""
    key: Columns
    """Column, or columns, that identify what was predicted, in the predicted rows and in the result of the query."""
    delay: Duration
    """Age from which a prediction counts, as outcomes are known by then: one that counted as soon as its outcome is there would have the score made of fast outcomes; 0s for those known at once."""

    @field_validator("key")
    @classmethod
    def _name_a_column_once(cls, key: tuple[str, ...]) -> tuple[str, ...]:
        if twice := next((name for name in key if key.count(name) > 1), None):
            raise ValueError(f"key has {twice!r} twice; take one of them out")
        return key
