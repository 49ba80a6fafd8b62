"""Classes of a target, as a pipeline file writes them."""

from __future__ import annotations

Label = bool | int | float | str
"""One class of a target, as a pipeline file writes it."""


def write_label(label: Label) -> str:
    """Return a class as texts have it: true, 1 (also of 1.0), fraud."""
    if isinstance(label, bool):
        return str(label).lower()
    return str(int(label)) if isinstance(label, float) and label.is_integer() else str(label)
