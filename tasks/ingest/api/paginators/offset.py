"""Pages that are asked for by the number of rows before them."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from tasks.config.base import NonEmpty
from tasks.config.pagination import NumberedPagination


class OffsetPagination(NumberedPagination):
    """Pages that are asked for by the number of rows before them; where nobody counts the rows, one is tried within the first page."""

    passes_over_rows: ClassVar[bool] = True

    kind: Literal["offset"] = "offset"
    """Kind of pagination."""
    param: NonEmpty = "offset"
    """Parameter that takes the number of rows to pass over."""
    start: Annotated[int, Field(ge=0)] = 0
    """Offset of the first page."""
    size_param: NonEmpty | None = "limit"
    """Parameter that takes the page size; null where the server has a size of its own."""
    size: Annotated[int, Field(ge=1)] | None = 100
    """Rows of a full page."""

    @model_validator(mode="after")
    def _has_size(self) -> OffsetPagination:
        if self.size is None:
            raise ValueError("size says where the next page begins; add size: 100, or what the server gives")
        return self

    def number(self, index: int) -> int:
        """Return the number of rows before a page."""
        return self.start + index * (self.size or 0)
