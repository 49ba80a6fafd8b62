"""Small CSV files whose heads are alike: read at once, and of each what it is alone."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.convert.formats import header
from tasks.convert.staging import bundle, gathering, members
from tasks.convert.table import damage
from tasks.convert.table.manifest import read_table_manifest
from tests.convert.conftest import NO_LIMIT, files_source, make_table, read_rejects, read_rows
from tests.convert.slow_paths import count_calls, inbox

COUNT = 12


def lines_of(number: int, delimiter: str = ",", point: str = ".") -> list[str]:
    """Return a header and three rows."""
    rows = [("id", "day", "name", "value")]
    rows += [(str(number + n), f"2024-01-{n + 10}", "ab"[n % 2], f"{n}{point}2{number % 3}5") for n in range(3)]
    return [delimiter.join(row) for row in rows]


def with_line(lines: list[str], place: int, line: str) -> list[str]:
    """Return lines with one more between them."""
    return [*lines[:place], line, *lines[place:]]


def encoded(lines: list[str], encoding: str = "utf-8", end: str = "\n") -> bytes:
    """Return lines as the bytes of a file."""
    return "".join(f"{line}{end}" for line in lines).encode(encoding)


KINDS: dict[str, Callable[[int], bytes]] = {
    "semicolons": lambda n: encoded(lines_of(n, ";")),
    "decimal commas": lambda n: encoded(lines_of(n, ";", ",")),
    "Latin-1": lambda n: encoded(with_line(lines_of(n), 2, f"{n},2024-02-01,Müller,1.5"), "latin-1"),
    "UTF-8": lambda n: encoded(with_line(lines_of(n), 2, f"{n},2024-02-01,Ł,1.5")),
    "a byte order mark": lambda n: encoded(lines_of(n), "utf-8-sig"),
    "a title": lambda n: encoded([f"Station {n}", "" if n % 2 else "Hourly values", *lines_of(n)]),
    "a quoted field": lambda n: encoded(with_line(lines_of(n), 2, f'{n},2024-02-01,"a, ""b""",1.5')),
    "escapes": lambda n: encoded(
        [*with_line(lines_of(n), 2, f'{n},2024-02-01,"a, \\"b\\"\nc",1.5'), *["Total,,,9.5"] * (n % 2)]
    ),
    "all quoted": lambda n: encoded([f'"{line.replace(",", chr(34) + "," + chr(34))}"' for line in lines_of(n)]),
    "a field of two lines": lambda n: encoded(with_line(lines_of(n), 2, f'{n},2024-02-01,"a\nb",1.5')),
    "carriage returns": lambda n: encoded(lines_of(n), end="\r\n"),
    "units": lambda n: encoded(with_line(lines_of(n), 1, ",,,kg")),
    "no end of the last line": lambda n: encoded(lines_of(n, ";"))[:-1],
    "a reject": lambda n: encoded(with_line(lines_of(n), 2 + n % 2, f"{n},b")),
    "a reject below a field of two lines": lambda n: encoded(
        with_line(with_line(lines_of(n, ";"), 2, f'{n};2024-02-01;"a\n;b";1.5'), 3 + n % 2, f'"{n}";"b"')
    ),
    "a blank line": lambda n: encoded(with_line(lines_of(n), 1 + n % 4, "")),
    "blank lines, totals and a reject": lambda n: encoded(
        [*with_line(with_line(lines_of(n), 2, f"{n},b"), 1 + n % 3, "\n"), "", "Total,,,9.5"], end="\r\n"
    ),
    "a blank line and a field of two lines": lambda n: encoded(
        with_line(with_line(lines_of(n, ";"), 2, f'{n};2024-02-01;"a\n;b";1.5'), 1 + n % 3, "")
    ),
    "a line of blanks": lambda n: encoded(
        [*with_line(with_line(lines_of(n), 1 + n % 4, " \t" if n % 3 else "  "), 2, f'{n},2024-02-01,"a, b",1.5'), " "]
    ),
    "a line of tabs between tabs": lambda n: encoded(with_line(lines_of(n, "\t"), 1 + n % 4, "\t"), end="\r\n"),
    "a line of delimiters alone": lambda n: encoded([*with_line(lines_of(n), 1 + n % 4, ",,,"), ",,,"], end="\r\n"),
    "totals": lambda n: encoded([*lines_of(n), *["Total,,,9.5"] * (n % 3 > 0)], end="\r\n"),
    "totals in Latin-1": lambda n: encoded(
        [*with_line(lines_of(n), 2, f"{n},2024-02-01,é,1.5"), "Total,,,9.5"], "latin-1"
    ),
    "totals without a word": lambda n: encoded(
        [*(lines_of(n) if n else with_line(lines_of(n), 2, "7,,,1.5")), *["all,,,9"] * (n % 3 > 0)]
    ),
    "what is called a total": lambda n: encoded([*lines_of(n), "total,2024-02-01,a,9.5"]),
    "totals and a note": lambda n: encoded([*lines_of(n), "Total,,,9.5", "a note"]),
}


