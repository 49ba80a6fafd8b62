"""A block of whole CSV records, pyarrow's parse of it, and the numbers that this would change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv

from tasks.convert.files.byte_view import ByteView
from tasks.convert.formats.csv.header import Head
from tasks.convert.formats.csv.records import Records
from tasks.convert.schema.types import BOOL_TEXTS


@dataclass(frozen=True)
class CsvBlock:
    """Whole records of a CSV file: their bytes in UTF-8, the head of the file, and the place of the first: line and byte.

    `raw` are the same lines as they stand in the file, where they were rewritten.
    """

    window: ByteView
    head: Head
    first_line: int = 1
    first_byte: int | None = 0
    raw: ByteView | None = None

    @cached_property
    def quote(self) -> str:
        """Return the character that quotes fields, where the block has one."""
        quote = self.head.dialect.quote
        return quote if quote and quote.encode() in self.window else ""

    @cached_property
    def records(self) -> Records:
        """Return the records, told apart by Python's reader."""
        raw = self.raw.data if self.raw is not None else None
        return Records(self.window.data, self.head.dialect, self.first_line, self.first_byte, raw, len(self.head.names))

    @property
    def warnings(self) -> Sequence[str]:
        """Return what is to be told of the records, where they had to be told apart by Python's reader."""
        return self.records.warnings if "records" in vars(self) else ()


def read_block(
    block: CsvBlock,
    types: Mapping[str, pa.DataType],
    ragged: dict[int, str] | None = None,
    nulls: Sequence[str] | None = None,
) -> pa.Table:
    """Return every well-formed record; why another one is not is added to `ragged`, by its index.

    `nulls` are the texts that are null where a value is no text; without them an
    empty text is null, and no other.

    Raises:
        ArrowInvalid: a value is not of its type, or without `ragged` a record is not well-formed.

    """

    def note(row: pa_csv.InvalidRow) -> str:
        assert ragged is not None
        ragged[row.number - 1] = f"{row.actual_columns} fields, the header has {row.expected_columns}"
        return "skip"

    dialect = block.head.dialect
    return pa_csv.read_csv(
        pa.BufferReader(block.window.to_arrow()),
        # One thread and one block: only so does pyarrow number the rows it skips.
        read_options=pa_csv.ReadOptions(
            use_threads=False, block_size=len(block.window) + 1, column_names=block.head.names
        ),
        parse_options=pa_csv.ParseOptions(
            delimiter=dialect.delimiter,
            quote_char=dialect.quote or False,
            newlines_in_values=bool(block.quote),
            invalid_row_handler=None if ragged is None else note,
        ),
        convert_options=pa_csv.ConvertOptions(
            column_types=dict(types),
            strings_can_be_null=nulls is None,
            null_values=nulls or [""],
            true_values=BOOL_TEXTS[True],
            false_values=BOOL_TEXTS[False],
            decimal_point=dialect.decimal,
        ),
    )


_SLICE_BYTES = 128 * 1024  # what the comparisons write stays in the processor's cache
_AFTER_ZERO = np.isin(np.arange(256), list(b"0123456789xX"))
_ZERO = ord("0")


def has_padded_numbers(window: ByteView, delimiter: str, quote: str) -> bool:
    """Return whether a field begins with 0 and another digit, or with 0x; in doubt, after a plus or a blank, it does."""
    view = window.to_numpy()
    begins = np.frombuffer(f"{delimiter}{quote}\r\n".encode(), np.uint8)
    most = int(begins.max())  # to compare with the greatest alone is cheap, and leaves little to be looked at
    if len(view) > 1 and view[0] == _ZERO and _AFTER_ZERO[view[1]]:
        return True
    doubtful = [ord(character) for character in "+ " if character.encode() in window and character != delimiter]
    small, equal = np.empty(_SLICE_BYTES, dtype=bool), np.empty(_SLICE_BYTES, dtype=bool)
    for first in range(0, len(view) - 2, _SLICE_BYTES):
        piece = view[first : min(first + _SLICE_BYTES, len(view) - 2)]
        before, zero = small[: len(piece)], equal[: len(piece)]
        following = view[first + 1 : first + 1 + len(piece)]
        np.less_equal(piece, most, out=before)
        for byte in doubtful:
            if np.isin(piece[np.flatnonzero(before & (following == byte))], begins).any():
                return True
        np.equal(following, _ZERO, out=zero)
        np.logical_and(before, zero, out=zero)
        np.greater_equal(view[first + 2 : first + 2 + len(piece)], _ZERO, out=before)
        np.logical_and(before, zero, out=zero)
        if zero.any():
            found = np.flatnonzero(zero)
            found = found[_AFTER_ZERO[view[found + (first + 2)]]]
            if np.isin(piece[found], begins).any():
                return True
    return False
