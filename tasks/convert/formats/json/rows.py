"""JSON values as rows: objects flattened, lists exploded, and rows as columns of texts with their types."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain, repeat
from operator import is_
from typing import Any, NamedTuple

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tasks.convert.files.byte_view import ByteView
from tasks.convert.formats.json.cells import gather, spread, whole_of
from tasks.convert.schema.inference import infer_type
from tasks.convert.schema.misfits import make_misfits
from tasks.convert.schema.names import refuse_width
from tasks.convert.schema.types import EXACT_IN_FLOAT, LEAST_INT, MOST_INT, NULL_TEXTS, TypeName, Types, widen
from tasks.convert.schema.values import take_out

Row = dict[str, Any]

NO_JSON = ("not JSON", "not UTF-8")
"""How the reason begins for a line that is no JSON."""
NOT_A_LIST = "is not a list"
"""How the reason ends for a record that cannot be exploded."""
TOO_DEEP = "nested too deeply"
"""The reason for a record that is nested deeper than Python is sure to write."""
DEEPEST = 900
"""Levels of a record at most: Python may not write all that is nested as deep as it reads."""
_ESCAPE = b"\\u"
_SURROGATE = b"\\ud"  # how JSON begins the escape of half a pair
_REFUSED = "$reject"  # key of the reason in the line of a page, or of a record, that gave no row
_REFUSALS = (frozenset({_REFUSED, "url"}), frozenset({_REFUSED, "text"}))


class NotARowError(NamedTuple):
    """Why a line is no row, and which column's value makes it so."""

    reason: str
    column: str | None = None


@dataclass(frozen=True)
class NoRow:
    """A record whose list has no element, and the columns that its rows would have."""

    names: tuple[str, ...]


_decode, _decode_lines = msgspec.json.Decoder().decode, msgspec.json.Decoder().decode_lines
_HALF = "\ud800"  # half of a surrogate pair
write_json = json.JSONEncoder(ensure_ascii=False).encode  # json.dumps makes one for each value
_WRITTEN_ALIKE = {str: pa.string(), int: pa.int64(), bool: pa.bool_()}
HALF = NotARowError("half of a surrogate pair is not a text")
"""Why a line is no row in which the escape of half a pair stands alone."""
TWICE = NotARowError("two values for one column, by a nested key and by one with a dot")
"""Why a line is no row two of whose values have one name once it is flattened."""


def rows_of_line(
    line: bytes,
    *,
    explode: str | None = None,
    keeps_empty: bool = False,
    refusals: bool = False,
    is_doubtful: bool = False,
) -> list[Row] | NotARowError | NoRow:
    """Return the rows of a line: one, or one for each element of the list in the column `explode`.

    A record without an element is none, unless it is kept. With `refusals` an object of `$reject` and `url` is the line of a page that
    gave no row, one of `$reject` and `text` that of a record, and `$reject` the reason. One that is doubtful is left to Python's reader.
    """
    try:
        value = json.loads(line.decode("utf-8")) if is_doubtful else value_of(line)
        rows = rows_of(value, line, explode, keeps_empty=keeps_empty, refusals=refusals)
        if may_be_half(line):
            write_json(value).encode("utf-8")
    except UnicodeDecodeError:
        return NotARowError(NO_JSON[1])
    except UnicodeEncodeError:
        return HALF
    except RecursionError:
        return NotARowError(TOO_DEEP)
    except ValueError as error:
        return NotARowError(f"{NO_JSON[0]}: {error}")
    return rows


def decode_together(window: ByteView) -> list[Any] | None:
    """Return the values of lines, decoded together; None where one is no JSON to msgspec."""
    try:
        return _decode_lines(window.view)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def decode_each(window: ByteView) -> list[Any] | None:
    """Return the same as Python reads each line, which takes numbers that msgspec refuses; None where one is no JSON, or may have half a surrogate pair."""
    if may_be_half(window.data):
        return None
    try:
        return list(map(json.loads, filter(str.strip, str(window.view, "utf-8").split("\n"))))
    except (ValueError, RecursionError):
        return None


def flat_rows(window: ByteView, values: Sequence[Any] | None) -> list[Row] | None:
    """Return the values of lines as rows; None where one is no object, is nested too deeply or has two values for one column, or none has keys."""
    if values is None or set(map(type, values)) != {dict} or not all(values):
        return None
    kinds = set(map(type, chain.from_iterable(map(dict.values, values))))
    if not kinds.isdisjoint((dict, list)) and are_deep(window, values):
        return None
    if dict not in kinds:
        return list(values)
    rows = [row for value in values if (row := flatten(value)) is not None]
    return rows if len(rows) == len(values) else None


