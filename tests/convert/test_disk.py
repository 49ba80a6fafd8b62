"""A disk that is full, or a folder that may not be written to: one sentence, and the table as it was."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.convert.conftest import files_source, make_table, parts_of, read_rows, write_files


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """Yield a folder that who is nobody can look into; another run of pytest closes those of `tmp_path` when it starts."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.mark.parametrize(
    ("how", "reason", "cure"),
    [
        ("full", "File too large", "make room there, or give the right to write"),
        ("read-only", "Permission denied", "give the right to read and write there"),
    ],
)
def test_where_nothing_can_be_written_the_table_stays(how: str, reason: str, cure: str, open_folder: Path) -> None:
    """The system's reason is told with the place, no part is half there, and with room the next run goes on."""
    write_files(open_folder, a_csv="id,x\n1,a\n")
    make_table(open_folder, files_source())
    before = parts_of(open_folder)

    ended = subprocess.run(
        [sys.executable, "-m", "tests.convert.hindered", str(open_folder), how],
        capture_output=True,
        text=True,
        check=True,
    )

    (sentence,) = ended.stdout.splitlines()
    assert sentence.startswith(f"source rows: {open_folder}/.tables/rows")
    assert sentence.endswith(f" cannot be written ({reason}); {cure}")
    assert (ended.stderr, parts_of(open_folder)) == ("", before)
    assert make_table(open_folder, files_source()).rows_table == 5_001
    assert read_rows(open_folder)[0] == {"id": 1, "x": "a"}
