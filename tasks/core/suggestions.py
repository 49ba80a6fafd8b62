"""The cure for a name that nothing has: the nearest one that something has, or all there are."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def nearest(name: object, names: Iterable[str]) -> str | None:
    """Return the known name that is most like another; None where none is."""
    return next(iter(get_close_matches(str(name), list(names), n=1)), None)


def did_you_mean(name: object, known: Iterable[str], otherwise: str | None = None) -> str:
    """Return the nearest of the known names as a question; where none is near, `otherwise`, or all of them.

    >>> did_you_mean("colour", ["color", "size"])
    'did you mean color?'
    >>> did_you_mean("weight", ["color", "size"])
    'there are color, size'

    """
    names = list(known)
    near = nearest(name, names)
    if near is not None:
        return f"did you mean {near}?"
    return f"there are {', '.join(names)}" if otherwise is None else otherwise