LINES = (
    *("semicolons", "decimal commas", "Latin-1", "UTF-8", "a byte order mark", "carriage returns"),
    *("a line of delimiters alone", "a line of blanks", "a line of tabs between tabs"),
    *("a blank line", "blank lines, totals and a reject", "a blank line and a field of two lines"),
    *("no end of the last line", "a reject", "a title", "units", "a quoted field", "escapes", "all quoted"),
    *(
        "a field of two lines",
        "a reject below a field of two lines",
        "totals",
        "totals in Latin-1",
        "totals without a word",
        "what is called a total",
    ),
)
"""Kinds whose records can be told apart at once: these are joined before they are parsed."""


def told_of(root: Path, *, at_once: bool, monkeypatch: pytest.MonkeyPatch, **options: Any) -> dict[str, Any]:
    """Return all that a table and what is told of its files has, its files converted together or one by one."""
    monkeypatch.setattr(bundle, "MANY_FILES", COUNT if at_once else 100 * COUNT)
    table = make_table(root, files_source(table=NO_LIMIT | {"provenance": True}, **options), fresh=True)
    files = read_table_manifest(root / "tables" / "rows").files.values()
    rows = sorted(read_rows(root), key=lambda row: (row["_file"], row["_line"]))
    rejects = read_rejects(root) if table.rows_rejected else []
    told = [(f.name, f.rows_received, f.rows_rejected, f.reasons, f.encoding, f.warnings, f.guess) for f in files]
    return {
        "types": dict(table.types),
        "rows": rows,
        "rejects": sorted(rejects, key=lambda row: (row["file"], row["line"])),
        "files": sorted(told),
        "warnings": table.findings.warnings,
    }


def told_alike(root: Path, monkeypatch: pytest.MonkeyPatch, owner: ModuleType, name: str) -> tuple[dict[str, Any], int]:
    """Return what is told of files, which is the same together as one by one, and how often a function is called for all."""
    alone = told_of(root, at_once=False, monkeypatch=monkeypatch)
    counts: Counter[str] = Counter()
    count_calls(monkeypatch, counts, owner, name)
    assert told_of(root, at_once=True, monkeypatch=monkeypatch) == alone
    return alone, counts[name]


@pytest.mark.parametrize("kind", KINDS)
def test_files_of_an_odd_kind_are_read_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """Each was parsed by itself, in ten times the time of plain ones, and is now as if it had been."""
    for number in range(COUNT):
        (inbox(tmp_path) / f"{number:02d}.csv").write_bytes(KINDS[kind](number))
    alone = told_of(tmp_path, at_once=False, monkeypatch=monkeypatch)
    counts: Counter[str] = Counter()
    for name in ("read_small", "parse_and_release"):
        count_calls(monkeypatch, counts, gathering, name)

    together = told_of(tmp_path, at_once=True, monkeypatch=monkeypatch)

    assert together == alone
    assert counts["parse_and_release"] == (COUNT if kind == "totals and a note" else 0)
    assert counts["read_small"] == (0 if kind in LINES else COUNT)


