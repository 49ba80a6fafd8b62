"""Classes of a target, as a pipeline file writes them."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, JsonValue

Label = bool | int | float | str
"""One class of a target, as a pipeline file writes it."""


def write_label(label: Label) -> str:
    """Return a class as texts have it: true, 1 (also of 1.0), fraud."""
    if isinstance(label, bool):
        return str(label).lower()
    return str(int(label)) if isinstance(label, float) and label.is_integer() else str(label)


def _with_text_keys(value: Any) -> Any:
    """Return a value in which keys like 0 and true, which are classes of a target, are texts, as JSON has them."""
    if isinstance(value, dict):
        return {
            write_label(key) if isinstance(key, Label) else key: _with_text_keys(inner) for key, inner in value.items()
        }
    return [_with_text_keys(inner) for inner in value] if isinstance(value, list) else value


ParamValue = Annotated[JsonValue, BeforeValidator(_with_text_keys)]
"""A value of a parameter; keys that are classes may be written as the target has them: {0: 1, 1: 10}."""
