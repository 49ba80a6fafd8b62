"""The header of another table in a CSV file is looked for at once, and only where one may stand."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tasks.convert.formats.csv import parse, second
from tests.convert.conftest import NO_LIMIT, files_source, make_table
from tests.convert.slow_paths import ROWS, Flights, count_calls, inbox, made


def test_only_what_follows_a_blank_line_is_looked_at_for_another_header(
    tmp_path: Path, flights: Flights, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That of another table stands there, if anywhere: where few lines are blank, few bytes are counted."""
    seen: list[int] = []
    count = second._count

    def counted(view: Any, *options: Any) -> Any:
        seen.append(len(view))
        return count(view, *options)

    monkeypatch.setattr(second, "_count", counted)
    rows = [f"x,{line}" if n % 500 else f"\nnom,{flights.header}" for n, line in enumerate(flights.lines)]
    text = "\n".join([f"name,{flights.header}", *rows, ""])
    (inbox(tmp_path) / "a.csv").write_text(text)

    made(tmp_path, files_source(read={"header": True}))

    assert 0 < max(seen) < len(text) // 10


@pytest.mark.parametrize("is_told", [True, False])
def test_rows_without_a_value_between_texts_have_no_block_read_again(
    tmp_path: Path, slow: Counter[str], monkeypatch: pytest.MonkeyPatch, *, is_told: bool
) -> None:
    """The header of another table is looked for below them, among all at once, and told."""
    calls: Counter[str] = Counter()
    for owner, name in ((parse, "read_block"), (second, "take_stretches")):
        count_calls(monkeypatch, calls, owner, name)
    other = ",,\ncity,country,people\nBonn,D,300\n" if is_told else ""
    (inbox(tmp_path) / "a.csv").write_text("who,what,where\n" + "a,b c,d\n,,\n" * ROWS + other)

    table = made(tmp_path, files_source())

    assert table.rows_table == 2 * ROWS + (3 if is_told else 0)
    assert calls["read_block"] <= 3  # and as much of it as tells the types
    assert calls["take_stretches"] <= 6
    assert not slow
    line = 2 * ROWS + 3
    told = [f"line {line:,} looks like the header of another table" in each for each in table.findings.warnings]
    assert told == [True] * is_told


@pytest.mark.parametrize("text", ["some text,other text", "12 Main St,7 km", "Elm St 3,-"])
def test_no_row_of_texts_below_a_blank_line_is_judged_by_itself(
    tmp_path: Path, slow: Counter[str], monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    """None of them is the header of another table: no column below has numbers or dates."""
    judged: list[Any] = []
    monkeypatch.setattr(second, "find_second", lambda *rows: judged.append(rows))
    (inbox(tmp_path) / "a.csv").write_text("id,name,size\n" + f"x,{text}\n\n" * ROWS)

    made(tmp_path, files_source())

    assert not judged
    assert not slow


@pytest.mark.parametrize(
    ("row", "read"),
    [
        ("{n},ab,2\n", {"skip_blank": False}),
        ("{n},ab,2\n,,", {}),
        ('{n},"a\n\nb",2\n\n{n},"a\nb"', {"skip_blank": False}),
        ('ab,{n},"2"\n', {"skip_blank": False}),
        ('{n},"a\nb",2\n\n{n},"a\nb",2,x', {"skip_blank": False}),
    ],
    ids=["blank line", "no value", "within quotes", "number behind", "stray quote"],
)
def test_no_record_is_told_apart_for_a_header_above_which_a_number_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, row: str, read: dict[str, Any]
) -> None:
    """Those below a blank line, or a row without a value, are looked at, no others, where each has a number."""
    looked: list[int] = []
    find = second._find_fields

    def counted(records: Any) -> Any:
        looked.append(len(records))
        return find(records)

    monkeypatch.setattr(second, "_find_fields", counted)
    asked: Counter[str] = Counter()
    count_calls(monkeypatch, asked, second, "_may_be_headers")
    rows = "".join(f"{row}\n".replace("{n}", str(n)) for n in range(ROWS))
    (inbox(tmp_path) / "a.csv").write_text(f"id,name,size\n{rows}")

    table = make_table(tmp_path, files_source(table=NO_LIMIT, read={"header": True, **read}))

    assert table.rows_table > ROWS
    assert not asked
    assert sum(looked) <= ROWS
