"""Workbooks that are no .xlsx: .xls, .xlsb and .ods, as Excel and LibreOffice wrote them."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from tasks.convert.formats.excel import parts
from tasks.convert.formats.excel.parts import Archive
from tasks.core.errors import TableError
from tasks.core.isolation.client import stop_call_server
from tests.convert.conftest import files_source, make_table, write_files
from tests.convert.formats.test_excel import OLDER_FORMAT, read
from tests.convert.formats.test_workbook_readers import written_by_xlsxwriter
from tests.processes import children, command_of, descendants, is_fit, is_running

WORKBOOKS = Path(__file__).parent / "workbooks"  # of python-calamine's own tests, by its licence beside them
_VALUES = ["String", "1", "1.1", "true", "false", "2010-10-10", "2010-10-10T10:10:10", "10:10:10"]
_DURATIONS = {
    "xls": ["P0DT10H10M10.1S", "P10DT15H10M10S"],
    "xlsb": ["P0DT10H10M10.1S", "P10DT15H10M10S"],
    "ods": ["10:10:10.100000", "PT255H10M10S"],  # as it is written there
}


@pytest.mark.parametrize("suffix", ["xls", "xlsb", "ods"])
def test_values_are_those_of_an_xlsx(suffix: str) -> None:
    """Numbers, booleans, dates, times and durations are the texts that an .xlsx would give."""
    texts = read((WORKBOOKS / f"base.{suffix}").read_bytes(), header=False)

    assert [column[0] for column in texts.table.to_pydict().values()] == _VALUES + _DURATIONS[suffix]
    assert texts.locate(np.array([0]))["line"].to_pylist() == [2]


def test_a_file_of_each_is_converted(tmp_path: Path) -> None:
    """Their endings are those of formats, plain and compressed, and a sheet is chosen as of any workbook."""
    kinds = {"a_xls": "xls", "b_xlsb": "xlsb", "c_ods_gz": "ods"}
    write_files(tmp_path, **{name: (WORKBOOKS / f"base.{suffix}").read_bytes() for name, suffix in kinds.items()})

    table = make_table(tmp_path, files_source(read={"header": False}))

    assert (table.rows_table, table.rows_rejected) == (3, 0)
    assert {each.guess.format for each in table.findings.guesses.shared} == {"excel"}  # not "xlsx"
    assert any(
        "b.xlsb: only its sheet Sheet1 is read, and others hold rows too, e.g. Sheet3" in w
        for w in table.findings.warnings
    )
    with pytest.raises(TableError, match=r"^has no sheet 'x'; its sheets are Sheet1, Sheet2, Merged Cells: correct"):
        read((WORKBOOKS / "base.xls").read_bytes(), sheet="x")


@pytest.mark.parametrize("data", [OLDER_FORMAT, (WORKBOOKS / "base.xlsb").read_bytes()[:-30]])
def test_what_is_damaged_is_one_sentence(data: bytes) -> None:
    """A file that is cut, or is another of Microsoft's, says what to do."""
    with pytest.raises(TableError, match=r"^is not an Excel file that can be read \(.*\); save it anew as .xlsx$"):
        read(data)