def are_deep(window: ByteView, values: Sequence[Any]) -> bool:
    """Return whether one of the values of lines is nested too deeply, which takes a long line."""
    ends = np.concatenate(([-1], window.line_ends, [len(window)]))
    return bool(np.diff(ends).max() > 2 * DEEPEST) and _are_deep(values)


def may_be_half(line: bytes) -> bool:
    """Return whether a line has the escape of half a surrogate pair, be it of one or of two halves."""
    return _ESCAPE in line and _SURROGATE in line.lower()


def _are_deep(values: Sequence[Any]) -> bool:
    """Return whether one of these values is nested deeper than Python is sure to write, from wherever it is called."""
    level = [value for value in values if isinstance(value, dict | list)]
    for _ in range(DEEPEST):
        inner = chain.from_iterable(each.values() if isinstance(each, dict) else each for each in level)
        level = [each for each in inner if isinstance(each, dict | list)]
        if not level:
            return False
    return True


def is_refusal(value: Collection[str]) -> bool:
    """Return whether an object has the keys of the line of a page, or of a record, that gave no row."""
    return len(value) == len(_REFUSALS[0]) and set(value) in _REFUSALS


def reject_of(records: pa.Table, found: Collection[NotARowError]) -> pa.Table:
    """Return the lines that are no rows, each with the reason."""
    return make_misfits(records, [each.reason for each in found], [each.column for each in found])


def value_of(line: bytes) -> Any:
    """Return the value of a line as Python reads it: msgspec reads none otherwise, but refuses some."""
    try:
        return _decode(line)
    except (msgspec.DecodeError, RecursionError):
        return json.loads(line.decode("utf-8"))


def rows_of(
    value: Any, text: bytes, explode: str | None = None, *, keeps_empty: bool = False, refusals: bool = False
) -> list[Row] | NotARowError | NoRow:
    """Return the rows of a JSON value, which is written in `text`, or why it is none."""
    if text.count(b"[") + text.count(b"{") > DEEPEST and _are_deep([value]):
        return NotARowError(TOO_DEEP)
    if not isinstance(value, dict):
        return NotARowError("not a JSON object")
    if not value:
        return NotARowError("an object without keys")
    if refusals and is_refusal(value) and isinstance(value[_REFUSED], str):
        return NotARowError(value[_REFUSED])
    row = flatten(value, explode)
    if row is None:
        return TWICE
    return [row] if explode is None else _explode(row, explode, keeps_empty=keeps_empty)


def flatten(value: Row, unflattened: str | None = None) -> Row | None:
    """Return the columns of an object and their values, mostly the object itself; None where two have one name."""
    if dict not in set(map(type, value.values())):
        return value
    row: Row = {}
    return row if _add(row, value, "", unflattened) else None


def _add(row: Row, value: Row, prefix: str, unflattened: str | None) -> bool:
    """Add columns and values to a row, those of nested objects as `outer.inner`, the column `unflattened` as it is; return whether no name comes twice."""
    for key, inner in value.items():
        name = prefix + key
        if type(inner) is dict and inner and name != unflattened:
            if not _add(row, inner, f"{name}.", unflattened):
                return False
        elif name in row:
            return False
        else:
            row[name] = inner
    return True


def _explode(row: Row, column: str, *, keeps_empty: bool) -> list[Row] | NotARowError | NoRow:
    """Return a row for each element of the list in `column`; where there is none, with null there if that is kept."""
    elements = row.get(column)
    if elements is None or elements == []:
        return [row | dict.fromkeys({column} & row.keys())] if keeps_empty else NoRow(tuple(row))
    if not isinstance(elements, list):
        return NotARowError(f"{elements!r:.60} {NOT_A_LIST}", column)
    names = list(row)
    place = names.index(column)
    before = {name: row[name] for name in names[:place]}
    after = {name: row[name] for name in names[place + 1 :]}
    rows = []
    for element in elements:
        inner = flatten({column: element})
        if inner is None:
            return TWICE
        rows.append({**before, **inner, **after})
        if len(rows[-1]) < len(before) + len(inner) + len(after):
            return TWICE
    return rows


def is_replaced(explode: str, names: Iterable[str]) -> bool:
    """Return whether there are columns of the elements of `explode`, which stand in its place."""
    return any(name.startswith(f"{explode}.") for name in names)


TIME_TYPES = frozenset({"date", "timestamp", "timestamp_utc"})
NULL_WORDS = frozenset(NULL_TEXTS)

NullsOf = Callable[[str], Collection[str]]
"""What is declared to mean null in a column, by its name in the source."""


def nothing_declared(_: str) -> Collection[str]:
    """Return the texts that mean null where none are declared."""
    return ()


def nothing_plain(_: str) -> bool:
    """Return whether a column's values may be given in their type where all are to be texts."""
    return False


