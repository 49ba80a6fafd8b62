"""Files as they are proposed: which of a folder belong together, and what the heads of the first and last of these show."""

from __future__ import annotations

import glob
import json
import os
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from flows.cli.console import count
from flows.cli.new.asked import make_source
from flows.cli.new.draft import Drafted, SourceDraft, free_name, name_of, settle, write_columns, write_key
from flows.cli.new.text import Text
from tasks.config import FilesSource
from tasks.config.formats import FORMATS
from tasks.convert.head import Head, read_head
from tasks.convert.proposal import propose_key
from tasks.convert.schema.blocks import Guess
from tasks.convert.schema.notation import cut
from tasks.convert.staging.context import InputFile
from tasks.convert.table.inputs import list_files
from tasks.core.errors import ConfigError, TableError
from tasks.core.storage import DataFolder

_NUMBERS = re.compile(r"\d+")
_WILD = re.compile(r"[*?\[]")
_LOOKED_AT = 3  # files of one source: the first, the last, and between them
_LOOKED_AT_SMALL = 12  # the same where a head takes no time
_SMALL_BYTES = 64 * 1024
_MOST_SOURCES = 12
_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SHOWN = 6


@dataclass(frozen=True)
class FileGroup:
    """Files that may be one source: its name, the pattern by which a pipeline file names them, and themselves."""

    name: str
    patterns: tuple[str, ...]
    files: Sequence[InputFile]
    records_at: str | None = None
    """Path to the records of documents of JSON."""

    def read(self, files: Sequence[InputFile], columns: Mapping[str, object], folder: DataFolder) -> list[Head]:
        """Return the heads of some of the files, read with what is declared of columns that they have."""
        declared: dict[str, object] = {"path": self.patterns, "columns": columns}
        if self.records_at is not None:
            declared["read"] = {"records_at": self.records_at}
        source: FilesSource = make_source(FilesSource, declared)
        return [read_head(self.name, source, file, folder) for file in files]


def draft_files(given: str, taken: Collection[str], folder: DataFolder) -> list[SourceDraft]:
    """Return what is proposed of a file, a glob, a folder, or the address of a file: a source for each kind of files in a folder.

    Raises:
        ConfigError: there is no such file, or none of them can be read.

    """
    drafts: list[SourceDraft] = []
    unread: list[str] = []
    for group in _list_groups(given, folder):
        name = free_name(group.name, [*taken, *(draft.name for draft in drafts)])
        try:
            drafts.append(_draft(replace(group, name=name), folder))
        except TableError as error:
            unread.append(str(error))
    if not drafts:
        raise ConfigError([f"--from: {sentence}" for sentence in unread])
    for sentence in unread:
        drafts[0].text.note(f"Left out, as it cannot be read: {sentence}")
    return drafts


def _list_groups(given: str, folder: DataFolder) -> list[FileGroup]:
    place = _place(given, folder)
    try:
        files = list_files((place,), folder.root)
    except TableError as error:
        if "no file matches" not in str(error):
            raise ConfigError(f"--from: {error}") from None
        endings = ", ".join(sorted(FORMATS.by_suffix))
        raise ConfigError(
            f"--from: {given} has no file of a known ending; give files of {endings}, compressed or not"
        ) from None
    is_folder = "://" not in place and Path(os.path.normpath(folder.root / place)).is_dir()  # data may not be there yet
    if not is_folder:
        stem = PurePosixPath(given.rstrip("/"))
        name = _WILD.split(stem.name)[0].partition(".")[0] or stem.parent.name
        return [FileGroup(_name(name), (place,), files)]
    by_pattern: dict[str, list[InputFile]] = {}
    for file in files:
        within = os.path.relpath(str(file.path), folder.root / place)
        by_pattern.setdefault(_NUMBERS.sub("*", glob.escape(within)), []).append(file)
    found = [_group(place, pattern, each, folder) for pattern, each in by_pattern.items()]
    if len(found) > _MOST_SOURCES:
        return [_whole(place, files)]
    return _join(found, place, folder) if len(found) > 1 else found


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
    """Return files whose names differ in numbers, by a pattern that takes no others; such files to come are taken by it too."""
    names = {file.name for file in files}
    for each in (pattern, pattern.replace("*", "[0-9]*")):
        if {file.name for file in list_files((f"{place}/{each}",), folder.root)} == names:
            break
    return FileGroup(_name(_stem(pattern)), (f"{place}/{each}",), files)