def test_files_without_quotes_are_joined_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it is declared that nothing quotes fields, each line is a record."""
    for number in range(COUNT):
        (inbox(tmp_path) / f"{number:02d}.csv").write_bytes(KINDS["blank lines, totals and a reject"](number))
    read = {"quote": ""}
    alone = told_of(tmp_path, at_once=False, monkeypatch=monkeypatch, read=read)
    counts: Counter[str] = Counter()
    count_calls(monkeypatch, counts, gathering, "read_small")

    together = told_of(tmp_path, at_once=True, monkeypatch=monkeypatch, read=read)

    assert (together, counts["read_small"]) == (alone, 0)


def json_lines(number: int, odd: str, place: int) -> bytes:
    """Return lines of JSON, and another between them."""
    rows = [f'{{"id": {number + n}, "name": "{"ab"[n % 2]}"}}' for n in range(3)]
    return encoded(with_line(rows, place % 4, odd))


JOINED: dict[str, Callable[[int], bytes]] = {
    "plain.csv": lambda n: encoded(with_line(lines_of(n), 2 + n % 3, "1,2,3,4,5" if n % 2 else "x")),
    "none.csv": lambda n: encoded([lines_of(n)[0], "x", "1,2,3,4"]) if n == 5 else encoded(lines_of(n)),
    "damaged.jsonl": lambda n: json_lines(n, '{"id": 5, "na', n),
    "number.jsonl": lambda n: json_lines(n, "5", n) if n % 2 else json_lines(n, '{"id": 1, "name": "é"}', n),
    "twice.jsonl": lambda n: json_lines(n, '{"id": 1, "id": 2}', n) + json_lines(n, "[1, 2]", n),
    "bytes.jsonl": lambda n: json_lines(n, '{"id": 1, "name": "@"}', n).replace(b"@", b"\xff"),
    "lines.json": lambda n: encoded([f'[{{"id": {n}}},', '{"id": 2},', '{"id": 3}]' if n != 5 else "[1]]"]),
    "array.json": lambda n: encoded([f'[{{"id": {n}, "name": "a"}}, 5, {{"id": 2, "name": "b"}}, [1, 2]]']),
}


@pytest.mark.parametrize("name", JOINED)
def test_files_with_rejects_are_joined(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Each was parsed by itself, in twenty times the time of those without; what is told of it is the same."""
    for number in range(COUNT):
        (inbox(tmp_path) / f"{number:02d}.{name}").write_bytes(JOINED[name](number))

    alone, calls = told_alike(tmp_path, monkeypatch, gathering, "read_small")

    assert len(alone["rejects"]) >= 1
    assert calls == (name == "lines.json")  # whose reject is told as it stands


def test_a_reject_of_several_lines_is_told_as_it_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A document of which each record has lines is read by itself where one of them is a reject."""
    for number in range(COUNT):
        text = '[{"id": 1},\n[1,\n 2]]' if number == 5 else '[{"id": 1},\n{"id": 2}]'
        (inbox(tmp_path) / f"{number:02d}.json").write_text(text)

    together = told_of(tmp_path, at_once=True, monkeypatch=monkeypatch)

    assert [(row["line"], row["raw"]) for row in together["rejects"]] == [(2, "[1,\n 2]")]


def test_a_line_that_is_cut_off_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Such a file is read by itself, which tells more than its reject."""
    for number in range(COUNT):
        data = json_lines(number, '{"id": 5, "na', 3)
        (inbox(tmp_path) / f"{number:02d}.jsonl").write_bytes(data[:-1] if number == 5 else data)

    alone, calls = told_alike(tmp_path, monkeypatch, gathering, "read_small")

    assert calls == 1
    assert any("cut off" in warning for warning in alone["warnings"])


