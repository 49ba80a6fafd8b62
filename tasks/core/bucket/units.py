"""Units of a data folder: what is committed to a bucket together, each with a snapshot of its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Kind = Literal["raw", "tables", "models", "predictions", "truth", "exports", "history", "runs"]

_KINDS: dict[str, Kind] = {
    "raw": "raw",
    ".tables": "tables",
    "models": "models",
    "predictions": "predictions",
    "truth": "truth",
    ".exports": "exports",
    "history": "history",
    "runs": "runs",
}
"""By the folder in which units of a kind lie."""
KINDS = tuple(_KINDS.values())
_LOCKED_IN = {"training": ("models", "truth")}
"""What a run writes while it holds a folder that is none of these: a training set is made again, not kept."""
_WHOLE = frozenset({"tables", "exports"})


@dataclass(frozen=True, order=True)
class Unit:
    """What is committed together: the raw files of a source, a table with its rejects, the models of a pipeline."""

    kind: str
    name: str

    def __str__(self) -> str:
        """Return it as in the keys of the bucket."""
        return f"{self.kind}/{self.name}"

    @property
    def is_merged(self) -> bool:
        """Return whether two writers may each add files of their own: of a table all of one counts, or of the other."""
        return self.kind not in _WHOLE

    @property
    def places(self) -> tuple[str, ...]:
        """Return the paths in the data folder that belong to it, with all below them."""
        if self.kind == "tables":
            name = self.name
            return f".tables/{name}", f".manifests/{name}.json", f"tables/{name}", f"rejects/{name}"
        if self.kind == "history":
            return (f"history/{self.name}.parquet",)
        folder = next(folder for folder, kind in _KINDS.items() if kind == self.kind)
        return (f"{folder}/{self.name}",)

    @property
    def lock(self) -> str | None:
        """Return the path of the lock that a run holds while it writes to it; None where it is held for moments alone."""
        if self.kind == "models":
            return f"training/{self.name}/.lock"
        return f"{self.places[0]}/.lock" if self.kind in ("raw", "tables", "truth", "exports", "runs") else None


def written_in(folder: Path) -> tuple[Unit, ...]:
    """Return the units that a run writes to while it holds a folder, which is given by its path in the data folder."""
    if len(folder.parts) != 2:  # noqa: PLR2004 - a folder of folders, and a name
        return ()
    place, name = folder.parts
    if place in _LOCKED_IN:
        return tuple(Unit(kind, name) for kind in _LOCKED_IN[place])
    return (Unit(_KINDS[place], name),) if place in _KINDS else ()


def list_units(root: Path) -> Iterator[Unit]:
    """Yield the units of which anything is in a data folder on this machine."""
    for folder, kind in _KINDS.items():
        for path in sorted((root / folder).glob("*")):
            if path.name.startswith(".") or path.is_symlink():
                continue
            if kind == "history":
                yield Unit(kind, path.stem)
            elif path.is_dir():
                yield Unit(kind, path.name)
