"""A disk that is full, or a folder that may not be written to: one sentence, and the table as it was."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.convert.conftest import files_source, make_table, parts_of, read_rows, write_files


@pytest.mark.parametrize(
    ("how", "reason", "cure"),
    [
        ("full", "File too large", "make room there, or give the right to write"),
        ("read-only", "Permission denied", "give the right to read and write there"),
    ],
)
def test_where_nothing_can_be_written_the_table_stays(how: str, reason: str, cure: str, tmp_path: Path) -> None:
    """The system's reason is told with the place, no part is half there, and with room the next run goes on."""
    root = Path(tempfile.gettempdir())
    for folder in (each for each in (tmp_path, *tmp_path.parents) if root in each.parents):
        folder.chmod(0o755)  # for who is nobody
    write_files(tmp_path, a_csv="id,x\n1,a\n")
    make_table(tmp_path, files_source())
    before = parts_of(tmp_path)

    ended = subprocess.run(
        [sys.executable, "-m", "tests.convert.hindered", str(tmp_path), how],
        capture_output=True,
        text=True,
        check=True,
    )

    (sentence,) = ended.stdout.splitlines()
    assert sentence.startswith(f"source rows: {tmp_path}/.tables/rows")
    assert sentence.endswith(f" cannot be written ({reason}); {cure}")
    assert (ended.stderr, parts_of(tmp_path)) == ("", before)
    assert make_table(tmp_path, files_source()).rows_table == 5_001
    assert read_rows(tmp_path)[0] == {"id": 1, "x": "a"}
