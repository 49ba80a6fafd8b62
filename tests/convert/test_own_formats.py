"""Formats of files from outside: of lines, as the page on extensions shows one, and one that is read as a whole."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import ClassVar

import pyarrow as pa
import pytest

from flows.convert import convert
from tasks.config import FilesSource, Pipeline, Reading, load_pipeline
from tasks.config.formats import FORMATS
from tasks.convert.files.byte_view import ByteView
from tasks.convert.formats.format import ByteBlock, LineFormat, WholeFormat
from tasks.convert.formats.json.rows import NullsOf
from tasks.convert.schema.blocks import RawBlock
from tasks.convert.schema.cast import cast_block
from tasks.convert.schema.misfits import NO_MISFITS, make_records
from tasks.convert.schema.target import TableTarget
from tasks.convert.single import find_like
from tasks.convert.staging import file as staging
from tasks.core.errors import ConfigError, TableError
from tasks.core.storage import DataFolder
from tests.convert.conftest import make_table, read_rejects, read_rows, tables_of, write_files
from tests.documented import documented

HERE = __name__
PIPELINE = """
name: own
extensions: ["{extension}"]
sources:
  rows: {{kind: files, path: {path}, read: {{{read}}}, table: {{provenance: true}}}}
"""
GOOD = 'id=1 at=2024-01-01T10:00:00 said="disk is full"\n\nid=2 at=2024-01-02T10:00:00 took=1.5\n'
BAD = 'id=3 said="no end\nid=4 took\nid=5 id=6\nid=7 took=2\n'


class Signed(WholeFormat):
    """A number of one byte each, after what Avro begins with too."""

    name: ClassVar[str] = "signed"
    suffixes: ClassVar[tuple[str, ...]] = (".sig",)
    begins: ClassVar[bytes] = rb"Obj\x01"

    def read(self, data: bytes, reading: Reading, nulls_of: NullsOf) -> Iterator[RawBlock]:  # noqa: ARG002 - as all do
        """Yield the numbers as one block."""
        table = pa.table({"id": pa.chunked_array([pa.array(map(str, data[4:]), pa.string())])})
        yield RawBlock(table, table.num_rows, NO_MISFITS, lambda rows: make_records(rows + 1, [""] * len(rows)))


class SignedTwice(Signed):
    """The same numbers twice: as texts, and as what is parsed in its thread."""

    name: ClassVar[str] = "signed-twice"
    suffixes: ClassVar[tuple[str, ...]] = (".sigs",)

    def blocks(self, data: bytes, target: TableTarget) -> Iterator[RawBlock | ByteBlock]:
        """Yield both as blocks."""
        for block in self.read(data, target.reading, target.nulls_of):
            yield block
            yield ByteBlock(ByteView.of(b""), partial(cast_block, block))


class Faulty(LineFormat):
    """A format whose code fails."""

    name: ClassVar[str] = "faulty"
    suffixes: ClassVar[tuple[str, ...]] = (".faulty",)

    def read_line(self, line: str) -> Mapping[str, str | None]:
        """Return what is there, of lines that are long enough."""
        return {"id": line.split()[1]} if line != "nothing" else None  # type: ignore[return-value]


@pytest.fixture(autouse=True)
def _documented(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Put the documented module where it can be imported, and take the kinds away again."""
    with documented(FORMATS, "A file format", tmp_path / "service_logs.py", monkeypatch):
        yield


def load(
    folder: Path, read: str = "format: pairs", path: str = "inbox/*", extension: str = "service_logs:Pairs"
) -> FilesSource:
    """Return the source of a pipeline file that reads files in one way."""
    file = folder / "pipeline.yaml"
    file.write_text(PIPELINE.format(path=path, read=read, extension=extension))
    source = load_pipeline(file).sources["rows"]
    assert isinstance(source, FilesSource)
    return source


def test_a_line_is_a_row_and_a_bad_one_a_reject_with_its_number(tmp_path: Path) -> None:
    """Types are inferred, lines counted as in the file, and the reason is the format's own."""
    write_files(tmp_path, a_log=GOOD + BAD)

    table = make_table(tmp_path, load(tmp_path, "", "inbox"))

    rows, rejects = read_rows(tmp_path), read_rejects(tmp_path)
    assert [(row["id"], row["took"], row["said"], row["_line"]) for row in rows] == [
        (1, None, "disk is full", 1),
        (2, 1.5, None, 3),
        (7, 2.0, None, 7),
    ]
    assert rows[0]["at"].isoformat() == "2024-01-01T10:00:00"
    assert [(reject["line"], reject["raw"], reject["reason"]) for reject in rejects] == [
        (4, 'id=3 said="no end', "No closing quotation"),
        (5, "id=4 took", "'took' is not key=value"),
        (6, "id=5 id=6", "id has two values"),
    ]
    assert (table.rows_received, table.rows_table, table.rows_rejected) == (6, 3, 3)


