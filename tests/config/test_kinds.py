"""Parts of the pipeline file of which one key says the kind, also such as come from outside."""

from __future__ import annotations

from typing import Annotated, Literal

import pytest
from pydantic import ValidationError

from tasks.config import kinds
from tasks.config.base import MODELS, ConfigModel
from tasks.config.kinds import Kinds, add_extensions
from tasks.core.registry import REGISTRIES

HERE = __name__


class Shape(ConfigModel):
    """What shapes have in common."""


class Square(Shape):
    """A kind that is known."""

    kind: Literal["square"] = "square"
    """Kind of shape."""
    side: float = 1
    """Length of a side."""


class Circle(Shape):
    """A kind from outside."""

    kind: Literal["circle"] = "circle"
    """Kind of shape."""
    radius: float = 1
    """From the middle to the line."""


SHAPES = Kinds("tidemill.shapes", f"{HERE}:Shape", {"square": f"{HERE}:Square"})
REGISTRIES.remove(SHAPES)


class Drawing(ConfigModel):
    """What holds a shape."""

    shape: Annotated[Shape, SHAPES] = Square()
    """Any of them."""


class Book(ConfigModel):
    """What holds what holds a shape."""

    drawings: dict[str, Drawing]
    """By name."""


@pytest.fixture(autouse=True)
def _forgotten() -> object:
    """Take the test's kind away again."""
    REGISTRIES.append(SHAPES)
    yield
    REGISTRIES.remove(SHAPES)
    SHAPES.kinds.pop("circle", None)
    kinds._added.clear()
    for model in MODELS:
        model.model_rebuild(force=True)


def test_a_kind_from_outside_is_taken_where_ours_are() -> None:
    """Also by what holds what holds it, and in the schema from which the UI makes its form."""
    drawing = {"drawings": {"one": {"shape": {"kind": "circle", "radius": 2}}}}
    with pytest.raises(ValidationError, match="does not match any of the expected tags: 'square'"):
        Book.model_validate(drawing)

    add_extensions([f"{HERE}:Circle"])

    assert Book.model_validate(drawing).drawings["one"].shape == Circle(radius=2)
    assert "Circle" in Book.model_json_schema()["$defs"]


def test_an_unknown_key_of_a_kind_is_a_mistake() -> None:
    """Each has its own keys."""
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        Book.model_validate({"drawings": {"one": {"shape": {"kind": "square", "radius": 2}}}})
