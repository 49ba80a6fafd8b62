"""What stands around numbers, as units and currencies do: told apart from what makes another number, and taken off."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tasks.config import Column
from tasks.convert.schema.currencies import BEFORE_A_SIGN, CODES, IN_ANY_CASE

_BLANK = r"\s\x{a0}\x{2007}\x{2009}\x{202f}\x{feff}"
_LETTER = r"\p{L}\p{M}"
_SYMBOL = r"\p{Sc}%‰°º²³/"
_NO_BREAK = "[\u00a0\u2007\u2009\u202f]"
# What multiplies a number, bounds it or tells its sign: without it, it would be another number.
_SCALES = re.compile(
    r"(?i)(?<!\w)(?:x|k(?=\W|$|eur|usd|chf|gbp)|[tm](?=[€$£]|eur|usd|chf|gbp)|(?-i:[MBT])(?!\w)|e(?!\w)"
    r"|(?<=[€$£¥])\s*…\s*[tm](?!\w)"
    r"|(?:ab|bis|ca|circa|about|over|under|max|min|bio|trn|trillions?|billiarden?|quadrillions?)(?!\w)"
    r"|(?:tsd|mio|mln|mn|mill|mrd|bn|bln|millions?|millionen|milliarden?|billions?|thousands?|hundreds?|tausend|dozens?|lakhs?|crores?|cr|dr)(?!\w)"
    r"|(?:mld|md|mdr|mia|mil|tys|тыс|млн|млрд|tkr|mnkr|mdkr)(?!\w))"
)
# Of letters before a number only a currency's are known not to be of a name, as A5 is one.
_CURRENCY = rf"(?:{BEFORE_A_SIGN})[$£¥]|[SB]/\.?|{CODES}|(?i:{IN_ANY_CASE})(?:\.[{_BLANK}])?"
_BETWEEN = "\x1f"
_ENDS = "\ufeff \t\u00a0\u2007\u2009\u202f"
_END = 2**31 - 1  # of any text: None has Arrow fail
_DIGITS, _SIGNS = "0123456789", "+-"
_MOST_WAYS = 256  # of writing units on one side; more are no units


@dataclass(frozen=True)
class _Affixes:
    """What may stand around a number: `around` are patterns with the groups sign, what is before it, it, and what is behind."""

    around: tuple[str, str]
    plain: str

    @staticmethod
    @cache
    def of(strip: bool | tuple[str, ...], separator: str) -> _Affixes:
        """Return those that are declared; what separates thousands is in a number."""
        digits = rf"\d+(?:[.,{re.escape(separator)}]\d+)*"
        ends = r"(?:[eE][+-]?\d+)?-?"
        if strip is True:
            last = rf"[\p{{Sc}}%‰{_BLANK}]"
            before = f"{last}*(?:{_CURRENCY})?{last}*"
            behind = rf"(?:[{_LETTER}]\.|[{_LETTER}{_SYMBOL}{_BLANK}])*"
        else:
            # A digit at its end would be the number's where it stands before one.
            texts = sorted((text.strip() for text in strip or ()), key=len, reverse=True)
            before = f"{_any_of(t for t in texts if not t[-1].isdigit())}*"
            last = _any_of(t for t in texts if not (t[-1].isalnum() or t.endswith(".")))
            behind = f"{_any_of(texts)}*"
        sign, after = rf"^[{_BLANK}]*(?P<sign>[+-]?)", f"(?P<behind>{behind})$"
        # After a letter .5 may be 5: of Rs.5 the point is the currency's.
        pointed = rf"{sign}(?P<before>(?:{before}{last})?)(?P<number>[+-]?[.,]\d+{ends}){after}"
        whole = rf"{sign}(?P<before>{before})(?P<number>[+-]?{digits}{ends}){after}"
        return _Affixes(
            (whole, pointed),
            rf"^[{_BLANK}]*[+-]?(?:{digits}|[.,]\d+|0[xX][0-9a-fA-F]+){ends}[{_BLANK}]*$",
        )


def _any_of(texts: Iterable[str]) -> str:
    return f"(?:{'|'.join([*map(_literal, texts), f'[{_BLANK}]'])})"


def _literal(text: str) -> str:
    """Return what matches a text, each blank in it any."""
    return f"[{_BLANK}]+".join(map(_quote, text.split()))


def _quote(text: str) -> str:
    return re.sub(r"([^\w])", lambda match: f"\\x{{{ord(match[1]):x}}}", text)


def strip_numbers(texts: pa.StringArray, declared: Column) -> tuple[pa.StringArray, Mapping[str, int]]:
    """Return the numbers among texts without what is declared to stand around them, the others as they are, and what was taken off."""
    texts = pc.utf8_trim_whitespace(texts)
    if declared.thousands == " " and pc.any(pc.match_substring_regex(texts, _NO_BREAK)).as_py():
        texts = pc.replace_substring_regex(texts, _NO_BREAK, " ")
    taken: Counter[str] = Counter()
    left: pa.Array = pc.indices_nonzero(pc.is_valid(texts))
    for is_before in (False, True):
        chosen = texts if len(left) == len(texts) else texts.take(left)
        sided = _strip_side(chosen, declared, is_before=is_before)
        if sided is None:
            continue
        texts = sided.texts if len(left) == len(texts) else _put(texts, left, sided.texts)
        left = left.filter(pc.invert(sided.done))
        taken.update(sided.taken)
        if not len(left):
            break
    else:
        affixes = _Affixes.of(declared.strip, declared.thousands or "")
        stripped, others = _strip_others(texts.take(left), affixes, is_any=declared.strip is True)
        texts = _put(texts, left, stripped)
        taken.update(others)
    return texts, {unit: count for unit, count in taken.items() if unit and count}


@dataclass(frozen=True)
class _Sided:
    """Texts of which those that are `done` are numbers that have something on one side at most, which `taken` counts."""

    texts: pa.StringArray
    done: pa.BooleanArray
    taken: Mapping[str, int]


def _find_often(encoded: pa.DictionaryArray) -> np.ndarray:
    """Return the ways of writing that come several times, at most as many as are judged."""
    counts = np.bincount(encoded.indices.drop_null().to_numpy(), minlength=len(encoded.dictionary))
    often = np.argsort(-counts, kind="stable")[:_MOST_WAYS]
    return often[counts[often] > 1]


def _strip_side(texts: pa.StringArray, declared: Column, *, is_before: bool) -> _Sided | None:
    """Return texts without what stands behind their numbers, or before them; None where that differs from text to text.

    Each way of writing, of many those that come often, is looked at once, beside the number 1: to match each text took ten times as long.
    """
    trim = pc.ascii_rtrim if is_before else pc.ascii_ltrim
    affix = trim(texts, characters=f"{_DIGITS}{_SIGNS}.,{declared.thousands or ''}")
    has_number = pc.not_equal(affix, texts)
    encoded = pc.if_else(has_number, affix, None).dictionary_encode()
    if len(encoded.dictionary) > _MOST_WAYS:
        often = _find_often(encoded)
        if not len(often):
            return None
        has_number = pc.is_in(encoded.indices, pa.array(often, pa.int32()))
        encoded = pc.if_else(has_number, affix, None).dictionary_encode()
    ways = _judge(tuple(encoded.dictionary.to_pylist()), declared.strip, declared.thousands or "", is_before=is_before)
    numbers = _cut(texts, pc.if_else(has_number, pc.binary_length(affix), 0), is_before=is_before)
    done = pc.and_(has_number, _are_plain(numbers, declared.thousands or ""))
    if not all(way.is_sure for way in ways):
        done = pc.and_(done, _of_each([way.is_sure for way in ways], encoded))
    is_cut = done if all(way.is_taken for way in ways) else pc.and_(done, _of_each([w.is_taken for w in ways], encoded))
    taken: Counter[str] = Counter()
    for each in pc.value_counts(encoded.indices.filter(is_cut)).to_pylist():
        taken[ways[each["values"]].unit] += each["counts"]
    return _Sided(numbers if pc.all(is_cut).as_py() else pc.if_else(is_cut, numbers, texts), done, taken)


@dataclass(frozen=True)
class _Way:
    """A way of writing on one side of a number: whether it is taken off, and whether that is so of every number."""

    unit: str
    is_taken: bool
    is_sure: bool


@lru_cache(maxsize=256)
def _judge(written: Sequence[str], strip: bool | tuple[str, ...], separator: str, *, is_before: bool) -> list[_Way]:
    """Return what is to become of ways of writing.

    Of 3e5 the exponent is of the number, of 5 m2 the number is not what stands last, and a sign may stand before a currency.
    """
    ones = [f"{way}1" if is_before else f"1{way}" for way in written]
    alone, _ = _strip_others(pa.array(ones, pa.string()), _Affixes.of(strip, separator), is_any=strip is True)
    return [
        _Way(
            _unit_of(way, "") if is_before else _unit_of("", way),
            left == "1",
            left in ("1", one) and not (re.search(r"[0-9]", way) if is_before else way.startswith(("e", "E"))),
        )
        for way, one, left in zip(written, ones, alone.to_pylist(), strict=True)
    ]


def _of_each(of_ways: Sequence[bool], encoded: pa.DictionaryArray) -> pa.BooleanArray:
    """Return for each text what is so of its way of writing; false of one that has none."""
    return pc.fill_null(pc.take(pa.array(of_ways, pa.bool_()), encoded.indices), fill_value=False)


def _cut(texts: pa.StringArray, lengths: pa.Array, *, is_before: bool) -> pa.StringArray:
    """Return texts without so many bytes at one end, those of a length together."""
    for length in pc.unique(lengths).to_pylist():
        if length:
            is_so = pc.equal(lengths, length)
            is_all = pc.all(is_so).as_py()
            whole = texts if is_all else pc.if_else(is_so, texts, "?" * length)  # of none is there less than is cut
            start, stop = (length, _END) if is_before else (0, -length)
            cut = pc.cast(pc.binary_slice(pc.cast(whole, pa.binary()), start, stop), pa.string())
            texts = cut if is_all else pc.if_else(is_so, cut, texts)
    return texts


def _are_plain(numbers: pa.StringArray, separator: str) -> pa.BooleanArray:
    """Return whether each begins and ends with a digit, but for a sign before; of what else is no number the cast tells."""
    data = memoryview(numbers.buffers()[2] or b"").tobytes()
    signs = [sign for sign in _SIGNS if sign.encode() in data]
    unsigned = pc.ascii_ltrim(numbers, characters=_SIGNS) if signs else numbers
    is_plain = pc.equal(pc.ascii_trim(unsigned, characters=f".,{separator}{_SIGNS}"), unsigned)
    is_plain = pc.and_(is_plain, pc.greater(pc.binary_length(unsigned), 0))
    for sign in signs:  # 12-15 is none, and no -- either
        is_plain = pc.and_(is_plain, pc.invert(pc.match_substring(unsigned, sign)))
    if signs:
        lengths = pc.subtract(pc.binary_length(numbers), pc.binary_length(unsigned))
        is_plain = pc.and_(is_plain, pc.less_equal(lengths, 1))
    return is_plain


def _put(texts: pa.StringArray, places: pa.Array, others: pa.StringArray) -> pa.StringArray:
    """Return texts with others at these places."""
    mask = np.zeros(len(texts), dtype=bool)
    mask[places.to_numpy()] = True
    return pc.replace_with_mask(texts, pa.array(mask), others)


def _strip_others(
    texts: pa.StringArray, affixes: _Affixes, *, is_any: bool
) -> tuple[pa.StringArray, Mapping[str, int]]:
    """Return the same of any texts, each matched."""
    waiting = pc.indices_nonzero(pc.invert(pc.match_substring_regex(texts, affixes.plain)))
    left, taken = texts.take(waiting), Counter[str]()
    for pattern in affixes.around:
        found = pc.indices_nonzero(pc.match_substring_regex(left, pattern))
        sign, before, number, behind = pc.extract_regex(left.take(found), pattern).flatten()
        units = pc.binary_join_element_wise(before, behind, _BETWEEN)
        counts = {each["values"]: each["counts"] for each in pc.value_counts(units).to_pylist()}
        kept = {
            affix: unit for affix in counts if not (_SCALES.search(unit := _unit_of(*affix.split(_BETWEEN))) and is_any)
        }
        for affix, unit in kept.items():
            taken[unit] += counts[affix]
        is_taken = pc.is_in(units, pa.array([*kept], pa.string()))
        numbers = pc.binary_join_element_wise(sign, number, "")
        left = _put(left, found.filter(is_taken), numbers.filter(is_taken))
    return _put(texts, waiting, left), taken


def _unit_of(before: str, behind: str) -> str:
    """Return what stands around a number as it is told."""
    return " … ".join(filter(None, (before.strip(_ENDS), behind.strip(_ENDS))))
