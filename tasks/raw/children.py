"""Children: the partitions that a source was fetched with, as its parents' tables told of them; kept beside its raw files."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

from tasks.config import Child, Parent, Scalar
from tasks.config.tabled import Parted
from tasks.core.storage import commit, json_reader, write_json

_FILE = ".partitions.json"
Kept = TypeVar("Kept", bound=Parted)


@dataclass(frozen=True)
class _Kept:
    """How a parent was declared, and the values that there were, each with what was taken of its row."""

    declared: dict[str, Any]
    children: list[list[Scalar | bool | None]]


@dataclass(frozen=True)
class _KeptFile:
    """What is kept of a source's parents, by the names of partitions."""

    parents: dict[str, _Kept]


_read = json_reader(_KeptFile)


def keep_children(source: Parted, raw: Path) -> None:
    """Note in a source's raw folder which partitions its parents' tables have told of, so that its table is made of these."""
    if not source.parents:
        return
    kept = {key: asdict(_keep(parent)) for key, parent in source.parents.items()}
    with commit(raw / _FILE) as part:
        write_json(part, {"parents": kept}, indent=None)


def with_kept_children(source: Kept, raw: Path) -> Kept | None:
    """Return a source with the partitions that it was fetched with last; None where it was not, or by another declaration."""
    if not source.parents:
        return source
    found = _read(raw / _FILE)
    kept = found.parents if found else {}
    if any(key not in kept or kept[key].declared != _declared(parent) for key, parent in source.parents.items()):
        return None
    return source.with_children(
        {key: [_read_child(parent, *each) for each in kept[key].children] for key, parent in source.parents.items()}
    )


def _keep(parent: Parent) -> _Kept:
    children = [[child.value, *(value for _, value in child.taken)] for child in parent.children or ()]
    return _Kept(_declared(parent), children)


def _declared(parent: Parent) -> dict[str, Any]:
    return parent.model_dump(mode="json", exclude={"on_missing"})


def _read_child(parent: Parent, value: Any, *taken: Any) -> Child:
    return Child(value, tuple(zip(parent.take, taken, strict=True)))
