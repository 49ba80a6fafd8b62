"""The errors: one tree, drawn once, that crosses process borders."""

from __future__ import annotations

import pickle

import pytest

from tasks.core import errors
from tasks.core.errors import ConfigError, StageError, TidemillError

CLASSES = [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, TidemillError)]


def test_the_tree_in_the_docstring_is_that_of_the_classes() -> None:
    """Every class is drawn beneath its parent, and nothing else is."""
    drawn: dict[str, str] = {}
    above: list[tuple[int, str]] = []
    for line in str(errors.__doc__).splitlines():
        name = next((word for word in line.split() if word.endswith("Error")), None)
        if name and (name == "TidemillError" or line.strip().startswith(("├──", "└──", "│"))):
            depth = line.index(name)
            above = [(d, n) for d, n in above if d < depth]
            drawn[name] = above[-1][1] if above else "Exception"
            above.append((depth, name))

    assert drawn == {cls.__name__: cls.__base__.__name__ for cls in CLASSES if cls.__base__}


@pytest.mark.parametrize("error_class", CLASSES)
def test_an_error_is_the_same_after_pickling(error_class: type[TidemillError]) -> None:
    """An error raised in another process arrives with its class and its sentence."""
    error = pickle.loads(pickle.dumps(error_class("a: no; write b")))  # noqa: S301 - our own bytes

    assert (type(error), str(error)) == (error_class, "a: no; write b")


def test_every_mistake_of_a_pipeline_file_survives_pickling() -> None:
    """A ConfigError keeps its mistakes apart."""
    error = pickle.loads(pickle.dumps(ConfigError(["one", "two"])))  # noqa: S301 - our own bytes

    assert (error.mistakes, str(error)) == (("one", "two"), "one\ntwo")


def test_every_error_is_caught_as_a_tidemill_error() -> None:
    """The command line can tell explained failures from others."""
    with pytest.raises(TidemillError, match=r"^3 parts failed$"):
        raise StageError("3 parts failed")