def columns_of(
    rows: Sequence[Row],
    names: Sequence[str] | None = None,
    *,
    typed: bool = True,
    nulls_of: NullsOf = nothing_declared,
    is_plain: Callable[[str], bool] = nothing_plain,
) -> tuple[pa.Table, Types | None]:
    """Return the rows as columns of texts, those of some names or of all that they have, and with `typed` their types in JSON.

    A column that few rows have, of whole numbers alone, is given as these where it is plain.

    Raises:
        TableError: they have too many different columns.

    """
    names = names_of(rows) if names is None else names
    refuse_width(len(names), len(rows))
    columns: dict[str, pa.ChunkedArray] = {}
    types: dict[str, TypeName] = {}
    for name, (found, places) in zip(names, gather(rows, names), strict=True):
        if typed and is_plain(name) and (whole := whole_of(found, places, len(rows))) is not None:
            columns[name], types[name] = pa.chunked_array([whole]), "int"
            continue
        values = found if isinstance(found, list) else found.tolist()
        texts, types[name] = column_of(values, nulls_of(name), typed=typed)
        columns[name] = texts if places is None else pa.chunked_array([spread(texts.chunk(0), places, len(rows))])
    return pa.table(columns), types if typed else None


def column_of(values: list[Any], nulls: Collection[str], *, typed: bool = True) -> tuple[pa.ChunkedArray, TypeName]:
    """Return values as a column of texts, and with `typed` their type in JSON."""
    texts = pa.chunked_array([texts_of(values)])
    return texts, json_type(values, texts, nulls) if typed else "string"


def names_of(rows: Sequence[Row], explode: str | None = None, more: Iterable[str] = ()) -> list[str]:
    """Return the names in the order they are met, and `more`; that of a list whose elements all have columns of their own is none."""
    met: Row = {}
    for row in rows:
        met |= row
    names = list(met | dict.fromkeys(more))
    if (
        explode is not None
        and explode in names
        and is_replaced(explode, names)
        and all(row.get(explode) is None for row in rows)
    ):
        names.remove(explode)
    return names


def texts_of(values: Sequence[Any]) -> pa.Array:
    """Return values as texts: mostly they are of one kind, which Arrow writes as Python does."""
    kinds = set(map(type, values)) - {type(None)}
    if len(kinds) == 1 and (kind := next(iter(kinds))) in _WRITTEN_ALIKE:
        with suppress(OverflowError):
            return pa.array(values, _WRITTEN_ALIKE[kind]).cast(pa.string())
    if kinds <= {int, float, str}:
        return pa.array(
            map(str, values), pa.string(), size=len(values), mask=_are_null(values)
        )  # each as repr writes it
    return write_texts(values) if kinds.isdisjoint((str, float)) else pa.array(map(text_of, values), pa.string())


def write_texts(values: Sequence[Any]) -> pa.Array:
    """Return values that are neither texts nor floats, or null, as texts."""
    encode = json.JSONEncoder(ensure_ascii=False, check_circular=False).encode
    # As one list in which what none holds stands between them: a third faster.
    texts = encode([part for each in values for part in (_HALF, each)])[len(f'["{_HALF}", ') : -1]
    each = texts.split(f', "{_HALF}", ') if values else []
    return pc.if_else(pa.array(_are_null(values)), None, pa.array(each, pa.string()))


def _are_null(values: Sequence[Any]) -> np.ndarray:
    return np.fromiter(map(is_, values, repeat(None)), bool, len(values))


def text_of(value: Any) -> str | None:
    """Return a value as a row has it: a text as it is, all else as JSON."""
    if value is None or isinstance(value, str):
        return value
    if type(value) in (int, float):
        return repr(value)  # what json.dumps gives, in a fifth of the time
    return write_json(value)


def json_type(values: list[Any], texts: pa.ChunkedArray, nulls: Collection[str] = ()) -> TypeName:
    """Return the type that a column's values have in JSON; texts that are all times are times, and words for null are nothing."""
    if nulls:
        texts = take_out(texts, nulls)
        values = [value if known else None for value, known in zip(values, texts.is_valid().to_pylist(), strict=True)]
    kinds = set(map(type, values)) - {type(None)}
    if str in kinds and all(value in NULL_WORDS for value in values if type(value) is str):
        kinds -= {str}  # "NA" among numbers, or alone
    name: TypeName = "null"
    for kind in kinds:
        name = widen(name, {bool: "bool", int: "int", float: "float"}.get(kind, "string"))
    whole = [value for value in values if type(value) is int] if name in ("int", "float") else []
    if whole and name == "float" and max(map(abs, whole)) > EXACT_IN_FLOAT:
        return "string"  # as a float it would lose digits
    if whole and name == "int" and not LEAST_INT <= min(whole) <= max(whole) <= MOST_INT:
        return "string"  # beyond 64 bits
    inferred = infer_type(texts) if name == "string" else name
    return inferred if inferred in TIME_TYPES else name