def test_what_is_odd_in_some_files_is_told_of_these(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Values of other types, stray quotes, lines of quotes alone, the header again: such a file is parsed by itself, the others are not."""
    odd = {
        3: encoded(with_line(lines_of(3, ";"), 2, "3;x;y;z")),
        7: encoded(with_line(lines_of(7, ";"), 2, '7;2024-01-01;"b;1.5')),
        20: encoded(with_line(lines_of(20, ";"), 2, "; ;;")),
        33: encoded(with_line(lines_of(33, ";"), 2, lines_of(33, ";")[0])),
        38: encoded(with_line(lines_of(38, ";"), 2, '"";;;')),
        39: encoded(lines_of(39, ";")[:1]),
    }
    for number in range(40):
        (inbox(tmp_path) / f"{number:02d}.csv").write_bytes(odd.get(number, encoded(lines_of(number, ";"))))

    _, calls = told_alike(tmp_path, monkeypatch, gathering, "parse_and_release")

    assert len(odd) <= calls <= 20


def rejected(root: Path) -> list[tuple[str, int, str]]:
    """Return the rejects of the table."""
    return sorted((row["file"], row["line"], row["raw"]) for row in read_rejects(root))


def test_rejects_of_many_files_share_a_part_and_leave_it_one_by_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A part for each took longer to write than its file to read; what is told of a file that changed, or is gone, goes with it."""
    monkeypatch.setattr(bundle, "MANY_FILES", COUNT)
    for number in range(COUNT):
        (inbox(tmp_path) / f"{number:02d}.csv").write_bytes(KINDS["a reject"](number))
    source = files_source(table=NO_LIMIT, on_missing="drop")
    make_table(tmp_path, source)
    before, shared = rejected(tmp_path), list((tmp_path / "rejects" / "rows").glob("*.parquet"))
    (tmp_path / "inbox" / "03.csv").write_bytes(encoded([*lines_of(3), "3,x"]))
    (tmp_path / "inbox" / "05.csv").unlink()
    (tmp_path / "inbox" / "07.csv").write_bytes(encoded(lines_of(7)))

    table = make_table(tmp_path, source)

    others = [reject for reject in before if reject[0][6:8] not in ("03", "05", "07")]
    assert (len(before), len(shared), table.files_read) == (COUNT, 1, 2)
    assert rejected(tmp_path) == sorted([*others, ("inbox/03.csv", 5, "3,x")])
    assert make_table(tmp_path, source).files_read == 0


def test_a_damaged_part_of_rejects_is_made_again_of_all_of_its_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is looked for once, not for each of them."""
    monkeypatch.setattr(bundle, "MANY_FILES", COUNT)
    for number in range(COUNT):
        (inbox(tmp_path) / f"{number:02d}.csv").write_bytes(KINDS["a reject"](number))
    source = files_source(table=NO_LIMIT)
    make_table(tmp_path, source)
    before = rejected(tmp_path)
    (part,) = (tmp_path / "rejects" / "rows").glob("*.parquet")
    part.write_bytes(part.read_bytes()[:-9])
    counts: Counter[str] = Counter()
    count_calls(monkeypatch, counts, damage, "is_reject_intact")

    table = make_table(tmp_path, source)

    assert (table.files_read, rejected(tmp_path)) == (COUNT, before)
    assert counts["is_reject_intact"] <= 2


def test_the_rows_of_a_file_with_rejects_tell_its_delimiter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They may tell another than that of the files it would be joined with: its rejects would be rows."""
    for number in range(COUNT):
        text = "a,b\n" + ("x;y\n1;2\n3;4\n5;6\n" if number == 5 else f"{number},2\n" * 9)
        (inbox(tmp_path) / f"{number:02d}.csv").write_text(text)
    alone = told_of(tmp_path, at_once=False, monkeypatch=monkeypatch)

    assert told_of(tmp_path, at_once=True, monkeypatch=monkeypatch) == alone


@pytest.mark.parametrize(
    ("header", "most", "other"),
    [
        ("p;q,r", "5,e\n6,f\n7,g\n8,h\n", "6;1,5\n7;2,5\n"),
        ("a b,c", "1,2\n3,4\n5,6\n", "x,y\ne f,g\n"),
        ("a,b", "1,2\n3,4\n5,6\n", '"kg","m/s"\n1,2\n3,4\n5,6\n'),
        ("a,b", "1,2\n3,4\n5,6\n", '1,"C:\\"\n3,"x;y"\n4,"u;v"\n'),
        ("a,b", '1,"a \\"b\\""\n3,4\n', '1,"a\\"\n3,"b \\"c"\n'),
        ("a,b", "1,2\n3,4\n5,6\n", '1,"a" b\n3,"x"y"\n'),
    ],
)
def test_values_of_a_file_tell_more_than_a_header_that_others_have(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, header: str, most: str, other: str
) -> None:
    """It may be divided otherwise, or have no header: joined with the others its values were others."""
    for number in range(COUNT):
        (inbox(tmp_path) / f"{number:02d}.csv").write_text(f"{header}\n{other if number == 5 else most}")
    alone = told_of(tmp_path, at_once=False, monkeypatch=monkeypatch)

    assert told_of(tmp_path, at_once=True, monkeypatch=monkeypatch) == alone


def test_a_type_that_one_file_widens_goes_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Joined with it the others were texts still when it had been mended."""
    monkeypatch.setattr(bundle, "MANY_FILES", COUNT)
    for number in range(COUNT):
        (inbox(tmp_path) / f"{number:02d}.csv").write_text("a;b\nx;1\n" if number == 5 else f"a;b\n{number};1.5\n")
    first = make_table(tmp_path, files_source())
    (tmp_path / "inbox" / "05.csv").write_text("a;b\n5;1\n")

    second = make_table(tmp_path, files_source())

    assert (dict(first.types), dict(second.types)) == ({"a": "string", "b": "float"}, {"a": "int", "b": "float"})


def rows_of(number: int, delimiter: str = ",", point: str = ".") -> list[str]:
    """Return a header and eight rows."""
    rows = [("id", "day", "name", "value")]
    rows += [(str(number + n), f"2024-01-{n + 10}", "ab"[n % 2], f"{n}{point}0{number % 3 + 1}") for n in range(8)]
    return [delimiter.join(row) for row in rows]


KNOWN: dict[str, Callable[[int], bytes]] = {
    "a header alone": lambda n: encoded(rows_of(n)),
    "titles": lambda n: encoded([f"Station {n}", *["Hourly values"] * (n % 2), "", *rows_of(n)]),
    "units": lambda n: encoded(with_line(rows_of(n), 1, ",,,kg")),
    "units of times": lambda n: encoded(with_line(rows_of(n), 1, ",UTC,,kg"), end="\r\n"),
    "a title and units": lambda n: encoded([f"Station {n}", *with_line(rows_of(n), 1, ",,,kg")]),
    "semicolons": lambda n: encoded(rows_of(n, ";")),
    "decimal commas": lambda n: encoded(rows_of(n, ";", ",")),
    "a title and decimal commas": lambda n: encoded([f"Station {n}", "", *rows_of(n, ";", ",")]),
    "a title and columns of decimal commas": lambda n: encoded(
        [f"Station {n}", *(f"{row};{row[-4:]}" for row in rows_of(n, ";", ","))]
    ),
    "a field of two lines": lambda n: encoded(with_line(rows_of(n), 2, f'{n},2024-02-01,"a, b\n""c""",1.5')),
    "totals": lambda n: encoded([*rows_of(n), "Total,,,9.5"]),
    "totals below a title and units": lambda n: encoded(
        [f"Station {n}", *with_line(rows_of(n), 1, ",,,kg"), "Total,,,9.5"]
    ),
    "a reject": lambda n: encoded(with_line(rows_of(n), 2 + n % 2, f"{n},b")),
    "a reject below semicolons": lambda n: encoded(with_line(rows_of(n, ";"), 2 + n % 2, f"{n};b")),
    "a reject below a title and units": lambda n: encoded(
        [f"Station {n}", *with_line(with_line(rows_of(n) + rows_of(n)[1:], 1, ",,,kg"), 4, f"{n},b")]
    ),
    "a quoted header": lambda n: encoded(['"id","day","name","value"', *rows_of(n)[1:]]),
    "escapes in some": lambda n: encoded(
        with_line(rows_of(n), 1 + n % 3, f'{n},2024-02-01,"a",1.5' if n % 3 else f'{n},2024-02-01,"a \\"b\\", c",1.5')
    ),
    "an apostrophe": lambda n: encoded(with_line(rows_of(n), 2, f"{n},2024-02-01,O'Neil's,1.5")),
    "a blank line": lambda n: encoded([f"Station {n}", "", *with_line(rows_of(n), 1 + n % 8, "")]),
    "a line of blanks": lambda n: encoded(with_line(rows_of(n), 1 + n % 9, "\t" if n % 2 else "  ")),
    "a mark of UTF-8": lambda n: encoded(rows_of(n), "utf-8-sig"),
    "UTF-16": lambda n: encoded(rows_of(n), "utf-16-le").replace(b"i", b"\xff\xfei", 1),
}