def test_of_another_workbook_than_an_xlsx_no_cell_is_looked_for_before_it_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Cells are written in other ways there; that it defines entities, or would not fit in memory, is told none the less."""
    seen: list[bytes] = []
    monkeypatch.setattr(parts, "_see", lambda _, piece: seen.append(piece))
    ods = (WORKBOOKS / "base.ods").read_bytes()

    assert Archive(ods).is_apart
    assert not seen
    monkeypatch.setattr(parts, "MAX_ELEMENTS", 10)
    with pytest.raises(TableError, match="more cells than fit in memory"):
        Archive(ods)
    monkeypatch.undo()
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(ods)) as old, zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, old.read(name).replace(b"?>", b"?><!DOCTYPE a>", 1))
    with pytest.raises(TableError, match="DOCTYPE"):
        Archive(buffer.getvalue())


def many_rows(path: Path) -> Path:
    """Write an .ods of so many rows that its reader takes a while."""
    row = b'<table:table-row><table:table-cell office:value-type="float" office:value="1"/></table:table-row>'
    with zipfile.ZipFile(WORKBOOKS / "base.ods") as old, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            text = old.read(name)
            new.writestr(name, text.replace(b"</table:table>", row * 400_000 + b"</table:table>", 1))
    return path


def test_a_reader_that_is_killed_is_one_sentence(tmp_path: Path) -> None:
    """What ends it, be it the system for want of memory, ends no run."""
    data = many_rows(tmp_path / "many.ods").read_bytes()

    with ThreadPoolExecutor(1) as thread:
        reading = thread.submit(read, data)
        os.kill(wait_for_child(os.getpid()), signal.SIGKILL)
        with pytest.raises(TableError, match=r"^is damaged, or would not fit in memory \(its reader was ended\); save"):
            reading.result()


def test_each_has_a_process_but_what_they_import_is_imported_once(tmp_path: Path) -> None:
    """Twenty took twenty times as long as one: a new Python, and its imports, for each."""
    data = (WORKBOOKS / "base.xls").read_bytes()
    write_files(tmp_path, **{f"f{number}_xls": data for number in range(5)})
    stop_call_server()
    before = children(os.getpid())

    table = make_table(tmp_path, files_source(read={"header": False}))

    began = children(os.getpid()) - before
    try:
        assert table.rows_table == 5
        assert len(began) == 1
        assert not any(map(is_fit, descendants(os.getpid())))
    finally:
        stop_call_server()
    assert not any(map(is_running, began))


def test_what_reads_one_does_not_import_pandas(tmp_path: Path) -> None:
    """Half of the time of its process was that; only a duration is written by it."""
    (tmp_path / "workbook").write_bytes((WORKBOOKS / "base.xls").read_bytes())
    code = (
        "import sys; from pathlib import Path; from tasks.convert.formats.excel.apart import write_sheet; "
        f"print(write_sheet(Path({str(tmp_path)!r}), 'Sheet2'), 'pandas' in sys.modules)"
    )

    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    assert told == "None False\n"


def test_a_reader_does_not_outlive_a_run_that_is_killed(tmp_path: Path) -> None:
    """Nobody waits for what it reads."""
    path = many_rows(tmp_path / "many.ods")
    code = f"from pathlib import Path; from tests.convert.formats.test_excel import read; read(Path({str(path)!r}).read_bytes())"

    with subprocess.Popen([sys.executable, "-c", code], cwd=Path(__file__).parents[3]) as run:
        child = wait_for_child(run.pid)
        run.kill()
    deadline = time.monotonic() + 60  # a bound, not a figure
    while is_running(child) and time.monotonic() < deadline:
        time.sleep(0.02)

    assert not is_running(child)


def wait_for_child(process: int) -> int:
    """Return the process that reads a workbook for another, once it does."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        for child in descendants(process):
            if is_fit(child) and "excel.apart" in command_of(child):
                return child
        time.sleep(0.01)
    raise AssertionError("no reader began")


def test_a_reader_takes_its_modules_from_where_the_run_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder of the user's with modules of the same names is none of its."""
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks" / "__init__.py").write_text("raise RuntimeError('not ours')")
    (tmp_path / "json.py").write_text("raise RuntimeError('not ours')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        sys, "path", [path for path in map(str, map(Path.absolute, map(Path, sys.path))) if path != str(tmp_path)]
    )

    stop_call_server()  # that of the tests before has its modules

    assert read((WORKBOOKS / "base.ods").read_bytes(), header=False).received == 1


def test_a_count_of_texts_that_no_sheet_can_have_is_left_to_the_careful_reader() -> None:
    """The claim is not believed; the texts that are there are."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(written_by_xlsxwriter([["a"], ["x"]]))) as old, zipfile.ZipFile(buffer, "w") as new:
        for name in old.namelist():
            new.writestr(name, old.read(name).replace(b'uniqueCount="2"', b'uniqueCount="17000000"'))

    assert Archive(buffer.getvalue()).is_odd
    assert read(buffer.getvalue(), header=True).table.to_pydict() == {"a": ["x"]}
