"""What `doctor` says of a data folder in which something is damaged."""

from __future__ import annotations

from pathlib import Path

from flows.cli.doctor.data_folder import look_at_folder
from tests.convert.conftest import api_source, files_source, land, make_table, write_files

AGAIN = "run its pipeline with --only convert: it makes it anew"


def wrong_of(data: Path) -> list[str]:
    """Return what is wrong with a data folder."""
    return [found.message for found in look_at_folder(data, least_free=0) if found.level == "wrong"]


def test_nothing_is_wrong_with_a_table_as_it_was_made(tmp_path: Path) -> None:
    """Of landed rows, with rejects, in parts."""
    source = api_source("a", columns={"v": "int"}, table={"max_rejects": None})
    land(tmp_path, source, "origin=a", '{"id": 1, "v": "x"}', '{"id": 2, "v": "3"}')
    make_table(tmp_path, source)

    assert wrong_of(tmp_path) == []


def test_a_part_that_is_cut_off_or_gone_is_told(tmp_path: Path) -> None:
    """By its path, with what makes it anew."""
    write_files(tmp_path, a_csv="k,x\na,1\nb,2\n")
    make_table(tmp_path, files_source(table={"partition_by": ["k"]}))
    first, second = sorted((tmp_path / "tables" / "rows").rglob("*.parquet"))
    first.write_bytes(first.read_bytes()[:-9])

    assert wrong_of(tmp_path) == [f"{first} of the table rows is gone or damaged; {AGAIN}"]
    second.unlink()
    assert wrong_of(tmp_path) == [f"{first} and 1 more of the table rows is gone or damaged; {AGAIN}"]


def test_rejects_that_are_gone_are_told(tmp_path: Path) -> None:
    """They are part of the account of the rows."""
    write_files(tmp_path, a_csv="x\n1\nbad\n")
    make_table(tmp_path, files_source(columns={"x": "int"}, table={"max_rejects": None}))
    (reject,) = (tmp_path / "rejects" / "rows").rglob("*.parquet")
    reject.unlink()

    assert wrong_of(tmp_path) == [f"{reject} of the table rows is gone or damaged; {AGAIN}"]


def test_a_table_that_is_gone_is_told(tmp_path: Path) -> None:
    """The copy of its manifest tells of it."""
    write_files(tmp_path, a_csv="x\n1\n")
    make_table(tmp_path, files_source())
    (tmp_path / "tables" / "rows").unlink()

    (told,) = wrong_of(tmp_path)

    assert told.startswith("the table rows is gone, which ")
    assert told.endswith(AGAIN)


def test_a_raw_file_that_is_not_as_it_was_landed_is_told(tmp_path: Path) -> None:
    """By its path, with the one partition that is to be fetched again."""
    source = api_source("a", "b", "c")
    raw = [land(tmp_path, source, f"origin={part}", '{"id": 1}') for part in ("a", "b", "c")]
    raw[0].write_bytes(raw[0].read_bytes()[:-3])
    raw[1].unlink()
    (tmp_path / "raw" / "rows" / "origin=c.json").write_text("{")

    told = wrong_of(tmp_path)

    assert [sentence.split(" is not as it was landed, ")[0] for sentence in told] == list(map(str, raw))
    assert [sentence.split("; ")[1] for sentence in told] == [
        f"fetch it again with --partitions origin={part} --fresh" for part in ("a", "b", "c")
    ]
