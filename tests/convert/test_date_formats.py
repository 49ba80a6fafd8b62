"""Dates and times in a declared format: those of plain numbers are what strptime makes of them, however many there are."""

from __future__ import annotations

from datetime import datetime, time
from pathlib import Path

import pytest

from tests.convert.conftest import NO_LIMIT, files_source, make_table, read_rejects, read_rows, write_files

_TEXTS = (
    *("3 Feb 2013", "31 sep 2013", "03\tMAY 2013", "29 Feb 2013", "7 Sept 2013", "7 \u017fep 2013", "5 May  2013"),
    *(
        "12/31/99 12:05 am",
        "1/2/68 12:00 AM",
        "1/2/69 1:00 Pm",
        "1/2/03 13:00 pm",
        "Sunday 6 May 2013",
        "Sun 6 May 2013",
    ),
    *("2013-02-28T05:06:07.5", "2013-02-28T00:00:00.000", "2013-02-28T05:06:07.1234567x", "2013\u5e742\u670803\u65e5"),
    *("31.12.2013", "1.2.2013", "01.02.0099", "31.02.2013", "00.01.2013", "01.13.2013", "29.02.2012", "2013-01-01"),
    *("31.12.2013 23:59:59", "01.02.2013 24:00:00", "01.02.2013 00:00:60", "1.2.2013 5:6:7", "01.02.2013 00:00:00"),
    *(
        "31.12.2013 05:07",
        "01.02.2013 5:07",
        "31/12/2013",
        "x",
        "31.12.2013x",
        "x31.12.2013",
        "0000-00-00",
        "01.01.0000",
    ),
    *(
        "31122013",
        "31.12.13",
        "3112201",
        "20130228T050607",
        "2013-12-31_05",
        "\u0661\u0661.12.2013",
        "31.12.2013\u00a05",
    ),
)


def as_strptime(text: str, pattern: str) -> datetime | None:
    """Return what Python makes of a text."""
    try:
        return datetime.strptime(text, pattern)  # noqa: DTZ007 - compared with times without a zone
    except ValueError:
        return None


@pytest.mark.parametrize(
    "pattern",
    [
        "%d.%m.%Y",
        "%d.%m.%Y %H:%M:%S",
        "%d.%m.%Y %H:%M",
        "%d/%m/%Y",
        "%d%m%Y",
        "%Y%m%dT%H%M%S",
        "%Y-%m-%d_%H",
        "%d.%m.%y",
        "%d %b %Y",
        "%a %d %B %Y",
        "%A %d %B %Y",
        "%m/%d/%y %I:%M %p",
        "%Y-%m-%dT%H:%M:%S.%f",
        "%Y\u5e74%m\u6708%d\u65e5",
    ],
)
@pytest.mark.parametrize("kind", ["date", "timestamp"])
def test_times_are_those_of_strptime(tmp_path: Path, pattern: str, kind: str) -> None:
    """Whatever the texts are, those that are times are values, and all others rejects with the text."""
    write_files(tmp_path, a_csv="n|t\n" + "".join(f"{n}|{text}\n" for n, text in enumerate(_TEXTS)))
    found = {n: moment for n, text in enumerate(_TEXTS) if (moment := as_strptime(text, pattern)) is not None}
    if kind == "date":
        found = {n: moment for n, moment in found.items() if moment.time() == time.min}
    source = files_source(columns={"t": {"type": kind, "format": pattern}}, read={"delimiter": "|"}, table=NO_LIMIT)
    assert found or kind == "date"
    if not found:
        return

    table = make_table(tmp_path, source)

    rows = {row["n"]: row["t"] for row in read_rows(tmp_path)}
    assert rows == {n: moment.date() if kind == "date" else moment for n, moment in found.items()}
    assert (table.rows_received, table.rows_rejected) == (len(_TEXTS), len(_TEXTS) - len(found))
    assert all("is not a " in row["reason"] for row in read_rejects(tmp_path))
