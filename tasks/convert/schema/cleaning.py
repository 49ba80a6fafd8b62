"""What is declared to clean a column's texts: what stands around its numbers, the part that is the value, and words for truths."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tasks.config import Column
from tasks.convert.schema.moments import as_moments, tell_no_moment
from tasks.convert.schema.types import NULL_TEXTS

_BLANK = r"\s\x{a0}\x{2007}\x{2009}\x{202f}\x{feff}"
_LETTER = r"\p{L}\p{M}"
_SYMBOL = r"\p{Sc}%‰°º²³/"
_NO_BREAK = "[\u00a0\u2007\u2009\u202f]"
# What multiplies a number, bounds it or tells its sign: without it, it would be another number.
_SCALES = re.compile(
    r"(?i)(?<!\w)(?:x|k(?=\W|$|eur|usd|chf|gbp)|[tm](?=[€$£]|eur|usd|chf|gbp)|(?-i:[MBT])(?!\w)|e(?!\w)"
    r"|(?<=[€$£¥])\s*…\s*[tm](?!\w)"
    r"|(?:ab|bis|ca|circa|about|over|under|max|min|bio|trn|trillions?|billiarden?|quadrillions?)(?!\w)"
    r"|(?:tsd|mio|mln|mn|mill|mrd|bn|bln|millions?|millionen|milliarden?|billions?|thousand|hundred|tausend|dozen|lakh|crore|cr|dr)(?!\w))"
)
_BETWEEN = "\x1f"
_ENDS = "\ufeff \t\u00a0\u2007\u2009\u202f"
_END = 2**31 - 1  # of any text: None has Arrow fail
_TRIED = 4  # ways of writing that are looked for one by one: a tenth of the time that the others take
_FIRST_TEXTS = 1_000


@dataclass(frozen=True)
class Cleaned:
    """A column as it is to be cast; the rows at `misfits` are not what is declared, and `taken` counts what was taken off numbers."""

    values: pa.ChunkedArray
    misfits: Sequence[int] = ()
    taken: Mapping[str, int] = field(default_factory=dict)


def clean(values: pa.ChunkedArray, declared: Column) -> Cleaned:
    """Return a column cleaned as is declared; numbers and truths that are typed already have nothing around them."""
    misfits: Sequence[int] = ()
    if declared.pattern is not None:
        values, misfits = _extract(values, declared.pattern, is_text=declared.type in (None, "string"))
    if declared.true or declared.false:
        return _as_bools(values, declared, misfits)
    if declared.counts_time:
        moments, others = as_moments(values, declared)
        return Cleaned(moments, [*misfits, *others])
    if declared.strip and pa.types.is_string(values.type):
        stripped, taken = _strip(values.combine_chunks(), declared)
        return Cleaned(pa.chunked_array([stripped]), misfits, taken)
    return Cleaned(values, misfits)


def tell_unclean(value: object, declared: Column) -> str:
    """Return why a value is not what is declared: no word of a bool, or nothing that the pattern matches."""
    if (
        declared.pattern is not None
        and pc.match_substring_regex(pa.array([str(value)]), _whole(declared.pattern))[0].as_py() is False
    ):
        return f"{value!r:.60} does not match the pattern"
    if declared.counts_time:
        return f"{value!r:.60} {tell_no_moment(declared)}"
    return f"{value!r:.60} is none of the words that are declared true or false"


def _whole(pattern: str) -> str:
    return f"^(?:{pattern})$"


def _extract(values: pa.ChunkedArray, pattern: str, *, is_text: bool) -> tuple[pa.ChunkedArray, Sequence[int]]:
    """Return the texts of a pattern's group, and the rows that it does not match."""
    texts = values if pa.types.is_string(values.type) else pc.cast(values, pa.string())
    if not is_text:
        texts = pc.if_else(pc.is_in(pc.utf8_trim_whitespace(texts), pa.array(NULL_TEXTS)), None, texts)
    found = pc.extract_regex(texts, pattern=_whole(_name_group(pattern)))
    groups = pa.chunked_array([pc.struct_field(each, [0]) for each in found.chunks], pa.string())
    misfits = pc.indices_nonzero(pc.and_(pc.is_valid(texts), pc.is_null(found))).to_pylist()
    return pc.if_else(pc.equal(groups, ""), None, groups), misfits


