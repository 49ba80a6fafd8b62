"""Tables made of other tables, by SQL or by a function of one's own."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from tasks.config.base import ConfigModel, Name, NonEmpty, is_trusted
from tasks.config.checks import DeclaredCheck

FUNCTION_PATTERN = r"^[^:]+:[A-Za-z_][A-Za-z0-9_]*$"


class MadeTable(ConfigModel):
    """A table made of other tables: by a query, or by a function."""

    query: NonEmpty | None = None
    """SQL (DuckDB) over sources and other tables by their names; in a pipeline file, the name of a .sql file beside it."""
    python: Annotated[str, Field(pattern=FUNCTION_PATTERN)] | None = None
    """Function module:name that is given the inputs by their names, - as _, and returns a DataFrame or an Arrow table; the module is one that can be imported, or lies beside the pipeline file."""
    inputs: tuple[Name, ...] = ()
    """Tables that the function is given; those of a query are told by its text."""
    frames: Literal["pandas", "arrow"] = "pandas"
    """What the function is given: DataFrames, or Arrow tables."""
    key: tuple[NonEmpty, ...] = ()
    """Columns that identify a row; two rows with the same key are an error, for nothing tells which is right."""
    partition_by: tuple[NonEmpty, ...] = ()
    """Columns by whose values rows lie in folders and parts of their own."""
    sort_by: tuple[NonEmpty, ...] = ()
    """Columns by which the rows of each part are sorted; rows that are alike there by the other columns, from the left."""
    checks: tuple[DeclaredCheck, ...] = ()
    """What must hold of the table, e.g. [{not_null: [id]}, {min_rows: 100, on_fail: warn}]."""
    time_limit_s: Annotated[float, Field(gt=0, le=7 * 24 * 3600)] = 3600
    """Seconds that making it may take."""
    memory_limit_mb: Annotated[int, Field(ge=64)] | None = None
    """Memory in MiB: a query spills to the data folder's disk beyond it, a function is killed; without it, half of what the machine has, and for a function all."""

    @model_validator(mode="after")
    def _is_made_in_one_way(self) -> Self:
        if (self.query is None) == (self.python is None):
            raise ValueError("a table is made by query or by python; write one of them")
        if self.python is None and (self.inputs or self.frames != "pandas"):
            raise ValueError(
                "inputs and frames are of python; the tables of a query are told by its text: take them out"
            )
        if self.python is not None and not self.inputs:
            raise ValueError("python needs inputs, the tables that the function is given; add inputs: [table]")
        if len({each.replace("-", "_") for each in self.inputs}) < len(self.inputs):
            raise ValueError(f"two of the inputs {', '.join(self.inputs)} have one name as arguments; take one out")
        if self.python is not None and not is_trusted("function", self.python):
            raise ValueError(
                f"{self.python!r} is run from a pipeline file on disk alone; give the path of the file instead"
            )
        return self
