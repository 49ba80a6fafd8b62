"""CSV bytes parsed into texts; a record that is not like the header is a misfit."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Sequence
from functools import cached_property
from itertools import chain

import pyarrow as pa
import pyarrow.csv as pa_csv

from tasks.convert.parsed import Misfit, Parsed, Record
from tasks.errors import TableError

csv.field_size_limit(sys.maxsize)

_BOM = b"\xef\xbb\xbf"
_QUOTE = b'"'


def parse_csv(data: bytes, delimiter: str = ",") -> Parsed:
    """Return the rows of a CSV file with a header, in UTF-8.

    Raises:
        TableError: the file cannot be told apart into records.

    """
    data, undecodable = _drop_undecodable(data.removeprefix(_BOM), delimiter)
    records = _Records(data, delimiter)
    received = records.count()
    texts, ragged = _parse_texts(records.body, delimiter, records.header)
    if received != texts.num_rows + len(ragged):
        raise TableError(
            f"{received} records by its quotes, but {texts.num_rows + len(ragged)} by its lines: "
            "a quote is not closed; mend the quotes"
        )

    def locate(rows: Sequence[int]) -> Sequence[Record]:
        kept = [index for index in range(received) if index not in ragged]
        return [records.all[kept[row]] for row in rows]

    misfits = [Misfit(records.all[index], None, reason) for index, reason in ragged.items()]
    return Parsed(texts, received + len(undecodable), [*undecodable, *misfits], locate)


def _parse_texts(body: bytes, delimiter: str, names: list[str]) -> tuple[pa.Table, dict[int, str]]:
    """Return every well-formed record below the header as texts, and why each other one, by its index, is not."""
    ragged: dict[int, str] = {}
    if not body.strip(b"\r\n"):
        return pa.table({name: pa.array([], pa.string()) for name in names}), ragged

    def note(row: pa_csv.InvalidRow) -> str:
        reason = f"{row.actual_columns} fields, the header has {row.expected_columns}"
        ragged[row.number - 1] = reason
        return "skip"

    try:
        texts = pa_csv.read_csv(
            pa.BufferReader(body),
            # One thread and one block: only so does pyarrow number the rows it skips.
            read_options=pa_csv.ReadOptions(use_threads=False, block_size=len(body) + 1, column_names=names),
            parse_options=pa_csv.ParseOptions(
                delimiter=delimiter, newlines_in_values=_QUOTE in body, invalid_row_handler=note
            ),
            convert_options=pa_csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=True, null_values=[""]
            ),
        )
    except (pa.ArrowInvalid, OverflowError) as error:
        first_line = str(error).splitlines()[0]
        raise TableError(f"cannot be read as CSV ({first_line}); mend the file, or split one above 2 GiB") from error
    return texts, ragged


def _drop_undecodable(data: bytes, delimiter: str) -> tuple[bytes, list[Misfit]]:
    """Return `data` with the records that are not UTF-8 emptied, and these records as misfits.

    Raises:
        TableError: the header is not UTF-8.

    """
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        records = _Records(data, delimiter, errors="surrogateescape")
    else:
        return data, []
    lines = list(records.lines)
    if not _is_utf8("".join(lines[: records.header_lines])):
        raise TableError("its header is not UTF-8; save the file as UTF-8")
    misfits = []
    for (start, end), record in zip(records.spans, records.all, strict=True):
        if not _is_utf8(record.raw):
            raw = record.raw.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
            misfits.append(Misfit(Record(record.line, raw), None, "not UTF-8"))
            lines[start:end] = ["\n"] * (end - start)
    return "".join(lines).encode("utf-8"), misfits


def _is_utf8(text: str) -> bool:
    """Return whether a text, decoded with surrogateescape, was UTF-8."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


class _Records:
    """The records of a CSV file as Python's own reader tells them apart: a second opinion beside pyarrow's."""

    def __init__(self, data: bytes, delimiter: str, errors: str = "strict") -> None:
        self._data = data
        self._delimiter = delimiter
        self._text = io.StringIO(data.decode("utf-8", errors), newline="")
        self.header: list[str] = []
        self.header_lines = 0
        reader = csv.reader(self._text, delimiter=delimiter)
        for fields in reader:
            if fields:
                self.header, self.header_lines = _column_names(fields), reader.line_num
                break

    @property
    def body(self) -> bytes:
        """Return the bytes below the header."""
        self._text.seek(0)
        header = "".join(self._text.readline() for _ in range(self.header_lines))
        return self._data[len(header.encode("utf-8")) :] if self.header else b""

    def count(self) -> int:
        """Return the number of records below the header."""
        if _QUOTE in self._data:
            return len(self.spans)
        lines = self._data.splitlines()[self.header_lines :]
        return sum(1 for line in lines if line)

    @cached_property
    def lines(self) -> list[str]:
        """Return the lines of the file, with their ends."""
        self._text.seek(0)
        return self._text.readlines()

    @cached_property
    def spans(self) -> list[tuple[int, int]]:
        """Return the first line, and the one after the last, of every record below the header; empty lines are none.

        Raises:
            TableError: a quote is not closed, and what follows it cannot be told apart.

        """
        reader = csv.reader(chain(self.lines, ["end"]), delimiter=self._delimiter)
        spans, end = [], 0
        for fields in reader:
            start, end = end, reader.line_num
            if start < len(self.lines) < end:
                raise TableError(
                    f"a quote in the record that begins in line {start + 1} is not closed; mend the quotes"
                )
            if fields and self.header_lines <= start < len(self.lines):
                spans.append((start, end))
        return spans

    @cached_property
    def all(self) -> list[Record]:
        """Return every record below the header, with its text."""
        return [Record(start + 1, "".join(self.lines[start:end]).rstrip("\r\n")) for start, end in self.spans]


def _column_names(fields: list[str]) -> list[str]:
    """Return the header's fields as names: trimmed, a blank one numbered, a repeated one told apart."""
    names: list[str] = []
    for position, field in enumerate(fields, start=1):
        name = field.strip() or f"column_{position}"
        while name in names:
            name = f"{name}_{position}"
        names.append(name)
    return names
