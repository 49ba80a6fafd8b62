"""What a start of the command line, or of a run, does not import: it comes with the first file or fit that needs it."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = {"openpyxl", "pandas", "sklearn", "scipy", "matplotlib"}


@pytest.mark.parametrize(
    ("module", "heavy"),
    [
        ("flows.pipeline", HEAVY),
        ("flows.cli.mistakes", HEAVY | {"lxml", "duckdb", "aiohttp", "httpx"}),
        ("flows.cli.models", HEAVY),
    ],
)
def test_a_start_imports_no_reader_of_files_and_nothing_of_fits(module: str, heavy: set[str]) -> None:
    """Seconds of every `check`, and of a run with nothing new, are theirs where a module imports one of them at its top."""
    code = f"import sys, {module}; print({heavy} & set(sys.modules))"

    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"
