"""A block of whole CSV records, and pyarrow's parse of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import pyarrow as pa
import pyarrow.csv as pa_csv

from tasks.convert.csv.head import Head
from tasks.convert.csv.records import Records
from tasks.convert.types import BOOL_TEXTS
from tasks.convert.window import Window


@dataclass(frozen=True)
class CsvBlock:
    """Whole records of a CSV file: their bytes in UTF-8, the head of the file, and the place of the first: line and byte.

    `raw` are the same lines as they stand in the file, where they were rewritten.
    """

    window: Window
    head: Head
    first_line: int = 1
    first_byte: int | None = 0
    raw: Window | None = None

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