def _whole(place: str, files: Sequence[InputFile]) -> FileGroup:
    return FileGroup(_name(PurePosixPath(place).name), (place,), files)


def _stem(pattern: str) -> str:
    name = PurePosixPath(pattern).name.partition(".")[0].replace("*", "_")
    return re.sub(r"[\W_]+", "_", name).strip("_") or PurePosixPath(pattern).parent.name


def _name(text: str) -> str:
    return name_of(text, "rows")


def _join(groups: Sequence[FileGroup], place: str, folder: DataFolder) -> list[FileGroup]:
    """Return groups, of which those whose first files have the same columns are one."""
    by_columns: dict[tuple[str, ...], list[FileGroup]] = {}
    for group in groups:
        try:
            columns = tuple(group.read(group.files[:1], {}, folder)[0].types)
        except TableError:
            columns = group.patterns  # it is told where the file is read for its source
        by_columns.setdefault(columns, []).append(group)
    joined = []
    for alike in by_columns.values():
        if len(alike) == 1:
            joined += alike
            continue
        files = [file for group in alike for file in group.files]
        name = PurePosixPath(place).name if len(by_columns) == 1 else alike[0].name
        patterns = (place,) if len(by_columns) == 1 else tuple(pattern for group in alike for pattern in group.patterns)
        joined.append(FileGroup(_name(name), patterns, files))
    return joined


def _draft(group: FileGroup, folder: DataFolder) -> SourceDraft:
    files = _choose(group.files)
    heads = group.read(files, {}, folder)
    if (records_at := _find_records(heads)) is not None:
        group = replace(group, records_at=records_at)
        heads = group.read(files, {}, folder)

    def read(columns: Mapping[str, object]) -> list[Head]:
        known = [{name: each for name, each in columns.items() if name in head.types} for head in heads]
        return [head for file, each in zip(files, known, strict=True) for head in group.read([file], each, folder)]

    columns = settle(heads, read)
    number, rows = count(len(group.files), "file"), sum(head.received for head in heads)
    text = _write_source(group, heads, number)
    _write_key(text, heads, group.name)
    if columns:
        write_columns(text, columns, renames=_find_renames(heads))
    else:
        text.note("There is no row at the heads of these files.")
    odd = next((each.name for each in columns if not _PLAIN_NAME.fullmatch(each.name)), None)
    if odd is not None:
        why = f"makes names plain, which SQL then needs no quotes for, as of {odd}"
        text.choice("table", {"clean_names": True}, why)
    said = f"{group.name}: {number}, {count(rows, 'row')} looked at"
    return SourceDraft(group.name, text, said, [Drafted(group.name, columns, heads[0].rows)])


def _write_source(group: FileGroup, heads: Sequence[Head], number: str) -> Text:
    text, patterns = Text("    "), group.patterns
    text.key("kind", "files")
    path = patterns[0] if len(patterns) == 1 else list(patterns)
    text.key("path", path, number if "://" in patterns[0] else f"{number}; as seen from the data folder")
    if group.records_at is not None:
        text.key("read", {"records_at": group.records_at}, "the largest list of objects")
    for sentence in (*_tell_reading(heads), *_tell_differences(heads)):
        text.note(sentence)
    return text


