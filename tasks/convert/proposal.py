"""What may be declared of the columns at the head of a file or an answer: how their texts are to be read, and which is the key."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import ValidationError

from tasks.config import Column
from tasks.convert.head import Head
from tasks.convert.schema.notation import DATE_FORMATS, WORDS, Notation, cut
from tasks.convert.schema.spelling import find_misfits
from tasks.convert.schema.types import NULL_TEXTS, TypeName
from tasks.convert.schema.values import cast_texts

_FEW = 3  # texts on which a way of writing is tried before all are
_MOST_WORDS = 3
_MOST_DATE_CHARACTERS = 40
_NEARLY = 0.5  # of the values: as many numbers are a column of numbers, but for words that mean null

_VERSION = frozenset({"version", "ver", "release", "build", "chapter", "section"})
_PADDED = re.compile(r"0\d+")
_DIGITS = re.compile(r"[+-]?\d+")
_OF_TIME = re.compile(
    r"(?i)(?:^|_|\b)(?:time|date|timestamp|ts|epoch|created|updated|modified|at|on)(?:$|_|\b)|[a-z](?:At|On|Time|Date)$"
)
_SECONDS = (631_152_000, 4_102_444_800)  # from 1990 to 2100
_DAYS = (19_000_101, 21_001_231)
_ID_WORDS = frozenset(
    {"id", "uuid", "guid", "key", "code", "nr", "no", "number", "nummer", "num", "sku", "isbn", "ean", "slug"}
)
_NAME_WORD = re.compile(r"[a-z0-9]+|[A-Z]+(?![a-z])|[A-Z][a-z0-9]*|[^\W\d_]+")


@dataclass(frozen=True)
class ColumnProposal:
    """A column of a head: its type there and a value, what may be declared of it, and `why`; what is not certain is to be looked at."""

    name: str
    type: TypeName
    example: str
    declared: Mapping[str, Any] = field(default_factory=dict)
    why: str = ""
    is_certain: bool = False


@dataclass(frozen=True)
class KeyProposal:
    """A column of which no two rows at the head have the same value."""

    column: str
    is_certain: bool


def propose_columns(head: Head, others: Collection[str] = ()) -> list[ColumnProposal]:
    """Return a proposal for each column: what is certain has been tried on every value of the head.

    `others` are what separates decimals in files that are read with this one.
    """
    decimals = {head.guess.decimal} if head.guess is not None and head.guess.decimal == "," else set[str]()
    decimals |= {*others}
    texts = {name: _texts(head.rows[name]) for name, kind in head.types.items() if kind == "string"}
    written = {name: Notation.of(values) for name, values in texts.items()}
    decimals |= {each.decimal for each in written.values() if each is not None and each.decimal}
    proposals = [
        _propose(name, kind, head.rows[name], texts.get(name), written.get(name), decimals)
        for name, kind in head.types.items()
    ]
    doubts = {} if head.guess is None else {hint.column: hint.example for hint in head.guess.doubts}
    return [_read_grouped(each, doubts[each.name], decimals) if each.name in doubts else each for each in proposals]


def _read_grouped(proposal: ColumnProposal, example: str, decimals: Collection[str]) -> ColumnProposal:
    """Return the proposal of a column that was read as one of decimals, where its points may separate thousands: other columns tell."""
    declared = {"type": "int", "thousands": ".", "decimal": ","}
    if "," in decimals:
        why = f"as in {example}: other columns have decimal commas"
        return replace(proposal, declared=declared, why=why, is_certain="." not in decimals)
    return replace(
        proposal, declared=declared, why=f"{example} may be a whole number, or one with decimals, as it is read"
    )


def propose_key(head: Head, owner: str) -> KeyProposal | None:
    """Return the column that may identify the rows of the table `owner`; None where no column's name and values are those of one.

    It is certain where it is called id, or as the table with id, as order_id of orders.
    """
    own = {f"{owner}id", f"{owner.rstrip('s')}id", "id", "uuid", "guid"}
    found = [
        name for name, kind in head.types.items() if kind in ("int", "long", "string") and _is_unique(head.rows[name])
    ]
    named = [name for name in found if "".join(_words(name)) in own]
    if named:
        return KeyProposal(min(named, key=lambda name: len(_words(name))), is_certain=True)
    like = next((name for name in found if _words(name)[-1:] and _words(name)[-1] in _ID_WORDS), None)
    return None if like is None else KeyProposal(like, is_certain=False)


def is_id(name: str) -> bool:
    """Return whether a column's name is that of an id."""
    return bool(_ID_WORDS & {*_words(name)[-1:]})


def _words(name: str) -> list[str]:
    return [word.lower() for word in _NAME_WORD.findall(name)]


def _is_unique(values: pa.ChunkedArray) -> bool:
    return len(values) > 1 and not values.null_count and pc.count_distinct(values).as_py() == len(values)


def _texts(values: pa.ChunkedArray) -> list[str]:
    """Return the distinct texts of a column, without those that mean null."""
    return [text for text in pc.unique(values).to_pylist() if text is not None and text.strip() not in NULL_TEXTS]


