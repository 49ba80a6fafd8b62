"""Small CSV files in which a backslash escapes quotes, and something else is odd: joined with others, and of each what it is alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tasks.convert.staging import gathering
from tests.convert.slow_paths import inbox
from tests.convert.test_together import COUNT, encoded, rows_of, told_alike, with_line


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
