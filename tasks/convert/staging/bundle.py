"""Which small files are converted together: those of a kind, many at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from tasks.config import Reading
from tasks.config.formats import FORMATS
from tasks.convert.files.opening import suffixes
from tasks.convert.formats.csv.format import Csv, Tsv
from tasks.convert.formats.format import WholeFormat
from tasks.convert.formats.json.document import Json
from tasks.convert.formats.json.jsonl import Jsonl
from tasks.convert.formats.parquet import Parquet
from tasks.convert.formats.registry import format_of
from tasks.convert.staging.context import ConversionContext, InputFile
from tasks.convert.staging.gathering import GATHERED_FILES
from tasks.core.bucket.opened import is_below
from tasks.core.errors import TableError

SMALL_BYTES = 256 * 1024  # a Parquet file of less costs more to make and to open than its rows are worth
BUNDLE_BYTES = 16 * 1024 * 1024
MANY_FILES = 100  # fewer are converted each to a part of its own, which a change of the file then replaces

_USUAL_RATIO = 10  # of compressed files


def bundle_files(files: Sequence[InputFile], plan: ConversionContext) -> list[list[InputFile]]:
    """Return the files in units that are converted together: small ones of a format many at once, each other one alone."""
    if len(files) < MANY_FILES:
        return [[file] for file in files]
    units: list[list[InputFile]] = []
    open_units: dict[str, tuple[list[InputFile], float]] = {}
    for file in files:
        kind = _kind(file, plan)
        if kind is None:
            units.append([file])
            continue
        unit, size = open_units.get(kind.name, ([], 0.0))
        more = kind.ratio * file.size
        if not unit or size + more > BUNDLE_BYTES or (not kind.is_joined and len(unit) >= GATHERED_FILES):
            unit, size = [], 0.0
            units.append(unit)
        unit.append(file)
        open_units[kind.name] = unit, size + more
    return units


class _Kind(NamedTuple):
    """Files that may be converted together: how many bytes a byte of them mostly becomes, and whether they are joined first."""

    name: str
    ratio: float
    is_joined: bool


def _kind(file: InputFile, plan: ConversionContext) -> _Kind | None:
    """Return of what kind a file is; None where it is converted alone."""
    target = plan.target
    if not (file.is_local or is_below(file.path)) or target.partition_by or target.sort_by:
        return None
    try:
        found = format_of(file.name, target.reading)
    except TableError:  # which is told when it is opened
        return None
    suffix, compression = suffixes(file.name)
    ratio = (_USUAL_RATIO if compression else 1) * (found.usual_ratio if issubclass(found, WholeFormat) else 1)
    if ratio * file.size > SMALL_BYTES:
        return None
    return _Kind(f"{suffix}{compression}", ratio, may_be_joined(file, plan))


def may_be_joined(file: InputFile, plan: ConversionContext) -> bool:
    """Return whether a small file may be joined with others before they are parsed: CSV and JSON, where records are lines, and Parquet."""
    target = plan.target
    suffix, compression = suffixes(file.name)
    if (
        compression == ".zip" and not target.reading.format and suffix not in FORMATS.by_suffix
    ):  # its member's name tells
        return False
    if any(column.strip for column in target.columns.values()):  # what is taken off is told of each file
        return False
    kind = format_of(file.name, target.reading)
    if kind is Parquet:
        return target.explode is None
    if kind in (Jsonl, Json):
        reading = target.reading
        return target.explode is None and not reading.encoding and not reading.names and not reading.shape
    return kind in (Csv, Tsv) and file.rows is None and _is_usual(target.reading)


def _is_usual(reading: Reading) -> bool:
    """Return whether nothing is declared by which files have lines that are no records, or are no UTF-8."""
    declared = (reading.encoding, reading.comment, reading.escape, reading.header_row, reading.skip_rows)
    return (
        not any(declared) and reading.units_row in (None, False) and reading.skip_footer is reading.skip_blank is None
    )
