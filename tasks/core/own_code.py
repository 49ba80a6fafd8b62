"""What code of the user's own there is in a package, told without importing it: its version, and a hash of its files."""

from __future__ import annotations

import ast
import hashlib
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from importlib.machinery import ModuleSpec
from importlib.metadata import packages_distributions, version
from importlib.util import find_spec
from pathlib import Path

from tasks.core.storage import hash_file

MISSING = "not installed"
_HASH_CHARACTERS = 16
_CACHES = "__pycache__"
_BYTECODE = (".pyc", ".pyo")
_INSTALLED = frozenset({"site-packages", "dist-packages"})
_OWN = "tasks"


def code_versions(packages: Iterable[str]) -> dict[str, str]:
    """Return what tells the code of packages, by their first names: the version where they have one, and a hash as of `hash_package`."""
    tops = sorted({name.partition(".")[0] for name in packages})
    if not tops:
        return {}
    known = _distributions(tuple((path, _changed(path)) for path in sys.path))
    return {top: _tell(top, known.get(top, ())) for top in tops}


def hash_package(package: str) -> str:
    """Return a hash of all files of a package, or of a module that is one, by its first name, and of modules beside it that it imports."""
    spec = _find(package)
    if spec is None:
        return MISSING
    return _hash_found(package, spec)


def _hash_found(package: str, spec: ModuleSpec) -> str:
    folders, single = _places(spec)
    return _hash(folders, single, _find_beside(package, [*folders, *single]))[:_HASH_CHARACTERS]


@lru_cache(maxsize=1)
def _distributions(_path: tuple[tuple[str, int], ...]) -> Mapping[str, list[str]]:
    """Return the distributions of each package on a path, of whose folders the times of change are given; to look takes 0.3 s."""
    return packages_distributions()


def _changed(folder: str) -> int:
    try:
        return Path(folder).stat().st_mtime_ns
    except OSError:
        return 0


def _tell(package: str, distributions: Iterable[str]) -> str:
    spec = _find(package)
    if spec is None:
        return MISSING
    versions = [f"{name} {version(name)}" for name in sorted(set(distributions))]
    return ", ".join([*versions, f"code {_hash_found(package, spec)}"])


def _find(package: str) -> ModuleSpec | None:
    try:
        return find_spec(package)
    except (ImportError, ValueError):  # of a module that is half imported, say
        return None


def _places(spec: ModuleSpec) -> tuple[list[Path], list[Path]]:
    """Return the folders of a package, or the file of a module that is one."""
    folders = [Path(folder) for folder in spec.submodule_search_locations or ()]
    single = [Path(spec.origin)] if not folders and spec.has_location and spec.origin else []
    return (single, []) if single and not single[0].is_file() else (folders, single)  # a module in an archive


def _find_beside(package: str, places: Iterable[Path]) -> dict[str, Path]:
    """Return the files of modules beside a package that it imports, and of those that these import; none beside Tidemill, or installed packages."""
    found: dict[str, Path] = {}
    for place in places:
        if package == _OWN or _INSTALLED & {*place.parts}:
            continue
        known, waiting = {_OWN, package}, [*_sources(place)]
        while waiting:
            new = _imported(waiting.pop()) - known
            known |= new
            for beside in (each for name in new for each in (place.parent / name, place.parent / f"{name}.py")):
                found |= {f"../{path.relative_to(place.parent)}": path for path in _sources(beside)}
                waiting += _sources(beside)
    return found


def _sources(place: Path) -> list[Path]:
    """Return the files of Python code at a place: a file, or a folder and those in it."""
    found = [place] if place.suffix == ".py" else place.rglob("*.py")
    return [path for path in found if path.is_file()]


def _imported(file: Path) -> set[str]:
    """Return the first names of the modules that a file imports by these, wherever in it."""
    try:
        nodes = [*ast.walk(ast.parse(file.read_bytes()))]
    except (SyntaxError, ValueError):  # which its import tells
        return set()
    named = [each.name for node in nodes if isinstance(node, ast.Import) for each in node.names]
    named += [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom) and not node.level]
    return {name.partition(".")[0] for name in named}


def _hash(folders: Iterable[Path], single: Iterable[Path], beside: Mapping[str, Path]) -> str:
    files = {**{path.name: path for path in single}, **beside}
    for folder in reversed([*folders]):  # of two portions of a package the first one's modules are imported
        files |= dict(_within(folder))
    told = hashlib.sha256()
    for name, path in sorted(files.items()):
        told.update(f"{name}\0{hash_file(path)}\0".encode())
    return told.hexdigest()


def _within(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield the files of a package by their paths in it, through links; of one in an archive, the archive."""
    if not folder.is_dir():
        yield from ((path.name, path) for path in folder.parents if path.is_file())
        return
    seen: set[str] = set()
    for place, inner, names in os.walk(folder, followlinks=True):
        real = os.path.realpath(place)
        inner[:] = sorted(name for name in inner if name != _CACHES) if real not in seen else []  # a link may lead back
        seen.add(real)
        paths = (Path(place, name) for name in names)
        yield from ((each.relative_to(folder).as_posix(), each) for each in paths if _counts(each))


def _counts(path: Path) -> bool:
    return path.is_file() and path.suffix not in _BYTECODE
