"""Small CSV files that are odd in two ways at once: joined with others, and of each what it is alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tasks.convert.formats.csv import dialect
from tasks.convert.staging import gathering, members
from tests.convert.slow_paths import count_calls, inbox
from tests.convert.test_together import COUNT, encoded, rows_of, told_alike, told_of, with_line


def escaped(number: int, delimiter: str = ",", point: str = ".", text: str = r'"a \"b\", c"') -> list[str]:
    """Return a header and rows, in one of which a backslash escapes quotes."""
    row = delimiter.join([f"{number}", "2024-02-01", text, f"1{point}5"])
    return with_line(rows_of(number, delimiter, point), 1 + number % 8, row)


ESCAPED: dict[str, Callable[[int], bytes]] = {
    "a reject": lambda n: encoded(with_line(escaped(n), 2 + n % 3, f"{n},b")),
    "escapes in rejects": lambda n: encoded(
        [*with_line(escaped(n), 1, 'x,"C:\\\\d \\"e\\""'), 'x,"C:\\\\d"', *["9"] * (n % 2)], end="\r\n"
    ),
    "a title": lambda n: encoded([f"Station {n}", *[""] * (n % 2), *escaped(n)]),
    "semicolons": lambda n: encoded(escaped(n, ";"), end="\r\n"),
    "a title, semicolons and decimal commas": lambda n: encoded([f"Station {n}", "", *escaped(n, ";", ",")]),
    "an escaped backslash": lambda n: encoded(with_line(escaped(n), 3, f'{n},2024-02-01,"C:\\\\d",1.5')),
    "an escaped backslash before a quote": lambda n: encoded(
        [*with_line(escaped(n), 3, f'{n},2024-02-01,"C:\\\\",1.5'), *["x"] * (n % 2)]
    ),
    "another delimiter": lambda n: encoded(with_line(escaped(n), 3, f'{n},2024-02-01,"x; y",1.5')),
    "a line of blanks": lambda n: encoded(with_line(escaped(n), 1 + n % 9, "\t" if n % 2 else "  ")),
    "blank lines and a reject": lambda n: encoded(with_line(with_line(escaped(n), 1 + n % 9, ""), 5, f"{n},b")),
    "not ASCII": lambda n: encoded(with_line(escaped(n), 3, f"{n},2024-02-01,Größe,1.5")),
    "doubled quotes": lambda n: encoded(escaped(n, text=r'"a ""b"" \"c\""')),
    "no header": lambda n: encoded(escaped(n)[1:]),
    "units": lambda n: encoded(with_line(escaped(n), 1, ",,,kg")),
    "totals with escapes": lambda n: encoded([*escaped(n), r'Total,,"a \"b\"",9.5']),
}


@pytest.mark.parametrize("kind", ESCAPED)
def test_files_with_escapes_and_more_that_is_odd_are_joined(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """Each was read by itself, in seventeen times the time of a plain one; its rejects are told as they stand there."""
    for number in range(COUNT):
        (inbox(tmp_path) / f"{number:02d}.csv").write_bytes(ESCAPED[kind](number))

    _, calls = told_alike(tmp_path, monkeypatch, gathering, "read_small")

    assert calls == 0


def test_how_fields_with_escapes_are_told_apart_is_found_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a header each file's own head is read, of which that is the greater part."""
    for number in range(COUNT):
        (inbox(tmp_path) / f"{number:02d}.csv").write_bytes(ESCAPED["no header"](number))

    _, calls = told_alike(tmp_path, monkeypatch, dialect, "_detect_delimiter")

    assert calls == COUNT


def quoted(number: int, delimiter: str = ",", point: str = ".") -> list[str]:
    """Return a header and rows, in two of which a field is quoted, one for a delimiter or a line end in it."""
    rows = with_line(rows_of(number, delimiter, point), 3, delimiter.join(['"7"', "2024-02-01", '"b"', f"1{point}25"]))
    text = f'"a{delimiter} ""b"""' if number % 2 else f'"a\n{delimiter}b"'
    return with_line(rows, 1 + number % 4, delimiter.join([f"{number}", "2024-02-01", text, f"1{point}75"]))


TWICE: dict[str, Callable[[int], bytes]] = {
    "a reject in Latin-1": lambda n: encoded([*with_line(rows_of(n), 2 + n % 3, f"{n},Ä"), "x"], "latin-1"),
    "a reject below a mark": lambda n: encoded(with_line(rows_of(n), 2 + n % 3, f"{n},Ä"), "utf-8-sig"),
    "a reject beside escapes in Latin-1": lambda n: encoded(with_line(escaped(n), 2 + n % 3, f"{n},Ä"), "latin-1"),
    "a reject beside escapes below a mark": lambda n: encoded(with_line(escaped(n), 2 + n % 3, f"{n},Ä"), "utf-8-sig"),
    "a line of blanks in Latin-1": lambda n: encoded(
        with_line(with_line(rows_of(n), 2, f"{n},2024-02-01,Ä,1.5"), 1 + n % 9, "  "), "latin-1"
    ),
    "totals below a mark": lambda n: encoded([*rows_of(n), "Total,,,9.5"], "utf-8-sig"),
    "quotes and a line of delimiters": lambda n: encoded([*with_line(quoted(n), 3 + n % 4, ",,,"), ",,,"]),
    "quotes and semicolons": lambda n: encoded(quoted(n, ";")),
    "quotes and decimal commas": lambda n: encoded(quoted(n, ";", ",")),
    "quotes and units": lambda n: encoded(with_line(quoted(n), 1, ",,,kg"), end="\r\n"),
    "a quoted header and units": lambda n: encoded(['"id","day","name","value"', ",,,kg", *rows_of(n)[1:]]),
    "units and decimal commas": lambda n: encoded(with_line(rows_of(n, ";", ","), 1, ";UTC;;kg")),
    "another delimiter below a title": lambda n: encoded(
        [f"Station {n}", "", *with_line(rows_of(n), 3, f'{n},2024-02-01,"x; y",1.5')]
    ),
    "another delimiter and a reject": lambda n: encoded(
        with_line(with_line(rows_of(n), 3, f"{n},2024-02-01,x; y,1.5"), 4, "x,y")
    ),
    "decimal commas and a reject": lambda n: encoded(with_line(rows_of(n, ";", ","), 4, "x;y")),
    "quotes and a reject": lambda n: encoded(with_line(quoted(n), 4, "x,y")),
    "quotes, tabs and a reject below a title": lambda n: encoded(
        [f"Station {n}", *with_line([*quoted(n, "\t"), *rows_of(n, "\t")[1:]], 4, "x\ty\tz")]
    ),
}


@pytest.mark.parametrize("kind", TWICE)
def test_files_that_are_odd_in_two_ways_are_joined(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """Rejects in another encoding or below a mark, and lines of delimiters beside quotes, had each read by itself; quotes its head."""
    for number in range(COUNT):
        (inbox(tmp_path) / f"{number:02d}.csv").write_bytes(TWICE[kind](number))
    counts: Counter[str] = Counter()
    alone, calls = told_alike(tmp_path, monkeypatch, gathering, "read_small")
    count_calls(monkeypatch, counts, members, "read_head")

    together = told_of(tmp_path, at_once=True, monkeypatch=monkeypatch)

    assert (calls, together) == (0, alone)
    assert counts["read_head"] <= 2
