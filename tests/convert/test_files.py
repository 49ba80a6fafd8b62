"""One file to one part: whatever was written comes back, whatever is damaged is told."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import json
import random
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xxhash
from hypothesis import given
from hypothesis import strategies as st

from tasks.config.columns import ColumnType
from tasks.config.formats import FORMATS
from tasks.convert.schema.target import TableTarget
from tasks.convert.schema.types import Types
from tasks.convert.staging.context import InputFile
from tasks.convert.table.inputs import find_file, list_files, name_part
from tasks.core.errors import TableError
from tests.convert.conftest import PROPERTY, convert_alone, convert_one, files_source, write_files
from tests.convert.torture import zipped

# Texts that Parquet can hold.
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)
VALUES: Mapping[ColumnType, st.SearchStrategy[Any]] = {
    "int": st.integers(-(2**63), 2**63 - 1),
    "float": st.floats(allow_nan=False),
    "bool": st.booleans(),
    "date": st.dates(min_value=date(1000, 1, 1)),
    "timestamp": st.datetimes(min_value=datetime(1000, 1, 1)),  # noqa: DTZ001 - without a zone
    "string": TEXTS,
}


@st.composite
def typed_tables(draw: st.DrawFn) -> tuple[dict[str, ColumnType], list[dict[str, Any]]]:
    """Return types of columns and rows of such values, or None."""
    names = draw(st.lists(st.sampled_from("abcdef"), min_size=1, max_size=5, unique=True))
    types = {name: draw(st.sampled_from(sorted(VALUES))) for name in names}
    row = st.fixed_dictionaries({name: st.none() | VALUES[type_name] for name, type_name in types.items()})
    return types, draw(st.lists(row, max_size=8))


def written(value: Any) -> str:
    """Return a value as texts of it are usually written."""
    if value is None:
        return ""
    return (
        str(value).lower() if isinstance(value, bool) else value.isoformat() if isinstance(value, date) else str(value)
    )


COMPRESSED: Mapping[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".zst": lambda data: bytes(pa.compress(data, codec="zstd", asbytes=True)),
    ".zip": lambda data: zipped(file_csv=data),
}
compressions = st.sampled_from(sorted(COMPRESSED))


def as_csv(rows: list[dict[str, Any]], names: list[str], seed: int, delimiter: str = ",") -> bytes:
    """Return rows as CSV in which each field that need not be quoted is quoted at random."""
    chance = random.Random(seed)
    lines = [delimiter.join(names)]
    for row in rows:
        fields = [written(row[name]) for name in names]
        must = [len(fields) == 1 or any(character in field for character in f'{delimiter}"\r\n') for field in fields]
        quoted = ['"' + field.replace('"', '""') + '"' for field in fields]
        lines.append(
            delimiter.join(q if m or chance.random() < 0.5 else f for f, q, m in zip(fields, quoted, must, strict=True))
        )
    return (chance.choice(["\n", "\r\n"]).join(lines) + chance.choice(["", "\n"])).encode()


def convert_bytes(data: bytes, suffix: str, types: Mapping[str, ColumnType]) -> tuple[int, list[dict[str, Any]], int]:
    """Return how many rows a file with these bytes has, its part's rows, and its number of rejects."""
    source = files_source(columns=dict(types))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"file{suffix}"
        path.write_bytes(data)
        converted, part, rejects = convert_alone(path, source)
    assert converted.rows_table == part.num_rows
    assert converted.rows_rejected == len(rejects)
    return converted.rows_received, part.to_pylist(), len(rejects)


@PROPERTY
@given(typed_tables(), st.integers(0, 2**32), st.sampled_from([".csv", ".tsv"]), compressions)
def test_a_table_written_as_csv_comes_back(
    table: tuple[dict[str, ColumnType], list[dict[str, Any]]], seed: int, suffix: str, compression: str
) -> None:
    """Typed values written as CSV, quoted or not, are the same values again; an empty text is null."""
    types, rows = table

    data = as_csv(rows, list(types), seed, "\t" if suffix == ".tsv" else ",")
    received, found, rejects = convert_bytes(COMPRESSED[compression](data), f"{suffix}{compression}", types)

    expected = [{name: None if value == "" else value for name, value in row.items()} for row in rows]
    assert (found, received, rejects) == (expected, len(rows), 0)


@PROPERTY
@given(typed_tables(), st.booleans(), compressions)
def test_a_table_written_as_json_lines_comes_back(
    table: tuple[dict[str, ColumnType], list[dict[str, Any]]], ascii_only: bool, compression: str
) -> None:
    """Typed values written as JSON lines are the same values again."""
    types, rows = table
    rows = [{**row, "row": number} for number, row in enumerate(rows)]
    lines = [json.dumps(row, default=written, ensure_ascii=ascii_only) for row in rows]

    received, found, rejects = convert_bytes(
        COMPRESSED[compression]("\n".join(lines).encode()), f".jsonl{compression}", types
    )

    assert (found, received, rejects) == (rows, len(rows), 0)


