"""Files that belong together: which of those that are given, or of a folder, are one source, and by what pattern they are named."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from flows.cli.new.asked import make_source
from flows.cli.new.draft import name_of
from tasks.config import FilesSource
from tasks.config.formats import FORMATS
from tasks.convert.files.opening import suffixes
from tasks.convert.head import HEAD_BYTES, Head, read_head
from tasks.convert.staging.context import InputFile
from tasks.convert.table.inputs import list_files
from tasks.core.errors import ConfigError, TableError
from tasks.core.storage import DataFolder

_NUMBERS = re.compile(r"\d+")
_WILD = re.compile(r"[*?\[]")
_NUMBERED = re.compile(r"_(?:q|p|part|no|nr|v|kw|h)$")  # what stands before the number of one of several files
_MOST_SOURCES = 12
_BOOKS = frozenset({".xlsx", ".xlsm", ".xlsb", ".xls", ".ods"})
_SHARED = 0.5  # of the columns: files that have fewer in common are of different shape


@dataclass(frozen=True)
class FileGroup:
    """Files that may be one source: its name, the patterns by which a pipeline file names them, and themselves."""

    name: str
    patterns: tuple[str, ...]
    files: Sequence[InputFile]
    reading: Mapping[str, Any]
    """What is declared of how they are read."""

    def read(
        self, files: Sequence[InputFile], columns: Mapping[str, object], folder: DataFolder, size: int = HEAD_BYTES
    ) -> list[Head]:
        """Return the heads of some of the files, of so many bytes each, read with what is declared of columns that they have."""
        declared: dict[str, object] = {"path": self.patterns, "columns": columns, "read": self.reading}
        source: FilesSource = make_source(FilesSource, declared)
        return [read_head(self.name, source, file, folder, size) for file in files]


def list_groups(given: Sequence[str], folder: DataFolder) -> list[FileGroup]:
    """Return the groups of files of a folder, a glob, or of files that are given one by one.

    Raises:
        ConfigError: there is no such file.

    """
    places = [_place(each, folder) for each in given]
    try:
        files = list_files(places, folder.root)
    except TableError as error:
        if "no file matches" not in str(error):
            raise ConfigError(f"--from: {error}") from None
        endings = ", ".join(sorted(FORMATS.by_suffix))
        raise ConfigError(
            f"--from: {given[0]} has no file of a known ending; give files of {endings}, compressed or not"
        ) from None
    is_folder = (
        "://" not in places[0] and Path(os.path.normpath(folder.root / places[0])).is_dir()
    )  # data may not be there
    if (len(files) == 1 and not is_folder) or "://" in places[0]:
        stem = PurePosixPath(given[0].rstrip("/"))
        return [
            FileGroup(_name(_WILD.split(stem.name)[0].partition(".")[0] or stem.parent.name), tuple(places), files, {})
        ]
    base = places[0] if is_folder else _folder_of(places)
    by_pattern: dict[str, list[InputFile]] = {}
    for file in files:
        within = os.path.relpath(str(file.path), folder.root / base)
        by_pattern.setdefault(_NUMBERS.sub("*", glob.escape(within)), []).append(file)
    found = [_group(base, pattern, each, folder) for pattern, each in by_pattern.items()]
    if len(found) > _MOST_SOURCES:
        return [FileGroup(_name(PurePosixPath(base).name), tuple(places), files, {})]
    if len(found) == 1:
        return [replace(found[0], patterns=tuple(places))] if len(places) == 1 and not is_folder else found
    return _join(found, tuple(places) if len(places) == 1 else None, PurePosixPath(base).name, folder)


def _folder_of(places: Sequence[str]) -> str:
    """Return the folder that has all of some files, or what a glob matches."""
    return os.path.commonpath([os.path.dirname(_WILD.split(place)[0]) or "." for place in places])  # noqa: PTH120 - as a pattern


def _place(given: str, folder: DataFolder) -> str:
    """Return where files are, as a pipeline file has it: below the data folder, beside it, or absolute."""
    if "://" in given:
        return given
    here = Path(os.path.abspath(Path(given).expanduser()))  # noqa: PTH100 - a link's own place is meant, and .. taken out
    if not _exists(here):
        if _exists(folder.root / given):
            return given.rstrip("/")
        raise ConfigError(
            f"--from: no file matches {given}, here or below {folder.root}; correct the path, or begin an address with https://"
        )
    if here.is_relative_to(folder.root):
        return str(here.relative_to(folder.root))
    if here.is_relative_to(Path.cwd()) and folder.root.is_relative_to(Path.cwd()):
        return os.path.relpath(here, folder.root)
    return str(here)


def _exists(path: Path) -> bool:
    return path.exists() or bool(glob.glob(str(path), recursive=True))  # noqa: PTH207 - Path.glob takes no absolute pattern


def _group(place: str, pattern: str, files: list[InputFile], folder: DataFolder) -> FileGroup:
    """Return files whose names differ in numbers, by a pattern that takes no others, and such files to come, else by their paths."""
    names = {file.name for file in files}
    is_absolute = Path(place).is_absolute()
    patterns = tuple(str(file.path) if is_absolute else os.path.relpath(file.path, folder.root) for file in files)
    for each in (pattern, pattern.replace("*", "[0-9]*")):
        at = each if place == "." else f"{place}/{each}"
        if {file.name for file in list_files((at,), folder.root)} == names:
            patterns = (at,)
            break
    return FileGroup(_name(_stem(pattern)), patterns, files, {})


def _stem(pattern: str) -> str:
    name = PurePosixPath(pattern).name.partition(".")[0].replace("*", "_")
    return _NUMBERED.sub("", re.sub(r"[\W_]+", "_", name).strip("_")) or PurePosixPath(pattern).parent.name


def _name(text: str) -> str:
    return name_of(text, "rows")


def _join(groups: Sequence[FileGroup], place: tuple[str, ...] | None, name: str, folder: DataFolder) -> list[FileGroup]:
    """Return groups, of which those whose first files have the same columns are one; `place` has all of them."""
    by_columns: dict[tuple[str, ...], list[FileGroup]] = {}
    for group in groups:
        try:
            columns = tuple(group.read(group.files[:1], {}, folder)[0].types)
        except TableError:
            columns = group.patterns  # it is told where the file is read for its source
        by_columns.setdefault(columns, []).append(group)
    joined = []
    for alike in by_columns.values():
        files = [file for group in alike for file in group.files]
        is_all = len(by_columns) == 1
        patterns = place if is_all and place else tuple(pattern for group in alike for pattern in group.patterns)
        joined.append(
            alike[0] if len(alike) == 1 else FileGroup(_name(name) if is_all else alike[0].name, patterns, files, {})
        )
    return joined


# -- files of one group that are several sources after all


def open_sheets(group: FileGroup) -> list[FileGroup]:
    """Return a group for each sheet that holds rows, where the files are workbooks of several; else the group."""
    path = group.files[0].path
    if not isinstance(path, Path) or suffixes(path.name)[1] or suffixes(path.name)[0] not in _BOOKS:
        return [group]
    from tasks.convert.formats.excel.workbook import read_sheet  # noqa: PLC0415 - of workbooks alone

    try:
        first = read_sheet(path.read_bytes(), None)
    except TableError:
        return [group]  # which is told where the file is read for its source
    if not first.others:
        return [group]
    named = [(sheet, name_of(sheet, group.name)) for sheet in (first.name, *first.others)]
    return [
        replace(
            group,
            name=name if name == group.name else name_of(f"{group.name}_{name}", "rows"),
            reading={"sheet": sheet},
        )
        for sheet, name in named
    ]


def split_by_shape(group: FileGroup, heads: Sequence[Head], files: Sequence[InputFile]) -> list[FileGroup]:
    """Return a group for each shape that files have, where all of them were looked at; else the group."""
    shapes: list[tuple[set[str], list[InputFile]]] = []
    for head, file in zip(heads, files, strict=True):
        columns = {*head.types}
        known = next((each for each in shapes if _are_of_one_shape(each[0], columns)), None)
        if known is None:
            shapes.append((columns, [file]))
        else:
            known[1].append(file)
    if len(shapes) == 1 or len(files) < len(group.files):
        return [group]
    return [replace(group, patterns=tuple(file.name for file in each), files=each) for _, each in shapes]


def _are_of_one_shape(one: set[str], other: set[str]) -> bool:
    return not one or not other or len(one & other) >= _SHARED * min(len(one), len(other))
