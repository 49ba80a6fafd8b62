"""The first files of a process that are read by several threads at once."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq

_READ = """
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from tasks.convert.formats.excel.format import read_excel
from tasks.core.imports import import_store
from tasks.config import Reading

barrier = Barrier(8)

def read(number):
    barrier.wait()
    if number % 2:
        import_store("s3://bucket/x.csv")
    (texts,) = read_excel(Path(sys.argv[1]).read_bytes(), Reading(sheet=number % 2))
    return texts.table["id"].to_pylist()

with ThreadPoolExecutor(8) as threads:
    print(list(threads.map(read, range(8))))
"""

_CONVERT = """
import sys
from pathlib import Path
from tests.convert.conftest import files_source, make_table

assert not {"pandas", "openpyxl"} & set(sys.modules)
table = make_table(Path(sys.argv[1]), files_source(key=["id"]))
print(table.rows_table, table.rows_rejected)
"""


def test_threads_that_read_the_first_workbook_at_once_all_read_it(tmp_path: Path) -> None:
    """A fresh process in which readers and stores are first needed by many threads breaks none of their packages."""
    book = openpyxl.Workbook()
    assert book.active is not None
    for number, sheet in enumerate((book.active, book.create_sheet("more"))):
        sheet.append(["id"])
        sheet.append([number])
    book.save(tmp_path / "a.xlsx")

    for _ in range(3):
        run = subprocess.run(
            [sys.executable, "-c", _READ, str(tmp_path / "a.xlsx")], capture_output=True, text=True, check=False
        )
        assert (run.stdout, run.returncode) == (f"{[['0'], ['1']] * 4}\n", 0), run.stderr


def test_the_first_files_of_every_format_are_converted_at_once(tmp_path: Path) -> None:
    """A fresh process that has read nothing yet has each reader once, whichever file is first."""
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    for number in range(3):
        book = openpyxl.Workbook()
        assert book.active is not None
        for row in (["id", "took"], [number, timedelta(hours=30)]):
            book.active.append(row)
        book.save(inbox / f"{number}.xlsx")
        took = pa.array([timedelta(hours=1)], pa.duration("s"))
        pq.write_table(pa.table({"id": [10 + number], "took": took}), inbox / f"{number}.parquet")
        (inbox / f"{number}.csv").write_text(f"id,took\n{20 + number},PT1H\n")
        (inbox / f"{number}.jsonl").write_text(f'{{"id": {30 + number}, "took": "PT1H"}}\n')

    command = [sys.executable, "-c", _CONVERT, str(tmp_path)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)

    assert (run.stdout, run.returncode) == ("12 0\n", 0), run.stderr