def _find_records(heads: Sequence[Head]) -> str | None:
    """Return the path to the records of documents of JSON that have one row of their own: their largest list of objects."""
    if not all(head.received == 1 and head.guess is not None and head.guess.format == "json" for head in heads):
        return None
    sizes = {
        name: _count_objects(heads[0].rows[name][0].as_py())
        for name, kind in heads[0].types.items()
        if kind == "string"
    }
    largest = max(sizes, key=lambda name: sizes[name], default=None)
    return largest if largest is not None and sizes[largest] > 1 else None


def _count_objects(text: str | None) -> int:
    try:
        value = json.loads(text or "")
    except ValueError:
        return 0
    return len(value) if isinstance(value, list) and all(isinstance(each, dict) for each in value) else 0


def _write_key(text: Text, heads: Sequence[Head], name: str) -> None:
    """Write the key; one whose values stand in several files is none for certain: a count may begin anew in each."""
    key = propose_key(heads[0], name)
    if key is None or not key.is_certain:
        write_key(text, key)
        return
    values = [value for head in heads if key.column in head.types for value in head.rows[key.column].to_pylist()]
    if len({*values}) == len(values):
        write_key(text, key)
    else:
        why = f"{key.column} is another in each row of a file, and the same in some of several: of these the last file's would stay"
        text.doubt("key", [key.column], why)


def _choose(files: Sequence[InputFile]) -> list[InputFile]:
    """Return the first file, the last, and some between."""
    number = _LOOKED_AT_SMALL if max(file.size for file in files) <= _SMALL_BYTES else _LOOKED_AT
    places = {round(step * (len(files) - 1) / (number - 1)) for step in range(number)}
    return [files[place] for place in sorted(places)]


def _tell_reading(heads: Sequence[Head]) -> Iterator[str]:
    """Yield how files were read, and what is to be told of that, each once."""
    said: dict[str, str] = {}
    for head in heads:
        if head.guess is not None:
            way = _tell_guess(head.guess)
            said.setdefault(way, f"Read as {way}, e.g. {head.file}; read: declares what is not to be detected.")
            if head.guess.totals:
                said.setdefault("totals", f"Its last line looks like totals, and is a reject: {cut(head.guess.totals)}")
        if head.misfits:
            first = head.misfits[0]
            where = f"the first line {first.record.line}: {first.reason}"
            said.setdefault("rejects", f"{count(len(head.misfits), 'reject')} at the head of {head.file}, {where}.")
        for sentence in head.warnings:
            said.setdefault(sentence, f"{sentence[:1].upper()}{sentence[1:]}.")
    yield from said.values()


def _tell_guess(guess: Guess) -> str:
    words = [guess.format, guess.encoding, f"delimiter {guess.delimiter!r}" if guess.delimiter else ""]
    words += [f"decimal {guess.decimal!r}" if guess.decimal == "," else ""]
    words += [f"{count(guess.skipped, 'line')} above the header left out" if guess.skipped else ""]
    return ", ".join(filter(None, words))


def _tell_differences(heads: Sequence[Head]) -> Iterator[str]:
    """Yield what columns other files have than the first."""
    first, told = heads[0], set[tuple[str, ...]]()
    for head in heads[1:]:
        more, less = _differing(head, first), _differing(first, head)
        if (more or less) and tuple(head.types) not in told:
            told.add(tuple(head.types))
            said = [f"has {', '.join(more[:_SHOWN])}"] if more else []
            said += [f"lacks {', '.join(less[:_SHOWN])}"] if less else []
            yield f"{head.file} {' and '.join(said)}, unlike {first.file}."


def _find_renames(heads: Sequence[Head]) -> dict[str, str]:
    """Return the columns of other files that stand where the first has one of another name, and this."""
    found: dict[str, str] = {}
    for head in heads[1:]:
        if len(head.types) == len(heads[0].types):
            pairs = zip(head.types, heads[0].types, strict=True)
            found |= {
                name: own
                for name, own in pairs
                if name in _differing(head, heads[0]) and own in _differing(heads[0], head)
            }
    return found


def _differing(head: Head, other: Head) -> list[str]:
    return [name for name in head.types if name not in other.types]
