"""Many small files: one part for those that are alike, none lost that is odd, and a change of one that leaves the others."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.convert.parts.part import Part
from tasks.convert.staging.bundle import MANY_FILES, bundle_files
from tasks.convert.staging.context import ConversionContext, InputFile
from tasks.convert.staging.gathering import GATHERED_FILES, gather_files
from tasks.convert.table.manifest import read_table_manifest
from tasks.core.errors import TableError
from tests.convert.conftest import files_source, make_table, read_rejects, read_rows, write_files

COUNT = 2 * MANY_FILES
WRITTEN = {
    "x,y\n1,a\n": {"x": 1, "y": "a"},
    "x;y\n2;b\n": {"x": 2, "y": "b"},
    "x\ty\n3\tc\n": {"x": 3, "y": "c"},
    "x|y\n4|d\n": {"x": 4, "y": "d"},
    "p;q,r\n5,e\n5,e\n": {"p;q": 5, "r": "e"},
    "p;q,r\n6;f\n6;f\n": {"p": 6, "q,r": "f"},
}
"""Files, and the row that each holds once or twice."""


def write_many(root: Path, count: int = COUNT) -> None:
    """Write so many small files; each holds two rows, with its number in x."""
    (root / "inbox").mkdir(exist_ok=True)
    for number in range(count):
        (root / "inbox" / f"{number:05d}.csv").write_text(f"x,t\n{number},a\n{number},b\n")


def parts(root: Path) -> list[Path]:
    """Return the parts of the table."""
    return sorted((root / "tables" / "rows").glob("*.parquet"))


def values(root: Path) -> list[int]:
    """Return the numbers in the table, in order."""
    return sorted(row["x"] for row in read_rows(root))


def test_many_small_files_share_a_part(tmp_path: Path) -> None:
    """A Parquet file each would cost more than their rows are worth."""
    write_many(tmp_path)

    table = make_table(tmp_path, files_source())

    assert (table.files, table.rows_table, len(parts(tmp_path))) == (COUNT, 2 * COUNT, 1)
    assert values(tmp_path) == sorted([*range(COUNT), *range(COUNT)])


def test_a_change_of_one_reads_that_one(tmp_path: Path) -> None:
    """Its old rows leave the part that it shared, and nothing else is read again."""
    write_many(tmp_path)
    make_table(tmp_path, files_source())

    (tmp_path / "inbox" / "00007.csv").write_text("x,t\n-7,c\n")
    table = make_table(tmp_path, files_source())
    again = make_table(tmp_path, files_source())

    expected = sorted([n for n in range(COUNT) for _ in range(2) if n != 7] + [-7])
    assert (table.files_read, again.files_read, values(tmp_path)) == (1, 0, expected)
    assert [pq.read_metadata(part).num_rows for part in parts(tmp_path)] == [2 * COUNT - 2, 1]


def test_an_odd_file_among_many_harms_none(tmp_path: Path) -> None:
    """Ragged, quoted, otherwise typed or otherwise headed files are converted by themselves, to the same table."""
    write_many(tmp_path)
    odd = {
        "00003": "x,t\n3\n3,b\n",
        "00050": 'x,t\n50,"a\nb"\n50,b\n',
        "00120": "t,x\na,120\nb,120\n",
        "00150": "x,t\n150,a\n\n150,b",
        "00151": "x,t\n151,é\n151,b",
        "00152": "x,t",
    }
    for name, text in odd.items():
        (tmp_path / "inbox" / f"{name}.csv").write_text(text)

    table = make_table(tmp_path, files_source())

    assert (table.files, table.rows_received, table.rows_rejected) == (COUNT, 2 * COUNT - 2, 1)
    assert [(row["file"], row["line"]) for row in read_rejects(tmp_path)] == [("inbox/00003.csv", 2)]
    assert values(tmp_path) == sorted([n for n in range(COUNT) for _ in range(2) if n not in (3, 152)] + [3])


def test_a_type_that_one_file_widens_is_wide_for_all(tmp_path: Path) -> None:
    """007 in one file makes texts of all numbers, as they were written."""
    write_many(tmp_path)
    (tmp_path / "inbox" / "00100.csv").write_text("x,t\n007,a\n")

    make_table(tmp_path, files_source())

    assert {row["x"] for row in read_rows(tmp_path)} == {*(str(n) for n in range(COUNT) if n != 100), "007"}
    # What is read again is so in the order of the files, so that rows and names of parts are the same in every run.
    assert all(list(part.rows) == sorted(part.rows) for part in manifest_of(tmp_path))


def test_duplicates_are_found_within_a_shared_part(tmp_path: Path) -> None:
    """The first row of a key stays, in the order of the files, and comes back when that one goes."""
    write_many(tmp_path)
    source = files_source(key=["x"], on_missing="drop")
    first = make_table(tmp_path, source)
    (tmp_path / "inbox" / "zz.csv").write_text("x,t\n5,late\n")
    second = make_table(tmp_path, source)
    (tmp_path / "inbox" / "00005.csv").unlink()
    third = make_table(tmp_path, source)

    assert (first.rows_duplicate, second.rows_duplicate, third.rows_duplicate) == (COUNT, COUNT + 1, COUNT - 1)
    assert [row["t"] for row in read_rows(tmp_path) if row["x"] == 5] == ["late"]


@pytest.mark.parametrize("count", [1, MANY_FILES // 4])
def test_each_file_of_a_source_has_its_own_delimiter(tmp_path: Path, count: int) -> None:
    """Its own records tell how it is written, not those of a file before it with the same first line."""
    texts = [text for text in WRITTEN for _ in range(count)]
    write_files(tmp_path, **{f"{number:03d}_csv": text for number, text in enumerate(texts)})

    table = make_table(tmp_path, files_source())

    rows = [{name: value for name, value in row.items() if value is not None} for row in read_rows(tmp_path)]
    assert table.rows_rejected == 0
    assert {tuple(row.items()) for row in rows} == {tuple(row.items()) for row in WRITTEN.values()}


def written_as_parquet(number: int) -> bytes:
    """Return two rows as the bytes of a file."""
    buffer = io.BytesIO()
    pq.write_table(pa.table({"x": [number, number], "t": ["a", "b"]}), buffer)
    return buffer.getvalue()


def written_as_arrow(number: int) -> bytes:
    """Return two rows as the bytes of a stream."""
    table, buffer = pa.table({"x": [number, number], "t": ["a", "b"]}), io.BytesIO()
    with pa.ipc.new_stream(buffer, table.schema) as stream:
        stream.write_table(table)
    return buffer.getvalue()


def as_objects(number: int) -> list[dict[str, object]]:
    """Return two rows."""
    return [{"x": number, "t": letter} for letter in "ab"]


FORMATS: dict[str, Callable[[int], bytes]] = {
    "csv.gz": lambda number: gzip.compress(f"x,t\n{number},a\n{number},b\n".encode()),
    "csv": lambda number: f"x;t\n{number};a\n{number};b\n".encode(),
    "jsonl": lambda number: "".join(f"{json.dumps(row)}\n" for row in as_objects(number)).encode(),
    "json": lambda number: json.dumps(as_objects(number)).encode(),
    "json.gz": lambda number: gzip.compress(json.dumps(as_objects(number)).encode()),
    "parquet": written_as_parquet,
    "arrows": written_as_arrow,
}


JOINED = ("csv.gz", "csv", "jsonl", "json", "json.gz", "parquet")
"""Of which all are parsed at once; others are parsed by themselves, a hundred in a thread."""


@pytest.mark.parametrize("ending", FORMATS)
def test_small_files_of_each_format_share_parts(tmp_path: Path, ending: str) -> None:
    """Each took 5 ms and a part of its own, twenty times as long as plain CSV: such as JSON of an API, or what is compressed."""
    write_files(tmp_path)
    for number in range(COUNT):
        (tmp_path / "inbox" / f"{number:05d}.{ending}").write_bytes(FORMATS[ending](number))

    source = files_source(table={"provenance": True})
    first = make_table(tmp_path, source)
    (tmp_path / "inbox" / f"00007.{ending}").write_bytes(FORMATS[ending](-7))
    second = make_table(tmp_path, source)

    assert (first.rows_table, second.rows_table, second.files_read) == (2 * COUNT, 2 * COUNT, 1)
    joined = 1 if ending in JOINED else COUNT // GATHERED_FILES
    assert len(parts(tmp_path)) == joined + 1
    rows = {(row["_file"], row["_line"]): (row["x"], row["t"]) for row in read_rows(tmp_path)}
    assert {file for file, _ in rows} == {f"inbox/{number:05d}.{ending}" for number in range(COUNT)}
    assert {x for (file, _), (x, _) in rows.items() if file == f"inbox/00007.{ending}"} == {-7}
    assert all(
        t == "ab"[line % 2 == last % 2] for (file, line), (_, t) in rows.items() for last in [line_of_b(rows, file)]
    )


@pytest.mark.parametrize("ending", FORMATS)
def test_a_renamed_file_takes_the_place_of_one_of_many(tmp_path: Path, ending: str) -> None:
    """Read by itself it is known by the same as it was among others: its rows would stand there twice."""
    write_files(tmp_path)
    for number in range(MANY_FILES):
        (tmp_path / "inbox" / f"{number:05d}.{ending}").write_bytes(FORMATS[ending](number))
    make_table(tmp_path, files_source())
    (tmp_path / "inbox" / f"00007.{ending}").rename(tmp_path / "inbox" / f"renamed.{ending}")

    table = make_table(tmp_path, files_source())

    assert (table.files, table.rows_table) == (MANY_FILES, 2 * MANY_FILES)


def test_the_member_of_each_zip_tells_its_format(tmp_path: Path) -> None:
    """What is no format alone is none among many."""
    write_files(tmp_path)
    for number in range(MANY_FILES):
        with zipfile.ZipFile(tmp_path / "inbox" / f"{number:05d}.zip", "w") as archive:
            archive.writestr("x.dat" if number else "x.tsv", f"x\tt\n{number}\ta\n")

    with pytest.raises(TableError) as raised:
        make_table(tmp_path, files_source())

    assert len(str(raised.value).splitlines()) == MANY_FILES - 1
    assert "inbox/00001.zip: .dat is not a format" in str(raised.value)


def line_of_b(rows: dict[tuple[str, int], tuple[int, str]], file: str) -> int:
    """Return the line of the last row of a file."""
    return max(line for name, line in rows if name == file)


def test_each_odd_one_of_small_json_files_is_told(tmp_path: Path) -> None:
    """Rejects are told by file and line, other columns are columns, and of those that cannot be read each is named."""
    write_files(tmp_path)
    for number in range(COUNT):
        (tmp_path / "inbox" / f"{number:05d}.jsonl").write_bytes(FORMATS["jsonl"](number))
    (tmp_path / "inbox" / "00003.jsonl").write_text('{"x": 3\n{"x": 3, "t": "b"}\n')
    (tmp_path / "inbox" / "00050.jsonl").write_text('{"x": 50, "more": [1, 2]}\n')
    (tmp_path / "inbox" / "00051.jsonl").write_text("")

    table = make_table(tmp_path, files_source())

    assert (table.files, table.rows_received, table.rows_rejected) == (COUNT, 2 * COUNT - 3, 1)
    assert [(row["file"], row["line"]) for row in read_rejects(tmp_path)] == [("inbox/00003.jsonl", 1)]
    assert sorted(table.types) == ["more", "t", "x"]
    for number in (3, 150):
        (tmp_path / "inbox" / f"{number:05d}.jsonl").write_bytes(b"\x1f\x8b\x08\x00 is compressed")
    with pytest.raises(TableError) as raised:
        make_table(tmp_path, files_source())
    assert [line.partition(":")[0] for line in str(raised.value).splitlines()] == [
        "inbox/00003.jsonl",
        "inbox/00150.jsonl",
    ]


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_files_with_rejects_are_parsed_with_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    """A reject in one of many had each of them parsed by itself, which takes ten times as long; and then that one."""
    write_files(tmp_path)
    for number in range(COUNT):
        text = f"x,t\n{number},a\n" if ending == "csv" else json.dumps({"x": number, "t": "a"}) + "\n"
        (tmp_path / "inbox" / f"{number:05d}.{ending}").write_text(text)
    for number in (3, COUNT - 1):
        with (tmp_path / "inbox" / f"{number:05d}.{ending}").open("a") as file:
            file.write("x\n")
    gathered: list[int] = []

    def counted(files: Sequence[InputFile], plan: ConversionContext, part: str) -> Any:
        gathered.append(len(files))
        return gather_files(files, plan, part)

    monkeypatch.setattr("tasks.convert.tasks.gather_files", counted)

    table = make_table(tmp_path, files_source())

    assert (table.rows_table, table.rows_rejected, gathered) == (COUNT, 2, [])
    line = 3 if ending == "csv" else 2
    assert {(row["file"], row["line"]) for row in read_rejects(tmp_path)} == {
        (f"inbox/{number:05d}.{ending}", line) for number in (3, COUNT - 1)
    }


def test_the_first_of_many_may_be_empty(tmp_path: Path) -> None:
    """It ended convert with an error of Python's."""
    write_many(tmp_path)
    (tmp_path / "inbox" / "00000.csv").write_text("")

    assert make_table(tmp_path, files_source()).rows_table == 2 * COUNT - 2


