"""Files as they are proposed: a source for each group of them, by what is read of them."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from flows.cli.new.draft import Drafted, Rename, SourceDraft, free_name, settle, write_columns, write_key
from flows.cli.new.groups import FileGroup, list_groups, open_sheets, split_by_shape
from flows.cli.new.shapes import differing, find_renames, find_unlike
from flows.cli.new.text import Text
from tasks.convert.head import HEAD_BYTES, Head
from tasks.convert.proposal import propose_key
from tasks.convert.schema.blocks import Guess
from tasks.convert.schema.notation import cut
from tasks.convert.staging.context import InputFile
from tasks.core.errors import ConfigError, TableError
from tasks.core.escaping import count
from tasks.core.storage import DataFolder

_LOOKED_AT = 3  # files of one source: the first, the last, and between them
_WHOLE_BYTES = 4 * 1024 * 1024  # of the files of a source, which are read as a whole up to this sum
_WHOLE_FILES = 500
_UNPACKED = 20  # times the size of a compressed file, at most
_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SHOWN = 6


def draft_files(given: Sequence[str], taken: Collection[str], folder: DataFolder) -> list[SourceDraft]:
    """Return what is proposed of files, a glob, a folder, or the address of a file: a source for each kind of files, and each sheet.

    Raises:
        ConfigError: there is no such file, or none of them can be read.

    """
    drafts: list[SourceDraft] = []
    unread: list[str] = []
    groups = [sheet for group in list_groups(given, folder) for sheet in open_sheets(group)]
    while groups:
        group = groups.pop(0)
        name = free_name(group.name, [*taken, *(draft.name for draft in drafts)])
        try:
            looked_at = _look(replace(group, name=name), folder)
            shapes = split_by_shape(looked_at.group, looked_at.heads, looked_at.files)
            if len(shapes) > 1:
                groups = [*shapes, *groups]
            else:
                drafts.append(_draft(looked_at, folder))
        except TableError as error:
            unread.append(str(error))
    if not drafts:
        raise ConfigError([f"--from: {sentence}" for sentence in unread])
    for sentence in unread:
        drafts[0].text.note(f"Left out, as it cannot be read: {sentence}")
    return drafts


class _LookedAt(NamedTuple):
    """Files of a group that are looked at, how much of each, and their heads."""

    group: FileGroup
    files: Sequence[InputFile]
    size: int
    heads: Sequence[Head]


def _look(group: FileGroup, folder: DataFolder) -> _LookedAt:
    """Return all files of a group as wholes where they are small, else the heads of the first, the last, and one between."""
    files, size = group.files, HEAD_BYTES
    if len(files) <= _WHOLE_FILES and sum(file.size for file in files) <= _WHOLE_BYTES:
        size = _WHOLE_BYTES * _UNPACKED
    else:
        places = {round(step * (len(files) - 1) / (_LOOKED_AT - 1)) for step in range(_LOOKED_AT)}
        files = [files[place] for place in sorted(places)]
    heads = group.read(files, {}, folder, size)
    if (records_at := _find_records(heads)) is not None:
        group = replace(group, reading={"records_at": records_at})
        heads = group.read(files, {}, folder, size)
    return _LookedAt(group, files, size, heads)


def _draft(looked_at: _LookedAt, folder: DataFolder) -> SourceDraft:
    group, files, size, heads = looked_at

    def read(columns: Mapping[str, object]) -> list[Head]:
        known = [{name: each for name, each in columns.items() if name in head.types} for head in heads]
        return [
            head for file, each in zip(files, known, strict=True) for head in group.read([file], each, folder, size)
        ]

    may_be = find_renames(heads)
    settled = settle(heads, read, may_be)
    unlike = {*find_unlike(may_be, settled.typed)}
    certain = {name: own for name, own in may_be.items() if name not in unlike}
    if unlike:
        settled = settle(heads, read, certain)
    renames = [
        Rename(name, own, next(head.file for head in heads if name in head.types), name in certain)
        for name, own in may_be.items()
    ]
    columns, number, rows = settled.columns, count(len(group.files), "file"), sum(head.received for head in heads)
    text = _write_source(group, heads, number)
    _write_key(text, heads, group.name)
    if columns:
        write_columns(text, columns, renames=renames)
    else:
        text.note("There is no row at the heads of these files.")
    odd = next((each.name for each in columns if not _PLAIN_NAME.fullmatch(each.name)), None)
    if odd is not None:
        why = f"makes names plain, which SQL then needs no quotes for, as of {odd}"
        text.choice("table", {"clean_names": True}, why)
    said = f"{group.name}: {number}, {count(rows, 'row')} looked at"
    return SourceDraft(group.name, text, said, [Drafted(group.name, columns, settled.rows, renames=certain)])


def _write_source(group: FileGroup, heads: Sequence[Head], number: str) -> Text:
    text, patterns = Text("    "), group.patterns
    text.key("kind", "files")
    path = patterns[0] if len(patterns) == 1 else list(patterns)
    text.key("path", path, number if "://" in patterns[0] else f"{number}; as seen from the data folder")
    if group.reading:
        text.key("read", group.reading, "the largest list of objects" if "records_at" in group.reading else "")
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


def _tell_reading(heads: Sequence[Head]) -> Iterator[str]:
    """Yield how files were read, and what is to be told of that, each once."""
    said: dict[str, str] = {}
    totals = [head.guess.totals for head in heads if head.guess is not None and head.guess.totals]
    if totals:
        where = (
            "The last line"
            if len(heads) == 1
            else f"The last line of {len(totals)} of the {len(heads)} files looked at"
        )
        yield f"{where} looks like totals, and is a reject, e.g. {cut(totals[0])}"
    for head in heads:
        if head.guess is not None:
            way = _tell_guess(head.guess)
            said.setdefault(way, f"Read as {way}, e.g. {head.file}; read: declares what is not to be detected.")
        misfits = [each for each in head.misfits.to_pylist() if each["raw"] not in totals]
        if misfits:
            where = f"the first line {misfits[0]['line']}: {misfits[0]['reason']}"
            said.setdefault("rejects", f"{count(len(misfits), 'reject')} at the head of {head.file}, {where}.")
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
        more, less = differing(head, first), differing(first, head)
        if (more or less) and tuple(head.types) not in told:
            told.add(tuple(head.types))
            said = [f"has {', '.join(more[:_SHOWN])}"] if more else []
            said += [f"lacks {', '.join(less[:_SHOWN])}"] if less else []
            yield f"{head.file} {' and '.join(said)}, unlike {first.file}."
