"""Tables: what is asked of the table that a source's rows become."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from tasks.spec.base import NonEmpty, Part

Count = Annotated[int, Field(ge=0)]
Share = Annotated[float, Field(ge=0, lt=1)]


class TableOptions(Part):
    """How the rows of a source become a table."""

    contract: Literal["evolve", "freeze"] = "evolve"
    """evolve: new columns are added, and types widened; freeze: a row that does not fit the table as it is becomes a reject."""
    max_rejects: Count | Share | None = 0.5
    """More rejects than this number, or than this share of the rows (below 1), are an error, and the table stays as it was; null: as many as come, as long as one row is none."""
    warn_rejects: Count | Share | None = 0.05
    """More rejects than this number, or than this share of the rows (below 1), are a warning; null: none is told."""
    clean_names: bool = False
    """Whether names of columns are made plain: Unit Price becomes unit_price."""
    provenance: bool = False
    """Whether each row tells the file and the line it came from, in columns _file and _line."""
    partition_by: tuple[NonEmpty, ...] = ()
    """Columns by whose values rows lie in folders and parts of their own, e.g. [country]: country-DE/…; readers that look for one value skip the parts of others."""
    sort_by: tuple[NonEmpty, ...] = ()
    """Columns by which the rows of each part are sorted, so that readers can skip what they do not look for."""