def test_a_line_of_totals_is_told_of_a_file_among_many(tmp_path: Path) -> None:
    """Also where the first of them has no row; it was one of the table, and its column one of texts."""
    write_files(tmp_path, a_csv="x,t,v\n")
    for number in range(COUNT):
        (tmp_path / "inbox" / f"{number:05d}.csv").write_text(f"x,t,v\n{number},a,1.5\n{number},b,2.5\n")
    (tmp_path / "inbox" / "00000.csv").write_text("x,t,v\n")
    (tmp_path / "inbox" / "00100.csv").write_text("x,t,v\n" + "1,a,33\n" * 3 + "Total,,99\n")

    table = make_table(tmp_path, files_source())

    assert (table.rows_rejected, dict(table.types)) == (1, {"x": "int", "t": "string", "v": "float"})


def test_values_of_files_that_are_gone_are_not_counted(tmp_path: Path) -> None:
    """What is told of a column of texts is told of the rows that are there."""
    write_many(tmp_path)
    for number in range(COUNT):
        (tmp_path / "inbox" / f"{number:05d}.csv").write_text(
            f"x,t\n{number},{number}\n{number},{'x' if number == COUNT - 1 else number}\n"
        )
    make_table(tmp_path, files_source())
    for number in range(COUNT // 2):
        (tmp_path / "inbox" / f"{number:05d}.csv").unlink()

    table = make_table(tmp_path, files_source(on_missing="drop"))

    assert table.rows_table == COUNT
    (hint,) = (warning for warning in table.findings.warnings if warning.startswith("t: "))
    assert f"all but 1 of {COUNT:,} values" in hint


def test_rows_that_are_read_again_have_the_types_that_they_had(tmp_path: Path) -> None:
    """Files of one part with those of another, read again for a wider type, had the types of one: good rows were rejects in the next run."""
    write_files(tmp_path)
    for number in range(COUNT):
        (tmp_path / "inbox" / f"{number:05d}.csv").write_text(f"a;b\n{number if number % 2 else '2024-01-01'};x\n")
    (tmp_path / "inbox" / "x.csv").write_text("a;b\ntext;x\n")
    first = make_table(tmp_path, files_source())
    (tmp_path / "inbox" / "y.csv").write_text("a;b\n7;x\n")
    second = make_table(tmp_path, files_source())

    assert dict(first.types) == dict(second.types) == {"a": "string", "b": "string"}
    assert (second.rows_table, second.rows_rejected) == (COUNT + 2, 0)
    own = {name: part.types["a"] for part in manifest_of(tmp_path) for name in part.rows}
    assert [own[f"inbox/{name}.csv"] for name in ("00001", "00002", "x", "y")] == ["int", "date", "string", "int"]


def manifest_of(root: Path) -> Iterable[Part]:
    """Return the parts of the table."""
    return read_table_manifest(root / "tables" / "rows").parts.values()


def test_files_that_hold_much_more_than_they_take_up_are_not_held_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hundred of 20 kB, of 8 MB each decompressed, took 2.5 GB; a part takes so many rows as others have."""
    monkeypatch.setattr("tasks.convert.staging.gathering._PART_BYTES", 200)
    monkeypatch.setattr("tasks.convert.staging.joining._COLUMNS_BYTES", 200)
    write_files(tmp_path)
    for number in range(COUNT):
        (tmp_path / "inbox" / f"{number:05d}.parquet").write_bytes(written_as_parquet(number))

    table = make_table(tmp_path, files_source())

    assert table.rows_table == 2 * COUNT
    assert max(part.total for part in manifest_of(tmp_path)) <= 20


@pytest.mark.parametrize("ending", ["jsonl.gz", "csv.gz", "blank.csv.gz"])
def test_a_file_that_is_large_once_it_is_decompressed_is_read_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    """A hundred of 1.6 MB each were held together: they took a fifth more memory, and three times as long."""
    for module in ("file", "joining"):
        monkeypatch.setattr(f"tasks.convert.staging.{module}.MOST_BYTES", 10)
    write_files(tmp_path)
    for number in range(COUNT):
        text = FORMATS["jsonl"](number).decode() if ending == "jsonl.gz" else f"x,t\n{number},a\n{number},b\n"
        data = text + "\n" * (ending == "blank.csv.gz")
        (tmp_path / "inbox" / f"{number:05d}.{ending}").write_bytes(gzip.compress(data.encode()))

    table = make_table(tmp_path, files_source())

    assert (table.rows_table, len(parts(tmp_path))) == (2 * COUNT, COUNT)


@pytest.mark.parametrize("ending", ["json", "jsonl", "csv.gz", "parquet"])
def test_a_file_that_changes_while_many_are_read_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    """Its rows would be those of another file than the manifest tells."""
    write_files(tmp_path)
    for number in range(COUNT):
        (tmp_path / "inbox" / f"{number:05d}.{ending}").write_bytes(FORMATS[ending](number))

    def listed_before(files: Sequence[InputFile], plan: ConversionContext) -> list[list[InputFile]]:
        older = {f"inbox/00003.{ending}": 1}
        return bundle_files([replace(file, mtime_ns=file.mtime_ns - older.get(file.name, 0)) for file in files], plan)

    monkeypatch.setattr("tasks.convert.table.conversion.bundle_files", listed_before)

    with pytest.raises(TableError, match=rf"^inbox/00003.{ending}: changed while it was read"):
        make_table(tmp_path, files_source())