@pytest.mark.parametrize("kind", KNOWN)
def test_the_head_of_one_file_tells_those_of_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """To read the head of each took up to five times as long as all else."""
    for number in range(COUNT):
        (inbox(tmp_path) / f"{number:02d}.csv").write_bytes(KNOWN[kind](number))

    _, calls = told_alike(tmp_path, monkeypatch, members, "read_head")

    assert calls <= 2


@pytest.mark.parametrize("kind", ["no header", "a delimiter in the title"])
def test_no_value_is_asked_by_itself_of_a_column_of_numbers_or_dates(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """Heads that none of another file tells are read for each: to ask each value was a third of that."""
    for number in range(COUNT):
        lines = rows_of(number)[1:] if kind == "no header" else [f"Station {number}, Berlin", *rows_of(number)]
        (inbox(tmp_path) / f"{number:02d}.csv").write_bytes(encoded(lines))

    _, calls = told_alike(tmp_path, monkeypatch, header, "kind_of_field")

    assert calls <= 20 * COUNT


@pytest.mark.parametrize(
    ("most", "other"),
    [
        ("a;b;c\n1,5;2,5;x\n3,5;4,25;y\n", "Report\na;b;c\n1,5;2,5;x\n3,5;4,25;y\n5,5;4,5;z\n"),
        ("a,b\n1,2\n3,4\n", "a,b\nname,x,y\n1,2,3\n4,5,6\n7,8,9\n"),
        ("a,b\n1,x\n3,y\n", "a,b\n1,'x,y'\n2,'z,u'\n"),
        ("Report\nx;y\n3\n4\n", "Report\nx;y\n1;3\n2;4\n"),
        ("name 7\nname 2\nx\n", "name 7\nname 2\nname 5\n"),
        ("\ufeffa,b\n1,2\n3,4\n", "\ufeffa,b\n1,2\n3,4,5\n5,6\n"),
        ("1,2", "3,x"),
        ("\n1\n2\n", "\n3\nx\n"),
        ("\n1;2;x\n3;4;y\n", "\n\n5;6\n7;8;z\n9;1;u\n2;3;v\n"),
    ],
)
def test_what_one_file_has_is_not_told_by_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: str, other: str
) -> None:
    """Its first line may be a title, or blank, an apostrophe its quote, and its rejects stand behind its mark."""
    for number in range(COUNT):
        (inbox(tmp_path) / f"{number:02d}.csv").write_text(other if number == 5 else most)
    alone = told_of(tmp_path, at_once=False, monkeypatch=monkeypatch)

    assert told_of(tmp_path, at_once=True, monkeypatch=monkeypatch) == alone