def test_a_compressed_file_and_one_in_another_encoding_are_read_as_any(tmp_path: Path) -> None:
    """The format is told by the ending before that of the compression."""
    write_files(tmp_path, a_log_gz=GOOD, b_pairs="id=3 said=é\n".encode("latin-1"))

    make_table(tmp_path, load(tmp_path, "encoding: latin-1", "inbox"))

    assert [(row["id"], row["said"]) for row in read_rows(tmp_path)] == [(1, "disk is full"), (2, None), (3, "é")]


def test_a_file_is_cut_into_blocks_of_whole_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No line is lost or read in two where a block ends, and its number is that in the file."""
    monkeypatch.setattr(staging, "BLOCK_BYTES", 64)
    write_files(tmp_path, a_txt="".join(f"id={number} said=x\n" for number in range(1, 101)) + "id\n")

    table = make_table(tmp_path, load(tmp_path))

    rows = read_rows(tmp_path)
    assert sorted((row["id"], row["_line"]) for row in rows) == [(number, number) for number in range(1, 101)]
    assert [reject["line"] for reject in read_rejects(tmp_path)] == [101]
    assert table.rows_received == 101


def test_a_damaged_file_ends_in_a_reject(tmp_path: Path) -> None:
    """What came before the damage is rows, and a warning says where it is."""
    write_files(tmp_path, a_log_gz="".join(f"id={number} said={number * 7919}\n" for number in range(5000)))
    path = tmp_path / "inbox" / "a.log.gz"
    path.write_bytes(path.read_bytes()[:-4000])

    table = make_table(tmp_path, load(tmp_path, "", "inbox"))

    assert 0 < table.rows_table < 5000
    assert table.rows_received == table.rows_table + table.rows_rejected
    assert "its .gz compression is damaged or cut off" in " ".join(table.findings.warnings)


def test_other_content_under_its_ending_is_refused(tmp_path: Path) -> None:
    """A page of an error is no row of any format."""
    write_files(tmp_path, a_log="<html><title>Log in</title></html>\n")

    with pytest.raises(TableError, match=r"a\.log: is an HTML page \('Log in'\), not pairs; "):
        make_table(tmp_path, load(tmp_path, "", "inbox"))


@pytest.mark.parametrize(
    ("read", "mistake"),
    [
        ("format: pairst", r"read\.format: 'pairst' is not one of csv, .*, pairs; did you mean pairs\?"),
        ("format: 1", r"read\.format: 1 is not one of csv, "),
        ("format: pairs, sheet: 1", "sheet is of excel, and the format is pairs; take one of them out"),
        ("format: pairs, encodign: utf-8", r"read\.encodign: unknown key; did you mean encoding\?"),
    ],
)
def test_its_name_and_its_keys_are_checked(tmp_path: Path, read: str, mistake: str) -> None:
    """A mistake is told as one in those of any format."""
    with pytest.raises(ConfigError, match=mistake):
        load(tmp_path, read)


def test_a_key_that_says_nothing_of_it_is_told(tmp_path: Path) -> None:
    """Where no format is declared, the files tell."""
    write_files(tmp_path, a_log=GOOD)

    table = make_table(tmp_path, load(tmp_path, 'delimiter: ";"', "inbox"))

    assert "read.delimiter is of csv and tsv, and no file is one, e.g. inbox/a.log is pairs" in " ".join(
        table.findings.warnings
    )


def test_it_stands_in_the_form(tmp_path: Path) -> None:
    """The schema of the pipeline lists it once it is known, and what Prefect keeps of a source is the same when read back."""
    before = Pipeline.model_json_schema()["$defs"]["Reading"]["properties"]["format"]["anyOf"][0]["enum"]
    source = load(tmp_path)

    after = Pipeline.model_json_schema()["$defs"]["Reading"]["properties"]["format"]["anyOf"][0]["enum"]
    assert after == [*before, "pairs"]
    assert FilesSource.model_validate_json(source.model_dump_json()) == source


def test_a_format_that_is_read_as_a_whole_is_a_kind_too(tmp_path: Path) -> None:
    """It says how its files begin, which would be taken for another format's."""
    write_files(tmp_path, a_sig=b"Obj\x01\x05\x06")

    make_table(tmp_path, load(tmp_path, "", "inbox", f"{HERE}:Signed"))

    assert [row["id"] for row in read_rows(tmp_path)] == [5, 6]


