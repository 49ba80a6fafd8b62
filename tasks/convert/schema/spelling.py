"""How the texts of a column are written where nearly all of them are numbers, dates or truths: what to declare, and what it leaves out."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import Any, Literal

import pyarrow as pa

from tasks.config import Column
from tasks.convert.schema.cleaning import clean
from tasks.convert.schema.inference import declared_type
from tasks.convert.schema.notation import AMOUNT, DATE_FORMATS, WORDS, is_known_unit
from tasks.convert.schema.shapes import Shape
from tasks.convert.schema.types import NULL_TEXTS
from tasks.convert.schema.values import cast_texts, take_out

Kind = Literal["numbers", "dates", "truths"]

_FEW = 0.05  # of the values: more that are none make a column of texts
_MARKS = re.compile(r"[^\w%‰$€£¥°\u20a0-\u20cf]+")
_CODE = re.compile(r"\+?0\d|0[xX]|\+\d+$")
_DATED = re.compile(r"\d{1,4}[./-]\d{1,2}[./-]\d{2,4}|.*\b[A-Za-z]{3,}\b.*\d{4}")
_NO_NUMBER = re.compile(r"\s*(?!inf|nan)[^\W\d_]", re.IGNORECASE)
"""What begins so is no number unless it begins with a unit."""
_DIGIT = re.compile(r"\d")
_DIGITS = re.compile(r"0|[1-9][0-9]{0,14}")
"""A number, whatever separates thousands and decimals, and no date."""
_SIGNS = {",": ("", ".", " ", "'"), ".": ("", ",", " ", "'", "_")}
"""What may separate thousands, by what separates decimals."""


@dataclass(frozen=True)
class Spelling:
    """What the values of a column are but for `others`, each with how many there are, once it is declared so.

    Of `odd` values the type is not inferred, e.g. as they have separators of thousands; `either` is what else they may mean.
    """

    kind: Kind
    declared: Mapping[str, Any]
    values: int
    odd: Sequence[Shape]
    others: Sequence[Shape]
    either: str = ""

    @property
    def declaration(self) -> str:
        """Return what to declare, as it is written in a pipeline file."""
        return declaration_of(self.declared)

    @property
    def fitting(self) -> int:
        """Return how many of the values are of the kind."""
        return self.values - sum(each.times for each in self.others)


def declaration_of(declared: Mapping[str, Any]) -> str:
    """Return what is declared of a column as it is written in a pipeline file."""
    return ", ".join(
        f"{key}: {value if key == 'type' else json.dumps(value, ensure_ascii=False)}" for key, value in declared.items()
    )


def find_misfits(values: pa.ChunkedArray, declared: Column) -> set[int]:
    """Return the places of the values that are none of what would be declared, as a run finds them."""
    cleaned = clean(take_out(values, declared.nulls), declared)
    cast = cast_texts(cleaned.values, declared_type(cleaned.values, declared), declared)
    return {*cleaned.misfits, *cast.misfits.tolist()}


def find_spelling(
    shapes: Sequence[Shape], unknown: int, decimals: Sequence[str], *, are_texts: bool
) -> Spelling | None:
    """Return what nearly all values of a column of texts are; None where they are texts.

    Of `unknown` values nothing is known, but that most are texts. `decimals` are what may
    separate decimals, that of other columns first. With `are_texts` the format tells numbers from
    texts, so that digits alone are meant as text.
    """
    found = [each for each in shapes if each.example.strip() not in NULL_TEXTS]
    values = sum(each.times for each in found) + unknown
    column = _Texts(found, values, are_texts)
    if column.are_codes:
        return None
    best: Spelling | None = None
    for spelling in (*_as_numbers(column, decimals), *_as_dates(column), *_as_truths(column)):
        odd = sum(each.times for each in spelling.odd)
        if are_texts and 2 * odd < values:
            continue
        if best is None or spelling.fitting > best.fitting:
            best = spelling
    return best if best is not None and values - best.fitting <= values * _FEW else None


@dataclass(frozen=True)
class _Texts:
    """The shapes of a column's texts and how many values it has, whether its format tells that they are texts, and of each declaration that was tried the shapes that do not fit."""

    shapes: Sequence[Shape]
    values: int
    are_texts: bool
    tried: dict[str, set[int]] = field(default_factory=dict)

    def judge(self, kind: Kind, declared: Mapping[str, Any], plain: Mapping[str, Any]) -> Spelling:
        """Return what fits a declaration; odd is what does not fit `plain`, the one that would be inferred."""
        shapes, misfits, odd = self.shapes, self._misfits(declared), self._misfits(plain)
        others = [shapes[place] for place in sorted(misfits)]
        unknown = self.values - sum(each.times for each in shapes)
        if unknown:
            others.append(Shape(unknown, ""))
        return Spelling(kind, declared, self.values, [shapes[place] for place in sorted(odd - misfits)], others)

    def are_meant(self, plain: Mapping[str, Any]) -> bool:
        """Return whether most values fit the declaration that would be inferred, and the format tells that they are meant as texts: no other is tried, of hundreds of columns."""
        if not self.are_texts:
            return False
        return 2 * sum(self.shapes[n].times for n in self._misfits(plain)) < self.values

    @property
    def are_codes(self) -> bool:
        """Return whether most values are digits, and the format tells that they are meant as texts: mostly it is so, and nothing else is asked of them."""
        others = sum(each.times for each in self.shapes if not _DIGITS.fullmatch(each.example)) if self.are_texts else 0
        return self.are_texts and 2 * others < self.values

    def has_many(self, are: Iterable[bool]) -> bool:
        """Return whether so many values are none of a kind, which is told of each shape, that the column is one of texts."""
        return sum(each.times for each, is_none in zip(self.shapes, are, strict=True) if is_none) > self.values * _FEW

    def _misfits(self, declared: Mapping[str, Any]) -> set[int]:
        way = declaration_of(declared)
        if way not in self.tried:
            self.tried[way] = _misfits(self.shapes, declared)
        return self.tried[way]