@PROPERTY
@given(
    typed_tables(),
    st.lists(
        st.tuples(st.floats(0, 1), st.sampled_from(b'",\n\r\0\xff\xc3a0 ') | st.integers(0, 255)),
        min_size=1,
        max_size=6,
    ),
    st.sampled_from([".csv", ".tsv", ".jsonl"]),
    compressions,
    st.booleans(),
)
def test_damaged_bytes_are_rejects_or_one_error(
    table: tuple[dict[str, ColumnType], list[dict[str, Any]]],
    damage: list[tuple[float, int]],
    suffix: str,
    compression: str,
    declared: bool,
) -> None:
    """Whichever bytes of a file are damaged, each row is in the part or a reject, or the file is refused."""
    types, rows = table
    lines = [json.dumps(row, default=written) for row in rows]
    text = (
        "\n".join(lines).encode()
        if suffix == ".jsonl"
        else as_csv(rows, list(types), 0, "\t" if suffix == ".tsv" else ",")
    )
    data = bytearray(COMPRESSED[compression](text or b" "))
    for where, byte in damage:
        data[round(where * (len(data) - 1))] = byte

    try:
        received, found, rejects = convert_bytes(bytes(data), f"{suffix}{compression}", types if declared else {})
    except TableError:
        return

    assert received == len(found) + rejects


def test_what_became_of_a_file_is_told(tmp_path: Path) -> None:
    """Types, rows and reasons are counted, and the file is known again by size, time and hash."""
    path = tmp_path / "a.csv"
    path.write_text("id,at,note\n1,2013-01-01T05:00:00Z,NA\nx,2013-01-01T05:00:00Z,\n2\n3,soon,x\ny,never,x\n")
    source = files_source(columns={"id": "int", "at": "timestamp"})

    converted, part, rejects = convert_alone(path, source)

    assert part.to_pylist() == [{"id": 1, "at": datetime(2013, 1, 1, 5, tzinfo=UTC), "note": "NA"}]
    assert (converted.rows_received, converted.rows_rejected, converted.rows_table) == (5, 4, 1)
    assert converted.reasons == {
        "1 field, the header has 3": 1,
        "'x' is not an int": 1,
        "'y' is not an int": 1,
        "'soon' is not a timestamp": 1,
    }
    status = path.stat()
    assert (converted.size, converted.mtime_ns) == (status.st_size, status.st_mtime_ns)
    assert converted.digest == xxhash.xxh3_128(path.read_bytes()).hexdigest()
    assert [(reject["line"], reject["column"], reject["reason"], reject["raw"]) for reject in rejects] == [
        (3, "id", "'x' is not an int", "x,2013-01-01T05:00:00Z,"),
        (4, None, "1 field, the header has 3", "2"),
        (5, "at", "'soon' is not a timestamp", "3,soon,x"),
        (6, "id", "'y' is not an int", "y,never,x"),
    ]


def test_a_part_has_the_columns_it_is_asked_for(tmp_path: Path) -> None:
    """With types given, a column the file lacks is null, and texts are as they were."""
    path = tmp_path / "a.tsv"
    path.write_text("id\tx\n007\t1\n5\t\n")
    wanted: Types = {"new": "date", "x": "float", "id": "string"}

    converted = convert_one(find_file(path, tmp_path), TableTarget("rows", tmp_path, {}), wanted)

    table = pq.read_table(tmp_path / "table" / converted.parts[0].name)
    assert table.schema == pa.schema({"new": pa.date32(), "x": pa.float64(), "id": pa.string()})
    assert table.to_pylist() == [{"new": None, "x": 1.0, "id": "007"}, {"new": None, "x": None, "id": "5"}]


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.csv", b"a\n1\n"),
        ("a.CSV", b"a\n1\n"),
        ("a.tsv", b"a\n1\n"),
        ("a.jsonl", b'{"a": 1}'),
        ("a.ndjson", b'{"a": 1}'),
        ("a.csv.gz", gzip.compress(b"a\n1\n", mtime=0)),
        ("a.csv.gz", gzip.compress(b"a\n", mtime=0) + gzip.compress(b"1\n", mtime=0)),
        ("A.CSV.GZ", gzip.compress(b"a\n1\n", mtime=0)),
        ("a.jsonl.zst", pa.compress(b'{"a": 1}', codec="zstd", asbytes=True)),
    ],
)
def test_the_ending_tells_format_and_compression(tmp_path: Path, name: str, data: bytes) -> None:
    """CSV, TSV and JSON lines are read plain or compressed."""
    (tmp_path / name).write_bytes(data)

    _, part, rejects = convert_alone(tmp_path / name)

    assert (part.to_pylist(), rejects) == ([{"a": 1}], [])


