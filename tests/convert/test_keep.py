"""Which of the rows with one key stays, over files that come day by day."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.convert.conftest import api_source, files_source, land, make_table, read_rows, warnings_of, write_files

SNAPSHOTS = {"day-9.csv": "id,x\n1,old\n2,kept\n", "day-10.csv": "id,x\n1,new\n"}


def write(root: Path, **files: str) -> None:
    """Write files into the inbox, by their whole names."""
    (root / "inbox").mkdir(exist_ok=True)
    for name, text in files.items():
        (root / "inbox" / name).write_text(text)


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize("names", [tuple(SNAPSHOTS), ("2026-01-01.csv", "2026-01-02.csv")])
def test_the_row_of_the_last_snapshot_stays(tmp_path: Path, names: tuple[str, str], at_once: bool) -> None:
    """Files count in the order of their names, numbers by value, whether they come together or one by one."""
    source = files_source(key=["id"])
    for name, text in zip(names, SNAPSHOTS.values(), strict=True):
        write(tmp_path, **{name: text})
        if not at_once:
            make_table(tmp_path, source)

    table = make_table(tmp_path, source)

    assert sorted(row["x"] for row in read_rows(tmp_path)) == ["kept", "new"]
    assert (table.rows_received, table.rows_table, table.rows_duplicate) == (3, 2, 1)


def test_the_order_of_path_is_before_that_of_names(tmp_path: Path) -> None:
    """Corrections that are listed last win over the files that they correct."""
    write(tmp_path, **{"a-correction.csv": "id,x\n1,right\n", "b.csv": "id,x\n1,wrong\n"})

    make_table(tmp_path, files_source(["inbox/b.csv", "inbox/a-*.csv"], key=["id"]))

    assert [row["x"] for row in read_rows(tmp_path)] == ["right"]


def test_the_first_row_stays_where_that_is_declared(tmp_path: Path) -> None:
    """Keep: first is the oldest snapshot's row."""
    write(tmp_path, **SNAPSHOTS)

    make_table(tmp_path, files_source(key=["id"], keep="first"))

    assert [row["x"] for row in read_rows(tmp_path)] == ["old", "kept"]


@pytest.mark.parametrize(
    ("settings", "kept"),
    [
        ({}, "first"),
        ({"keep": "last"}, "second"),
        ({"incremental": {"field": "id", "param": "since", "start": "0"}}, "second"),
        ({"incremental": {"field": "id", "param": "since", "start": "0"}, "keep": "first"}, "first"),
    ],
)
def test_an_api_keeps_what_is_declared(tmp_path: Path, settings: dict[str, Any], kept: str) -> None:
    """Without keep an API's first row stays, of an incremental one the last, which is the newest."""
    source = api_source(**settings)
    land(tmp_path, source, "all", '{"id": 1, "x": "first"}', '{"id": 1, "x": "second"}')

    make_table(tmp_path, source)

    assert read_rows(tmp_path) == [{"id": 1, "x": kept}]


def test_a_new_file_that_gives_way_by_its_name_is_told(tmp_path: Path) -> None:
    """Names may not tell the order in which files came: a file whose rows are not seen is named with its cure."""
    source = files_source(key=["id"])
    write(tmp_path, **{"b.csv": "id,x\n1,before\n2,y\n"})
    first = warnings_of(tmp_path, source)

    write(tmp_path, **{"a.csv": "id,x\n1,after\n3,z\n3,w\n"})
    second = warnings_of(tmp_path, source)

    assert (first, second) == (
        (),
        (
            "inbox/a.csv is new, but 1 of its rows gave way to rows with the same key in files that stand after it by "
            "name; name files so that the newest is the last, or declare keep",
        ),
    )


def test_nothing_is_told_where_the_order_is_declared(tmp_path: Path) -> None:
    """With keep the order of names is what was asked for."""
    source = files_source(key=["id"], keep="last")
    write(tmp_path, **{"b.csv": "id,x\n1,before\n2,y\n"})
    warnings_of(tmp_path, source)

    write(tmp_path, **{"a.csv": "id,x\n1,after\n3,z\n"})

    assert warnings_of(tmp_path, source) == ()


@pytest.mark.parametrize(("keep", "kept"), [("first", ["a", "c", "d", "f"]), ("last", ["c", "d", "e", "f"])])
def test_a_key_keeps_the_first_or_the_last_row(tmp_path: Path, keep: str, kept: list[str]) -> None:
    """Other rows with the same key, in the same file or another one, are dropped and counted; nulls are no key."""
    write_files(tmp_path, a_csv="id,x\n1,a\n1,b\n,c\n", b_csv="id,x\n2,d\n1,e\n,f\n")

    table = make_table(tmp_path, files_source(key=["id"], keep=keep))

    assert [row["x"] for row in read_rows(tmp_path)] == kept
    assert (table.rows_received, table.rows_table, table.rows_rejected, table.rows_duplicate) == (6, 4, 0, 2)


def test_long_keys_are_told_apart_beside_nulls(tmp_path: Path) -> None:
    """Integers that would be the same as floats are two keys."""
    write_files(tmp_path, a_csv="id,x\n9007199254740992,a\n9007199254740993,b\n,c\n")

    table = make_table(tmp_path, files_source(key=["id"]))

    assert (table.rows_table, table.rows_duplicate) == (3, 0)


@pytest.mark.parametrize(
    ("change", "values"),
    [
        ({"a_csv": "id,x\n3,a\n"}, ["a", "b", "c"]),
        ({"a_csv": "id,x\n1,a\n2,n\n"}, ["a", "n"]),
        ({"b_csv": "id,x\n1,b\n4,n\n"}, ["a", "n", "c"]),
        ({"0_csv": "id,x\n2,n\n5,m\n"}, ["n", "m", "a"]),
    ],
)
def test_duplicates_are_judged_anew_when_a_file_changes(
    tmp_path: Path, change: dict[str, str], values: list[str]
) -> None:
    """After any change the table is the one that a fresh run makes."""
    write_files(tmp_path, a_csv="id,x\n1,a\n", b_csv="id,x\n1,b\n", c_csv="id,x\n2,c\n")
    source = files_source(key=["id"], keep="first")
    make_table(tmp_path, source)

    write_files(tmp_path, **change)
    changed = make_table(tmp_path, source)
    rows = read_rows(tmp_path)
    fresh = make_table(tmp_path, source, fresh=True)

    assert [row["x"] for row in rows] == values
    assert (read_rows(tmp_path), fresh.rows_duplicate) == (rows, changed.rows_duplicate)