def _misfits(shapes: Sequence[Shape], declared: Mapping[str, Any]) -> set[int]:
    texts = pa.chunked_array([pa.array([each.example for each in shapes], pa.string())])
    unknown = {place for place, each in enumerate(shapes) if "strip" in declared and _units_of(each.example) is None}
    return find_misfits(texts, Column(**declared)) | unknown


def _as_numbers(column: _Texts, decimals: Sequence[str]) -> Iterator[Spelling]:
    """Yield the best way to read numbers; none where digits are those of codes, as of 007, or many are no numbers."""
    shapes, values = column.shapes, column.values
    written = [each for each in shapes if AMOUNT.fullmatch(each.example.strip())]
    if 2 * sum(each.times for each in written) < values or any(_CODE.match(each.example.strip()) for each in shapes):
        return
    if column.has_many(map(_is_no_number, shapes)):
        return
    plain: Mapping[str, Any] = {"type": "float"} if decimals[0] == "." else {"type": "float", "decimal": decimals[0]}
    if column.are_meant(plain):
        return
    best, either = column.judge("numbers", plain, plain), ""
    for sign, way in _ways_to_write(shapes, decimals):
        read = column.judge("numbers", way, plain)
        is_other = best.declared.get("thousands") == sign != best.declared.get("decimal", ".")
        if read.fitting > best.fitting:
            best, either = read, ""
        elif read.fitting == best.fitting and is_other and decimals[0] != ",":
            either = either or declaration_of(way)
    whole = column.judge("numbers", {**best.declared, "type": "int"}, plain)
    yield replace(whole if whole.fitting == best.fitting else best, either=either)


def _is_no_number(shape: Shape) -> bool:
    text = shape.example
    return _NO_NUMBER.match(text) is not None and (_DIGIT.search(text) is None or _units_of(text) is None)


def _ways_to_write(shapes: Sequence[Shape], decimals: Sequence[str]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield what separates decimals, and all that may be declared of numbers with it, the usual first."""
    units = sorted({unit for each in shapes for unit in _units_of(each.example) or ()})
    strip: list[Any] = [None, *([units if len(units) == 1 else True] if units else [])]
    for sign in decimals:
        for thousands in _SIGNS[sign]:
            if not any(thousands in each.example for each in shapes):
                continue
            for affixes in strip:
                keys = {"strip": affixes, "thousands": thousands, "decimal": "" if sign == "." else sign}
                yield sign, {"type": "float"} | {key: value for key, value in keys.items() if value}


def _units_of(text: str) -> list[str] | None:
    """Return the units around a number; None where one is not known for one."""
    match = AMOUNT.fullmatch(text.strip())
    found = [match[side].strip("+- \u00a0\u202f") for side in ("before", "behind")] if match else []
    units = [unit for unit in found if unit]
    are_known = all(is_known_unit(unit) and not _MARKS.fullmatch(unit) for unit in units)
    return units if are_known else None


def _as_dates(column: _Texts) -> Iterator[Spelling]:
    """Yield the one way to read dates that fits most; none where two fit alike."""
    dated = sum(each.times for each in column.shapes if _DATED.match(each.example.strip()))
    if 2 * dated < column.values or column.has_many(_DIGIT.search(each.example) is None for each in column.shapes):
        return
    if column.are_meant({"type": "timestamp"}):
        return
    formats = [{"type": "date"}, {"type": "timestamp"}]
    usual = max(column.shapes, key=lambda each: each.times)
    written = (
        DATE_FORMATS
        if usual.times <= column.values * _FEW
        else filter(partial(_is_in, usual.example.strip()), DATE_FORMATS)
    )
    formats += [{"type": "timestamp" if "%H" in each else "date", "format": each} for each in written]
    found = [column.judge("dates", each, {"type": "timestamp"}) for each in formats]
    most = max(each.fitting for each in found)
    best = [each for each in found if each.fitting == most]
    if len(best) == 1 or best[0].declared == {"type": "date"}:
        yield best[0]


def _is_in(text: str, pattern: str) -> bool:
    """Return whether a text is a time in a format: what nearly all values of a column are, its most usual ones are."""
    try:
        datetime.strptime(text, pattern)  # noqa: DTZ007 - only whether it is one counts
    except ValueError:
        return False
    return True


def _as_truths(column: _Texts) -> Iterator[Spelling]:
    """Yield the words for true and for false, where both are there, and are no texts."""
    if column.are_texts:
        return
    words = {each.example.strip().lower() for each in column.shapes}
    for true, false in WORDS:
        if true in words and false in words:
            declared = {"type": "bool", "true": [true], "false": [false]}
            yield column.judge("truths", declared, {"type": "bool"})
