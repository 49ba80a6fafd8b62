"""What every part of a pipeline file has in common."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

NAME_PATTERN = r"^[a-z][a-z0-9_-]*$"

Name = Annotated[str, Field(pattern=NAME_PATTERN, max_length=64)]
"""A name that is also a folder, a SQL view and part of a Prefect artifact key."""


class Part(BaseModel):
    """A part of a pipeline: frozen, and a key it does not know is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)