@cache
def _name_group(pattern: str) -> str:
    """Return a pattern with a name for its one group, by which Arrow gives it."""
    in_class, place = False, 0
    while place < len(pattern):
        character = pattern[place]
        if character == "\\":
            place += 1
        elif in_class:
            in_class = character != "]"
        elif character == "[":
            in_class = True
            place += 2 if pattern[place + 1 : place + 3] == "^]" else pattern[place + 1 : place + 2] == "]"
        elif character == "(" and pattern[place + 1] != "?":
            return f"{pattern[: place + 1]}?P<value>{pattern[place + 1 :]}"
        place += 1
    return pattern


def _as_bools(values: pa.ChunkedArray, declared: Column, misfits: Sequence[int]) -> Cleaned:
    """Return words as what they mean."""
    if pa.types.is_boolean(values.type):
        return Cleaned(values, misfits)
    texts = pc.utf8_trim_whitespace(values if pa.types.is_string(values.type) else pc.cast(values, pa.string()))
    words = pc.utf8_lower(texts)
    is_true, is_false = (
        pc.is_in(words, pa.array([word.strip().lower() for word in each], pa.string()))
        for each in (declared.true, declared.false)
    )
    is_word = pc.or_(is_true, is_false)
    unknown = pc.invert(pc.or_(is_word, pc.is_in(texts, pa.array([None, *NULL_TEXTS]))))
    return Cleaned(pc.if_else(is_word, is_true, None), [*misfits, *pc.indices_nonzero(unknown).to_pylist()])


@dataclass(frozen=True)
class _Affixes:
    """What may stand around a number: `around` are patterns with the groups sign, what is before it, it, and what is behind."""

    around: tuple[str, str]
    plain: str
    number: str

    @staticmethod
    @cache
    def of(strip: bool | tuple[str, ...], separator: str) -> _Affixes:
        """Return those that are declared; what separates thousands is in a number."""
        digits = rf"\d+(?:[.,{re.escape(separator)}]\d+)*"
        ends = r"(?:[eE][+-]?\d+)?-?"
        if strip is True:
            before, last = rf"(?:[{_LETTER}]\.[{_BLANK}]|[{_LETTER}{_SYMBOL}{_BLANK}])*", f"[{_SYMBOL}{_BLANK}]"
            behind = rf"(?:[{_LETTER}]\.|[{_LETTER}{_SYMBOL}{_BLANK}])*"
        else:
            # A digit at its end would be the number's where it stands before one.
            texts = sorted((text.strip() for text in strip or ()), key=len, reverse=True)
            before = f"{_any_of(t for t in texts if not t[-1].isdigit())}*"
            last = _any_of(t for t in texts if not (t[-1].isalnum() or t.endswith(".")))
            behind = f"{_any_of(texts)}*"
        sign = rf"^[{_BLANK}]*([+-]?)"
        # After a letter .5 may be 5: of Rs.5 the point is the currency's.
        pointed = rf"{sign}((?:{before}{last})?)([+-]?[.,]\d+{ends})({behind})$"
        whole = rf"{sign}({before})([+-]?{digits}{ends})({behind})$"
        return _Affixes(
            (whole, pointed),
            rf"^[{_BLANK}]*[+-]?(?:{digits}|[.,]\d+|0[xX][0-9a-fA-F]+){ends}[{_BLANK}]*$",
            rf"[+-]?{digits}{ends}",
        )


def _any_of(texts: Iterable[str]) -> str:
    return f"(?:{'|'.join([*map(_literal, texts), f'[{_BLANK}]'])})"


def _literal(text: str) -> str:
    """Return what matches a text, each blank in it any."""
    return f"[{_BLANK}]+".join(map(_quote, text.split()))


def _quote(text: str) -> str:
    return re.sub(r"([^\w])", lambda match: f"\\x{{{ord(match[1]):x}}}", text)


