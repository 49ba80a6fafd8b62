"""One file to one Parquet part, staged until its table is committed."""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tasks.convert.parsed import Misfit, Parsed, Record
from tasks.convert.reading import choose_reader, decompress, read_bytes
from tasks.convert.rejects import write_rejects
from tasks.convert.types import ARROW_TYPES, TypeName, cast_texts, declared_type, infer_type
from tasks.errors import TableError
from tasks.spec import Column
from tasks.store import commit

Types = Mapping[str, TypeName]

REASONS_KEPT = 20  # kinds of misfit a file's report counts; its rejects hold every one
_SAID: Mapping[TypeName, str] = {"int": "an int", "timestamp_utc": "a timestamp"}


@dataclass(frozen=True)
class InputFile:
    """One file of a source: where it lies, what it is called in rejects, and its part's file name.

    `rows` is how many records it holds, where that is known from when it was landed.
    """

    path: Path
    name: str
    part: str
    rows: int | None = None


@dataclass(frozen=True)
class Target:
    """Where a source's parts and rejects are staged, and what is declared of its columns.

    `typed` is false where JSON values are texts of unknown type, as pages give
    them; `explode` is the column of lists whose elements are rows.
    """

    source: str
    parts: Path
    rejects: Path
    columns: Mapping[str, Column]
    typed: bool
    explode: str | None = None


@dataclass(frozen=True)
class ConvertedFile:
    """What became of one input file; `types` are those of its own values, in the order of its columns."""

    name: str
    part: str
    types: dict[str, TypeName]
    rows_received: int
    rows_rejected: int
    reasons: dict[str, int]
    rows_duplicate: int = 0
    size: int = 0
    mtime_ns: int = 0
    sha256: str = ""

    @property
    def rows_table(self) -> int:
        """Return the rows that stand in the part."""
        return self.rows_received - self.rows_rejected - self.rows_duplicate


async def convert_file(file: InputFile, target: Target, types: Types | None) -> ConvertedFile:
    """Stage a file's part, and its rejects where it has any.

    With `types` the part has exactly these columns; without, those of the file.

    Raises:
        TableError: the file cannot be read or is of no known format.

    """
    try:
        before = await asyncio.to_thread(file.path.stat)
        data = await read_bytes(file.path)
        parsed = await asyncio.to_thread(_parse, file, target, data)
        converted = await asyncio.to_thread(_stage, file, target, types, parsed)
        digest = await asyncio.to_thread(hashlib.sha256, data)
    except FileNotFoundError as error:
        raise TableError(f"{file.name}: is gone since it was listed; run again") from error
    except TableError as error:
        raise TableError(f"{file.name}: {error}") from error
    return replace(converted, size=before.st_size, mtime_ns=before.st_mtime_ns, sha256=digest.hexdigest())


def _parse(file: InputFile, target: Target, data: bytes) -> Parsed:
    reader = choose_reader(file.path, typed=target.typed, explode=target.explode)
    parsed = reader(decompress(data, file.path))
    held = parsed.received if parsed.lines is None else parsed.lines
    if file.rows is not None and held != file.rows:
        raise TableError(f"holds {held} rows, but {file.rows} were landed; fetch it again with --fresh")
    return parsed


def _stage(file: InputFile, target: Target, types: Types | None, parsed: Parsed) -> ConvertedFile:
    own = {name: _own_type(name, parsed, target) for name in parsed.texts.column_names}
    table, misfits = _cast(parsed, own if types is None else types)
    with commit(target.parts / file.part) as part:
        pq.write_table(table, part, compression="zstd")
    if misfits:
        write_rejects(target.rejects / file.part, target.source, file.name, misfits)
    return ConvertedFile(
        name=file.name,
        part=file.part,
        types=own,
        rows_received=parsed.received,
        rows_rejected=len(misfits),
        reasons=dict(Counter(misfit.reason for misfit in misfits).most_common(REASONS_KEPT)),
    )


def _own_type(name: str, parsed: Parsed, target: Target) -> TypeName:
    declared = target.columns.get(name)
    if declared is not None and declared.type is not None:
        return declared_type(parsed.texts[name], declared.type)
    return parsed.types[name] if parsed.types is not None else infer_type(parsed.texts[name])


def _cast(parsed: Parsed, types: Types) -> tuple[pa.Table, list[Misfit]]:
    """Return the rows that fit `types` as a table, and every record of the file that does not."""
    columns: dict[str, pa.Array | pa.ChunkedArray] = {}
    unfit: dict[int, str] = {}
    for name, type_name in types.items():
        if name not in parsed.texts.column_names:
            columns[name] = pa.nulls(parsed.texts.num_rows, ARROW_TYPES[type_name])
            continue
        cast = cast_texts(parsed.texts[name], type_name)
        columns[name] = cast.values
        for row in cast.misfits:
            unfit.setdefault(row, name)
    table = pa.table(columns)
    if not unfit:
        return table, list(parsed.misfits)
    misfits = [_misfit(parsed, row, name, record, types) for (row, name), record in _located(parsed, unfit)]
    kept = np.ones(table.num_rows, dtype=bool)
    kept[list(unfit)] = False
    return table.filter(pa.array(kept)), [*parsed.misfits, *misfits]


def _located(parsed: Parsed, unfit: Mapping[int, str]) -> Iterable[tuple[tuple[int, str], Record]]:
    return zip(unfit.items(), parsed.locate(list(unfit)), strict=True)


def _misfit(parsed: Parsed, row: int, name: str, record: Record, types: Types) -> Misfit:
    text = parsed.texts[name][row].as_py()
    return Misfit(record, name, f"{text!r:.60} is not {_SAID.get(types[name], f'a {types[name]}')}")