ZST = pa.compress(b'{"a": 1}' * 100, codec="zstd", asbytes=True)
GZ = gzip.compress(b"a,b\n1,2\n" * 100, mtime=0)
KNOWN = (
    f"known are {', '.join(FORMATS.called)}, each plain, .bz2, .gz, .zip, .zst; "
    "declare read.format where names do not tell"
)


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a.docx", b"", f"a.docx: .docx is not a format; {KNOWN}"),
        ("a", b"", f"a: no ending is not a format; {KNOWN}"),
        ("a.gz", GZ, f"a.gz: no ending is not a format; {KNOWN}"),
        (
            "a.csv.gz",
            b"a,b\n1,2\n",
            "a.csv.gz: its .gz compression is damaged or cut off (Not a gzipped file (b'a,')); fetch the file again",
        ),
        ("a.csv", b'"a\n1\n', "a.csv: the quote of its header is not closed; mend the header, or declare read.quote"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_sentence(tmp_path: Path, name: str, data: bytes, message: str) -> None:
    """An unknown format, damaged compression and an unclosed quote are told with the file's name and a cure."""
    (tmp_path / name).write_bytes(data)

    with pytest.raises(TableError) as caught:
        convert_alone(tmp_path / name)

    assert str(caught.value) == message
    assert not (tmp_path / "staged").exists()


def test_a_file_that_is_gone_is_one_sentence(tmp_path: Path) -> None:
    """A file deleted since it was listed is told as such."""
    path = tmp_path / "a.csv"
    path.write_text("x\n1\n")
    file = find_file(path, tmp_path)
    path.unlink()

    with pytest.raises(TableError) as caught:
        convert_one(file, TableTarget("rows", tmp_path / "staged", {}))

    assert str(caught.value) == "a.csv: is gone since it was listed; run again"


def test_fewer_rows_than_were_landed_are_an_error(tmp_path: Path) -> None:
    """A raw file that lost lines is not taken for whole."""
    path = tmp_path / "a.jsonl"
    path.write_text('{"a": 1}\n[]\n')

    with pytest.raises(TableError) as caught:
        convert_one(replace(find_file(path, tmp_path), rows=3), TableTarget("rows", tmp_path / "staged", {}))

    assert str(caught.value) == (
        "a.jsonl: holds 2 rows, but 3 were landed; delete it and run again, and it alone is fetched anew"
    )


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "utf-16"])
@pytest.mark.parametrize("size", [0, 5])
def test_a_store_need_not_know_how_long_a_file_is(tmp_path: Path, encoding: str, size: int) -> None:
    """Delimiter, header and encoding are told by as much of a file as there is, whatever length its store tells."""
    url = f"memory://lengths/{encoding}.csv"
    fsspec.filesystem("memory").pipe(url, "2013,Málaga;é\n2014,Köln;ü\n".encode(encoding))

    converted = convert_one(InputFile(url, url, size, 0), TableTarget("rows", tmp_path, {}))

    assert pq.read_table(tmp_path / "table" / converted.parts[0].name).to_pylist() == [
        {"2013": 2014, "Málaga;é": "Köln;ü"}
    ]
    assert converted.files[0].rows_rejected == 0


def test_files_are_listed_by_name(tmp_path: Path) -> None:
    """A glob is relative to the data folder, whatever letters that has, and folders are no files."""
    root = tmp_path / "data [1]*"
    root.mkdir()
    write_files(root, b_csv="", a_csv="")
    (root / "inbox" / "c.csv").mkdir()

    listed = list_files(["inbox/*.csv"], root)

    assert [(file.path, file.name) for file in listed] == [
        (root / "inbox" / "a.csv", "inbox/a.csv"),
        (root / "inbox" / "b.csv", "inbox/b.csv"),
    ]
    assert [file.name for file in list_files([f"{tmp_path}/*/inbox/a.csv"], root)] == ["inbox/a.csv"]


def test_a_glob_without_a_match_is_one_sentence(tmp_path: Path) -> None:
    """Where no file matches, the place that was looked at is named."""
    with pytest.raises(TableError) as caught:
        list_files(["inbox/*.csv"], tmp_path)

    assert str(caught.value) == f"no file matches {tmp_path}/inbox/*.csv; put the files there, or correct path"


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("inbox/a.csv.gz", "a"),
        ("inbox/a.2013.CSV", "a.2013"),
        ("raw/rows/origin=EWR,month=1.jsonl.zst", "origin=EWR,month=1"),
        ("raw/rows/path=a%2Fb%00.jsonl.zst", "path=a_b_"),
        ("inbox/_a.csv", "a"),
        ("inbox/_.csv", "file"),
        ("inbox/" + "é" * 120 + ".csv", "é" * 48),
    ],
)
def test_a_part_is_named_for_its_file(name: str, stem: str) -> None:
    """A part's name tells its file, is not too long, and is none that readers pass over."""
    part = name_part([name])

    assert part == f"{stem}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
