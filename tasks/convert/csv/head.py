"""The head of a CSV file: how it is written, the names of its columns, and where its records begin."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tasks.convert.csv.records import Records, is_utf8
from tasks.convert.reading.dialect import Dialect, detect_dialect
from tasks.convert.reading.encoding import SAMPLE_BYTES
from tasks.convert.window import Window
from tasks.errors import TableError
from tasks.spec import Reading

Rename = Callable[[Sequence[str]], list[str]]


@dataclass(frozen=True)
class Head:
    """What the first record of a file tells; the records begin after `size` bytes and `lines` lines."""

    dialect: Dialect
    names: tuple[str, ...]
    size: int
    lines: int


def read_head(text: Window, reading: Reading, suffix: str, rename: Rename) -> Head:
    """Return the head of a file that begins with `text`, in UTF-8 without a byte order mark.

    Raises:
        TableError: the header cannot be read.

    """
    sample = text.to_place(SAMPLE_BYTES).data
    dialect = detect_dialect(sample.decode("utf-8", "replace"), reading, suffix)
    records = Records(_first_lines(text, dialect.quote), dialect)
    first = next((span for span in records.spans), None)
    if first is None or _is_after_broken(records, first.start):
        if records.broken:
            raise TableError("the quote of its header is not closed; mend the header, or declare read.quote")
        return Head(dialect, (), 0, 0)
    if not dialect.has_header:
        names = [f"column_{position}" for position in range(1, len(first.fields) + 1)]
        return Head(dialect, tuple(rename(names)), 0, 0)
    if not is_utf8("".join(first.fields)):
        raise TableError("its header is not UTF-8; save the file as UTF-8, or declare read.encoding")
    size = len("".join(records.lines[: first.end]).encode("utf-8", "surrogateescape"))
    return Head(dialect, tuple(rename(name_columns(first.fields))), size, first.end)


def name_columns(fields: Sequence[str]) -> list[str]:
    """Return the header's fields as names: trimmed, a blank one numbered, a repeated one told apart."""
    names: dict[str, None] = {}
    for position, field in enumerate(fields, start=1):
        name = field.strip() or f"column_{position}"
        while name in names:
            name = f"{name}_{position}"
        names[name] = None
    return list(names)


def _first_lines(text: Window, quote: str) -> bytes:
    """Return so much of a file's beginning as holds its first record, however long: without a quote, its first line."""
    line = text.to_place(text.find(b"\n") + 1).data
    if line.strip() and not (quote and quote.encode() in line):
        return line
    size = SAMPLE_BYTES
    while size < len(text):
        sample = text.to_place(size)
        cut = sample.rfind(b"\n")
        if cut > 0 and sample.data.count(b'"', 0, cut) % 2 == 0:
            return sample.data[: cut + 1]
        size *= 4
    return text.data


def _is_after_broken(records: Records, start: int) -> bool:
    return any(misfit.record.line <= start for misfit in records.broken)