def _propose(
    name: str,
    kind: TypeName,
    values: pa.ChunkedArray,
    texts: Sequence[str] | None,
    written: Notation | None,
    decimals: Collection[str],
) -> ColumnProposal:
    first = next((value for value in values.to_pylist() if value is not None), None)
    plain = ColumnProposal(name, kind, "" if first is None else cut(str(first)))
    if first is None:
        return replace(plain, why="no value in the head, so that its type is told by rows that follow")
    if texts is None:
        return _propose_time(plain, values)
    proposals = (
        *_as_words(texts),
        *_as_dates(texts),
        *_as_numbers(texts, written, decimals),
        *_as_nearly(texts, values),
    )
    may_be = not _VERSION & {*_words(name)} and len(values) > 1
    for declared, why, is_certain in proposals:
        if _fits(values, declared):
            return replace(plain, declared=declared, why=why, is_certain=is_certain and may_be)
    if padded := next(filter(_PADDED.fullmatch, texts), None):
        return replace(plain, example=cut(padded), why="text, as digits with a zero before them are")
    if texts and all(text[:1] in "[{" for text in texts):
        return replace(plain, why="lists or objects, kept as JSON text")
    return plain


_Proposal = tuple[dict[str, Any], str, bool]


def _as_words(texts: Sequence[str]) -> Iterator[_Proposal]:
    """Yield a bool where the texts are words for true and false."""
    words = {text.strip().lower(): text.strip() for text in texts}
    for true, false in WORDS:
        if {*words} == {true, false}:
            yield (
                {"type": "bool", "true": [words[true]], "false": [words[false]]},
                f"{words[true]} and {words[false]} are its only words",
                True,
            )
        elif len(words) == 1 and (true in words or false in words) and len(texts[0].strip()) > 1:
            declared = {"type": "bool", "true": [words.get(true, true)], "false": [words.get(false, false)]}
            yield declared, f"{cut(texts[0])} is its only word in the head, so that the other one is a guess", False
            return


def _as_dates(texts: Sequence[str]) -> Iterator[_Proposal]:
    """Yield the formats of dates that all texts have; where it is more than one, none is certain."""
    if (
        not texts
        or max(map(len, texts)) > _MOST_DATE_CHARACTERS
        or not all(any(c.isdigit() for c in text) for text in texts[:_FEW])
    ):
        return
    some, every = pa.chunked_array([pa.array(texts[:_FEW])]), pa.chunked_array([pa.array(texts)])
    found = []
    for each in DATE_FORMATS:
        declared = {"type": "timestamp" if "%H" in each else "date", "format": each}
        if _fits(some, declared) and _fits(every, declared):
            found.append(declared)
    if len(found) == 1:
        yield found[0], f"as in {cut(texts[0])}", True
    elif found:
        others = ", ".join(each["format"] for each in found[1:])
        yield (
            found[0],
            f"{cut(texts[0])} may be written as {found[0]['format']}, or as {others}: nothing in the head tells",
            False,
        )


def _as_numbers(texts: Sequence[str], written: Notation | None, decimals: Collection[str]) -> Iterator[_Proposal]:
    """Yield how texts are numbers, with what stands around them."""
    if written is None or any(map(_PADDED.fullmatch, texts)):
        return
    decimal, thousands, doubt = written.resolve(decimals)
    if not (written.units or decimal or thousands):
        yield {"type": "int"}, "text of nothing but digits, as ids are too", False
        return
    declared: dict[str, Any] = {"type": "float" if written.decimal or written.units else "int"}
    if written.units:
        declared["strip"] = list(written.units)
        doubt = doubt or written.doubt_units()
    if thousands:
        declared["thousands"] = thousands
    if decimal == "," or thousands == ".":
        declared["decimal"] = ","
    if not written.units or _fits(_array(texts), {**declared, "strip": True}):  # 12k, and 5 Mio, are more than 12 and 5
        yield declared, doubt or f"as in {written.example}", not doubt


def _as_nearly(texts: Sequence[str], values: pa.ChunkedArray) -> Iterator[_Proposal]:
    """Yield numbers where but a few words are none, which may mean null."""
    others = [texts[place] for place in cast_texts(_array(texts), "float").misfits]
    if not 0 < len(others) <= _MOST_WORDS or any(map(_PADDED.fullmatch, texts)):
        return
    words = pc.sum(pc.is_in(values, pa.array(others))).as_py() or 0
    if words < len(values) * _NEARLY:
        said = ", ".join(map(cut, others))
        yield (
            {"type": "float", "nulls": [text.strip() for text in others]},
            f"text, as {said} is no number; it may mean null",
            False,
        )


def _propose_time(plain: ColumnProposal, values: pa.ChunkedArray) -> ColumnProposal:
    """Return the same of numbers that may be times."""
    if not pa.types.is_integer(values.type):
        return plain
    least, most = (pc.min_max(values)[key].as_py() for key in ("min", "max"))
    for factor, unit in ((1, "s"), (1000, "ms"), (1_000_000, "us")):
        if _SECONDS[0] * factor <= least and most <= _SECONDS[1] * factor and _OF_TIME.search(plain.name):
            return replace(
                plain, declared={"type": "timestamp", "unit": unit}, why=f"by its name it may count {unit} since 1970"
            )
    declared = {"type": "date", "format": "%Y%m%d"}
    if _DAYS[0] <= least and most <= _DAYS[1] and _fits(pc.cast(values, pa.string()), declared):
        return replace(plain, declared=declared, why="it may be a day, as 20240131 is")
    return plain


def _array(texts: Sequence[str]) -> pa.ChunkedArray:
    return pa.chunked_array([pa.array(texts, pa.string())])


def _fits(values: pa.ChunkedArray, declared: Mapping[str, Any]) -> bool:
    """Return whether every value is what would be declared, as a run finds out."""
    try:
        column = Column(**declared)
    except ValidationError:
        return False
    return not find_misfits(values, column)
