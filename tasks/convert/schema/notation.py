"""How the numbers among the texts of a column are written: what separates decimals and thousands, and what stands around them."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache

_SHOWN_CHARACTERS = 40
_MOST_UNITS = 3
_FEW = 3
_GROUP = 3  # digits between separators of thousands
_BLANKS = " \u00a0\u2007\u2009\u202f"
AMOUNT = re.compile(rf"(?P<before>[^\d.,]*)(?P<number>\d+(?:[.,'_{_BLANKS}]\d+)*)(?P<behind>[^\d]*)", re.DOTALL)
"""A number, and what stands before and behind it."""
WORDS = (
    ("yes", "no"), ("y", "n"), ("true", "false"), ("t", "f"), ("on", "off"),
    ("ja", "nein"), ("j", "n"), ("wahr", "falsch"), ("oui", "non"), ("sí", "no"), ("si", "no"), ("sim", "não"), ("tak", "nie"), ("ano", "ne"),
)  # fmt: skip
"""Words for true and for false."""
DATE_FORMATS = (
    "%d.%m.%Y", "%d.%m.%Y %H:%M", "%d.%m.%Y %H:%M:%S", "%d.%m.%y",
    "%d/%m/%Y", "%m/%d/%Y", "%d/%m/%Y %H:%M", "%m/%d/%Y %H:%M", "%d/%m/%Y %H:%M:%S", "%m/%d/%Y %H:%M:%S",
    "%d-%m-%Y", "%m-%d-%Y", "%Y/%m/%d", "%Y/%m/%d %H:%M:%S", "%Y.%m.%d",
    "%d %b %Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y", "%d-%b-%Y", "%a, %d %b %Y %H:%M:%S %z",
)  # fmt: skip
_UNITS = frozenset({
    "eur", "usd", "gbp", "chf", "jpy", "sek", "nok", "dkk", "pln", "czk", "kč", "kr", "zł", "ft", "rs", "us$",
    "kg", "g", "mg", "lb", "lbs", "oz", "km", "m", "cm", "mm", "mi", "in", "l", "ml", "m²", "m³", "km²", "km/h", "mph",
    "°c", "°f", "h", "min", "s", "ms", "kwh", "kw", "mw", "w", "v", "pcs", "stk", "stück", "st", "gb", "mb", "kb",
})  # fmt: skip
"""Units that are one wherever they stand beside a number; other letters may be a part of a code, as R of R2."""


@dataclass(frozen=True)
class Notation:
    """How the numbers among texts are written: what separates decimals and thousands where that is certain, and what stands around them.

    `open` is what separates decimals or thousands, and nothing tells which, e.g. the point of 1.234.
    """

    decimal: str
    thousands: str
    open: str
    units: tuple[str, ...]
    example: str

    @classmethod
    def of(cls, texts: Sequence[str]) -> Notation | None:
        """Return how texts are written that all hold one number; None where one holds another, or they do not agree."""
        matches = [AMOUNT.fullmatch(text.strip()) for text in texts]
        found = [match for match in matches if match is not None]
        if not texts or len(found) < len(texts):
            return None
        decimals, thousands, either = set[str](), set[str](), set[str]()
        for match in found:
            of_decimals, of_thousands, of_either = _separators(match["number"])
            decimals, thousands, either = decimals | of_decimals, thousands | of_thousands, either | of_either
        either -= decimals | thousands
        units = Counter(unit for match in found for unit in (_unit(match["before"]), _unit(match["behind"])) if unit)
        if len(decimals) > 1 or len(thousands) > 1 or len(either) > 1 or decimals & thousands:
            return None
        if not all(is_known_unit(unit) or _is_repeated(unit, texts) for unit in units):
            return None
        example = max(texts, key=lambda text: (sum(not c.isalnum() for c in text), text == texts[0]))
        return cls("".join(decimals), "".join(thousands), "".join(either), tuple(units), cut(example.strip()))

    def resolve(self, decimals: Collection[str]) -> tuple[str, str, str]:
        """Return what separates decimals, and thousands, and why that is not certain; `decimals` are those of other columns beside."""
        decimal, thousands = self.decimal, self.thousands
        if not decimal and self.open and len({*decimals}) == 1 and thousands in ("", self.open):
            decimal = next(iter(decimals))
        if self.open and not decimal and not thousands:
            return "", self.open, f"the {self.open} of {self.example} may separate thousands, as here, or decimals"
        if self.open and self.open != decimal:
            thousands = thousands or self.open
        if not thousands and self.decimal and self.units:
            thousands = "," if decimal == "." else "."  # beside a known decimal sign the other one can be nothing else
        return decimal, thousands, ""

    def doubt_units(self) -> str:
        """Return why what stands around the numbers may be more than their unit."""
        if len(self.units) > 1:
            said = " and ".join(self.units[:_MOST_UNITS])
            return f"numbers of different units, {said}, would stand in one column as if they had one"
        (unit,) = self.units
        return "" if is_known_unit(unit) else f"as in {self.example}, where {unit} is taken for a unit"


def _is_repeated(unit: str, texts: Sequence[str]) -> bool:
    """Return whether a word stands beside all of several numbers, with a blank between: no part of a code, as R of R2, or of an address."""
    return unit.isalpha() and len(texts) >= _FEW and all(text.strip().endswith(f" {unit}") for text in texts)


@lru_cache(maxsize=1_000)  # mostly it is the same beside all numbers of a column
def is_known_unit(text: str) -> bool:
    """Return whether what stands beside a number is a unit or a currency wherever it stands."""
    return text.strip(".").lower() in _UNITS or all(unicodedata.category(each) in ("Sc", "Po", "So") for each in text)


def _separators(number: str) -> tuple[set[str], set[str], set[str]]:
    """Return what separates decimals, and thousands, and what may be either, in a number."""
    signs = [" " if sign in _BLANKS else sign for sign in number if not sign.isdigit()]
    groups = re.split(r"\D", number)
    if not signs:
        return set(), set(), set()
    last, rest = signs[-1], {*signs[:-1]}
    is_grouped = len(groups[0]) <= _GROUP and all(len(group) == _GROUP for group in groups[1:])
    if rest - {last}:
        return {last}, rest, set()
    if rest or last in " '_":
        return (set(), {last}, set()) if is_grouped else ({last}, {last}, set())  # which nobody writes
    if is_grouped and not groups[0].startswith("0"):
        return set(), set(), {last}
    return {last}, set(), set()


def _unit(text: str) -> str:
    return text.strip(f"{_BLANKS}+-\ufeff")


def cut(text: str) -> str:
    """Return the beginning of a text, as a comment shows it."""
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[: _SHOWN_CHARACTERS - 1]}…"