@pytest.mark.parametrize(("blank", "last"), [("", []), (",,,", []), (",", []), ("", ["Total,,,99"])])
def test_the_header_of_another_table_in_one_of_many_files_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, blank: str, last: list[str]
) -> None:
    """It stands below a blank line, with which a file is joined with others else, and maybe above a line of totals."""
    rows = ["1,u,x,y", "2,q,y,z", "3,p,z,z"] if last else lines_of(5)[1:]
    for number in range(COUNT):
        second = [blank, "name,kind,word,size", *rows, *last] if number == 5 else [blank]
        (inbox(tmp_path) / f"{number:02d}.csv").write_bytes(encoded([*lines_of(number), *second]))
    alone = told_of(tmp_path, at_once=False, monkeypatch=monkeypatch)

    together = told_of(tmp_path, at_once=True, monkeypatch=monkeypatch)

    assert together == alone
    assert any("line 6 looks like the header of another table" in each for each in alone["warnings"])


def parquet_of(columns: dict[str, Any]) -> bytes:
    """Return columns as the bytes of a file."""
    buffer = io.BytesIO()
    pq.write_table(pa.table(columns), buffer)
    return buffer.getvalue()


COLUMNS: dict[str, tuple[Callable[[int], dict[str, Any]], int]] = {
    "all alike": (lambda n: {"a": [n, n + 1], "t": ["x", None]}, 0),
    "rejects": (lambda n: {"a": [f"{n}", "x" if n % 2 else "7", "y" if n == 3 else "8"]}, 0),
    "no rows, or no values, in some": (
        lambda n: {"a": pa.array([n] * (n % 3), pa.int64()), "t": pa.array([None] * (n % 3), pa.string())},
        0,
    ),
    "other columns in some": (lambda n: {"a": [n], "t": ["x"]} if n % 4 else {"t": ["y"], "b": [1.5]}, COUNT // 4),
    "whole numbers that no float holds": (lambda n: {"a": [n, 2**53 + n % 2]}, 0),
    "a time finer than a microsecond": (lambda n: {"t": pa.array([10**18 + n // 11], pa.timestamp("ns"))}, COUNT),
    "structs": (lambda n: {"s": [{"a": n}]}, COUNT),
    "dictionaries": (lambda n: {"d": pa.array(["a", f"{n}"]).dictionary_encode()}, 0),
}
"""Columns of the files, and how many of these are read by themselves."""


@pytest.mark.parametrize("kind", COLUMNS)
def test_files_of_parquet_are_joined(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """To cast the few rows of each took three times as long as to read them."""
    columns_of, single = COLUMNS[kind]
    for number in range(COUNT):
        (inbox(tmp_path) / f"{number:02d}.parquet").write_bytes(parquet_of(columns_of(number)))
    declared = {"columns": {"a": {"type": "int"}}} if kind == "rejects" else {}
    alone = told_of(tmp_path, at_once=False, monkeypatch=monkeypatch, **declared)
    counts: Counter[str] = Counter()
    count_calls(monkeypatch, counts, gathering, "read_small")

    together = told_of(tmp_path, at_once=True, monkeypatch=monkeypatch, **declared)

    assert together == alone
    assert counts["read_small"] == single
