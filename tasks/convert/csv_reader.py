"""CSV bytes parsed into texts; a record that is not like the header is a misfit."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Sequence
from functools import cached_property

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
    data, undecodable = _drop_undecodable(data.removeprefix(_BOM))
    records = _Records(data, delimiter)
    if not records.header:
        return Parsed(pa.table({}), len(undecodable), undecodable, lambda _: ())
    texts, ragged = _parse_texts(data, delimiter, records.header, records.header_lines)
    received = records.count()
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


def _parse_texts(data: bytes, delimiter: str, names: list[str], header_lines: int) -> tuple[pa.Table, dict[int, str]]:
    """Return every well-formed record as texts, and why each other one, by its index, is not."""
    ragged: dict[int, str] = {}

    def note(row: pa_csv.InvalidRow) -> str:
        header_row = 1  # row.number counts from 1, and the header too
        reason = f"{row.actual_columns} fields, the header has {row.expected_columns}"
        ragged[row.number - 1 - header_row] = reason
        return "skip"

    try:
        texts = pa_csv.read_csv(
            pa.BufferReader(data),
            # One thread and one block: only so does pyarrow number the rows it skips.
            read_options=pa_csv.ReadOptions(
                use_threads=False, block_size=len(data) + 1, column_names=names, skip_rows=header_lines
            ),
            parse_options=pa_csv.ParseOptions(
                delimiter=delimiter, newlines_in_values=_QUOTE in data, invalid_row_handler=note
            ),
            convert_options=pa_csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=True, null_values=[""]
            ),
        )
    except (pa.ArrowInvalid, OverflowError) as error:
        first_line = str(error).splitlines()[0]
        raise TableError(f"cannot be read as CSV ({first_line}); mend the file, or split one above 2 GiB") from error
    return texts, ragged


def _drop_undecodable(data: bytes) -> tuple[bytes, list[Misfit]]:
    """Return `data` with the lines that are not UTF-8 emptied, and these lines as misfits."""
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        lines = data.splitlines(keepends=True)
    else:
        return data, []
    misfits = []
    for index, line in enumerate(lines):
        try:
            line.decode("utf-8")
        except UnicodeDecodeError:
            raw = line.rstrip(b"\r\n")
            lines[index] = line[len(raw) :]
            misfits.append(Misfit(Record(index + 1, raw.decode("utf-8", "backslashreplace")), None, "not UTF-8"))
    return b"".join(lines), misfits


class _Records:
    """The records of a CSV file as Python's own reader tells them apart: a second opinion beside pyarrow's."""

    def __init__(self, data: bytes, delimiter: str) -> None:
        self._data = data
        self._delimiter = delimiter
        self.header: list[str] = []
        self.header_lines = 0
        reader = self._reader()
        for fields in reader:
            if fields:
                self.header, self.header_lines = _column_names(fields), reader.line_num
                break

    def count(self) -> int:
        """Return the number of records below the header."""
        if _QUOTE in self._data:
            return len(self.all)
        lines = self._data.splitlines()[self.header_lines :]
        return sum(1 for line in lines if line)

    @cached_property
    def all(self) -> list[Record]:
        """Return every record below the header, with its text; empty lines are none."""
        lines = self._lines()
        reader = self._reader()
        records, end = [], 0
        for fields in reader:
            start, end = end, reader.line_num
            if fields and start >= self.header_lines:
                records.append(Record(start + 1, "".join(lines[start:end]).rstrip("\r\n")))
        return records

    def _lines(self) -> list[str]:
        return io.StringIO(self._data.decode("utf-8"), newline="").readlines()

    def _reader(self) -> csv._reader:  # type: ignore[name-defined] # the stubs have no public name for it
        return csv.reader(io.StringIO(self._data.decode("utf-8"), newline=""), delimiter=self._delimiter)


def _column_names(fields: list[str]) -> list[str]:
    """Return the header's fields as names: trimmed, a blank one numbered, a repeated one told apart."""
    names: list[str] = []
    for position, field in enumerate(fields, start=1):
        name = field.strip() or f"column_{position}"
        names.append(name if name not in names else f"{name}_{position}")
    return names
