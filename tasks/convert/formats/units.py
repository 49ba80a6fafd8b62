"""The row below a header that holds the units of the columns, as instruments and statistics offices write one."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tasks.convert.formats.header import Record, is_like_rows, kind_of_field, kinds_of
from tasks.convert.schema.blocks import EXAMPLE

_SYMBOLS = (
    *("m", "mm", "cm", "dm", "km", "nm", "µm", "μm", "um", "ft", "in", "mi", "ha", "l", "ml", "ltr"),
    *("g", "kg", "mg", "µg", "μg", "ug", "ng", "t", "lb", "lbs", "oz", "mol", "mmol"),
    *("s", "sec", "ms", "µs", "min", "h", "hr", "hrs", "d", "a", "yr", "UTC"),
    *("°C", "°F", "C", "K", "°", "deg", "degC", "rad", "%", "‰", "ppm", "ppb", "dB", "pH", "PSU", "psu"),
    *(
        "Pa",
        "hPa",
        "kPa",
        "MPa",
        "bar",
        "mbar",
        "psi",
        "N",
        "kN",
        "Nm",
        "J",
        "kJ",
        "MJ",
        "GJ",
        "Wh",
        "kWh",
        "MWh",
        "GWh",
    ),
    *(
        "W",
        "mW",
        "kW",
        "MW",
        "GW",
        "V",
        "mV",
        "kV",
        "A",
        "mA",
        "Ah",
        "Hz",
        "kHz",
        "MHz",
        "GHz",
        "Ω",
        "ohm",
        "F",
        "S",
        "µS",
    ),
    *("lx", "cd", "lm", "kcal", "cal", "kt", "kn", "kph", "mph", "rpm", "bpm", "B", "kB", "KB", "MB", "GB", "TB"),
    *("€", "$", "£", "¥", "EUR", "USD", "GBP", "CHF", "JPY", "T€", "TEUR", "k€", "Mio", "Mrd", "pcs", "Stk", "Stück"),
)
_SYMBOL = "|".join(sorted(map(re.escape, _SYMBOLS), key=len, reverse=True))
_POWER = r"(?:[²³]|\^?-?\d|⁻[¹²³])?"
_UNIT = re.compile(rf"(?:(?:{_SYMBOL}|1){_POWER})(?:[ ]?[/*·.⋅ ][ ]?(?:{_SYMBOL}){_POWER})*\.?")
_PATTERN_OF_TIMES = re.compile(
    r"[yY]{2,4}([-/.])[mM]{2}\1[dD]{2}.*|[dD]{2}([-/.])[mM]{2}\2[yY]{2,4}.*|[hH]{2}:[mM]{2}(:[sS]{2})?"
)
_BRACKETED = re.compile(r"\(.*\)|\[.*\]|<.*>")
_LEAST_ROWS = 2


def are_units(first: Record, below: Sequence[Record]) -> bool:
    """Return whether a record below a header can only be one of units: judged by those below it.

    Each of its fields is a unit, or blank, and at least one is more than a letter;
    and where one is, every value below is a number or a time.
    """
    places = places_of_units(first)
    rows = [record for record in below if len(record) == len(first)] if places else []
    values = [[row[place] for row in rows] for place in places]
    return len(rows) >= _LEAST_ROWS and all(kinds_of(each, 1.0) in ("number", "date") for each in values)


def may_be_units(first: Record) -> bool:
    """Return whether a record has units alone, whatever stands below it."""
    return bool(places_of_units(first))


def places_of_units(first: Record) -> list[int]:
    """Return the places of the fields that are units, if no other is anything else."""
    places = []
    for place, field in enumerate(first):
        if kind_of_field(field) == "null":
            continue
        if kind_of_field(field) != "text" or not _is_unit(field):
            return []
        places.append(place)
    is_told = any(len(text) > 1 or not text.isalpha() for text in (first[place].strip() for place in places))
    return places if is_told else []


def units_of(names: Sequence[str], fields: Record) -> tuple[tuple[str, str], ...]:
    """Return the columns that have a unit, each with it, without brackets around."""
    found = ((name, _bare(field)) for name, field in zip(names, fields, strict=False))
    return tuple((name, unit) for name, unit in found if kind_of_field(unit) == "text")


def warn_of_row_of_units(units: Record, rows: Sequence[Record], delimiter: str = "\t") -> list[str]:
    """Return a sentence where a row that is declared to have the units looks like those below."""
    if not is_like_rows(units, rows):
        return []
    return [
        f"has a row of units, as read.units_row says, that looks like one of values{EXAMPLE}{delimiter.join(units)!r}; "
        "correct that, or give files without units a source of their own"
    ]


def _is_unit(field: str) -> bool:
    bare = _bare(field)
    if bare != field.strip():
        return kind_of_field(bare) == "text"
    return bool(_UNIT.fullmatch(bare) or _PATTERN_OF_TIMES.fullmatch(bare))


def _bare(field: str) -> str:
    text = " ".join(field.split())
    return text[1:-1].strip() if _BRACKETED.fullmatch(text) else text