def test_a_format_may_have_blocks_of_both_kinds(tmp_path: Path) -> None:
    """One that is parsed below one of texts waits for no order of columns which the first will not tell."""
    write_files(tmp_path, a_sigs=b"Obj\x01\x05\x06")

    make_table(tmp_path, load(tmp_path, "", "inbox", f"{HERE}:SignedTwice"))

    assert [row["id"] for row in read_rows(tmp_path)] == [5, 6, 5, 6]


def test_code_that_fails_is_told_with_the_line(tmp_path: Path) -> None:
    """An error of the format's own is no reject: it may be of each line."""
    write_files(tmp_path, a_faulty="id 1\nid\n")

    with pytest.raises(
        TableError, match=r"a\.faulty: line 2: faulty cannot read it \(IndexError: .*\); mend this kind"
    ):
        make_table(tmp_path, load(tmp_path, "", "inbox", f"{HERE}:Faulty"))


def test_a_line_that_nothing_is_returned_of_is_told_too(tmp_path: Path) -> None:
    """It is neither a row nor a reject."""
    write_files(tmp_path, a_faulty="id 1\nnothing\n")

    with pytest.raises(TableError, match=r"a\.faulty: line 2: faulty cannot read it \(TypeError: .*\); mend this kind"):
        make_table(tmp_path, load(tmp_path, "", "inbox", f"{HERE}:Faulty"))


def test_a_table_of_one_that_is_gone_is_told_with_what_to_give(tmp_path: Path) -> None:
    """Who predicts by the name of a pipeline has no file that names its extensions."""
    write_files(tmp_path, a_log=GOOD)
    make_table(tmp_path, load(tmp_path))
    tables = DataFolder.at(tmp_path).read_manifests()
    known = find_like(tables, "", {"took": "float"})
    FORMATS.kinds.pop("pairs")

    with pytest.raises(
        ConfigError, match=r"says read\.format, which is not known here \(.*\); give the pipeline's file"
    ):
        find_like(tables, "", {"took": "float"})

    assert known is not None
    assert known.read.format == "pairs"


@pytest.mark.flow
@pytest.mark.usefixtures("prefect_server")
async def test_a_run_makes_a_table_of_its_files(tmp_path: Path) -> None:
    """The flow takes it through its tasks as any other, and a run with nothing new reads nothing."""
    await asyncio.to_thread(load, tmp_path, path=f"{tmp_path}/inbox/*")
    config = await asyncio.to_thread(load_pipeline, tmp_path / "pipeline.yaml")
    write_files(tmp_path, a_log=GOOD, b_log_gz="id=9\n")

    (first,) = tables_of(await convert(config, tmp_path / "data"))
    (again,) = tables_of(await convert(config, tmp_path / "data"))

    assert (first.files_read, first.rows_table, again.files_read, again.rows_table) == (2, 3, 0, 3)


def test_an_installed_one_needs_no_path(tmp_path: Path) -> None:
    """Every pipeline file knows the kinds of installed packages, as `check` says."""
    info = tmp_path / "logs-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: logs\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[tidemill.formats]\npairs = service_logs:Pairs\n")
    file = tmp_path / "pipeline.yaml"
    file.write_text(PIPELINE.format(path="inbox", read="format: pairst", extension="").replace('[""]', "[]"))
    write_files(tmp_path, a_log=GOOD)

    command = [sys.executable, "-m", "flows", "check", str(file), "--data", str(tmp_path / "data")]
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    seen = {**os.environ, "PYTHONPATH": path}
    wrong = subprocess.run(command, env=seen, capture_output=True, text=True, check=False)
    file.write_text(file.read_text().replace("format: pairst", "").replace("inbox", str(tmp_path / "inbox")))
    right = subprocess.run(command, env=seen, capture_output=True, text=True, check=False)

    assert (wrong.returncode, right.returncode) == (2, 0), right.stderr
    assert "did you mean pairs?" in " ".join(wrong.stderr.split())
    assert "1 file of" in right.stdout