def _strip(texts: pa.StringArray, declared: Column) -> tuple[pa.StringArray, Mapping[str, int]]:
    """Return the numbers among texts without what is declared to stand around them, the others as they are, and what was taken off."""
    if declared.thousands == " " and pc.any(pc.match_substring_regex(texts, _NO_BREAK)).as_py():
        texts = pc.replace_substring_regex(texts, _NO_BREAK, " ")
    affixes = _Affixes.of(declared.strip, declared.thousands or "")
    taken: Counter[str] = Counter()
    done = pc.is_null(texts)
    for before, behind in _find_affixes(texts.slice(0, _FIRST_TEXTS), affixes):
        written = f"^{_quote(before)}{affixes.number}{_quote(behind)}$"
        is_so = pc.fill_null(pc.match_substring_regex(texts, written), fill_value=False)
        count = pc.sum(is_so).as_py() or 0
        unit = _unit_of(before, behind)
        if (before or behind) and not (declared.strip is True and _SCALES.search(unit)):
            texts, taken[unit] = _cut(texts, before, behind, is_so), taken[unit] + count
        done = pc.or_(done, is_so)
        if pc.all(done).as_py():
            break
    else:
        texts, others = _strip_others(texts, done, affixes, is_any=declared.strip is True)
        taken.update(others)
    return texts, {unit: count for unit, count in taken.items() if unit and count}


def _find_affixes(first: pa.StringArray, affixes: _Affixes) -> list[tuple[str, str]]:
    """Return the commonest ways in which the first numbers stand, without a sign before a currency."""
    named = re.sub(r"\((?!\?)", "(?P<g>", affixes.around[0])
    for name in ("sign", "before", "number", "behind"):
        named = named.replace("?P<g>", f"?P<{name}>", 1)
    found = pc.extract_regex(first, named).drop_null().to_pylist()
    counts = Counter((each["before"], each["behind"]) for each in found if not each["sign"] or not each["before"])
    return [affix for affix, _ in counts.most_common(_TRIED)]


def _cut(texts: pa.StringArray, before: str, behind: str, chosen: pa.BooleanArray) -> pa.StringArray:
    """Return the chosen texts without what is at their ends."""
    is_all = pc.all(chosen).as_py()
    whole = texts if is_all else pc.if_else(chosen, texts, before + behind)  # of none is there less than is cut
    stop = -len(behind.encode()) or _END
    cut = pc.cast(pc.binary_slice(pc.cast(whole, pa.binary()), len(before.encode()), stop), pa.string())
    return cut if is_all else pc.if_else(chosen, cut, texts)


def _strip_others(
    texts: pa.StringArray, done: pa.BooleanArray, affixes: _Affixes, *, is_any: bool
) -> tuple[pa.StringArray, Mapping[str, int]]:
    """Return the same of the texts that are not `done`, each way of writing by itself."""
    waiting = pc.indices_nonzero(pc.invert(pc.or_(done, pc.match_substring_regex(texts, affixes.plain))))
    left, taken = texts.take(waiting), Counter[str]()
    for pattern in affixes.around:
        units = pc.if_else(
            pc.match_substring_regex(left, pattern),
            pc.replace_substring_regex(left, pattern, f"\\2{_BETWEEN}\\4"),
            None,
        )
        counts = {each["values"]: each["counts"] for each in pc.value_counts(units.drop_null()).to_pylist()}
        kept = {
            affix: unit for affix in counts if not (_SCALES.search(unit := _unit_of(*affix.split(_BETWEEN))) and is_any)
        }
        for affix, unit in kept.items():
            taken[unit] += counts[affix]
        is_taken = pc.is_in(units, pa.array([*kept], pa.string()))
        left = pc.if_else(is_taken, pc.replace_substring_regex(left, pattern, r"\1\3"), left)
    is_waiting = np.zeros(len(texts), dtype=bool)
    is_waiting[waiting.to_numpy()] = True
    return pc.replace_with_mask(texts, pa.array(is_waiting), left), taken


def _unit_of(before: str, behind: str) -> str:
    """Return what stands around a number as it is told."""
    return " … ".join(filter(None, (before.strip(_ENDS), behind.strip(_ENDS))))
