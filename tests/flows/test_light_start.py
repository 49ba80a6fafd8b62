"""What a start of the command line, or of a run, does not import: it comes with the first file or fit that needs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from flows.train import train

HEAVY = {"openpyxl", "pandas", "sklearn", "scipy", "matplotlib", "opentelemetry.sdk"}


@pytest.mark.parametrize(
    ("module", "heavy"),
    [
        ("flows.cli.mistakes", HEAVY | {"lxml", "duckdb", "aiohttp", "httpx"}),
        ("flows.pipeline, flows.cli.models, flows.cli.truth, flows.truth", HEAVY),
        ("flows.cli.preview", HEAVY | {"prefect", "lxml", "duckdb", "aiohttp", "httpx"}),
    ],
)
def test_a_start_imports_no_reader_of_files_and_nothing_of_fits(module: str, heavy: set[str]) -> None:
    """Seconds of every `check`, and of a run with nothing new, are theirs where a module imports one of them at its top."""
    code = f"import sys, {module}; print({heavy} & set(sys.modules))"

    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"


def test_the_process_of_a_run_makes_no_form() -> None:
    """A second of each run: six flows have the pipeline as a parameter, and its form is of some fifty models."""
    code = "import json; from flows.train import train; print(len(json.dumps(train.parameters.model_dump())))"
    of_a_run = {**os.environ, "PREFECT__FLOW_RUN_ID": "0b5d2d0c-4b6e-4a7c-8f0e-5a2f3c1d9e77"}

    told = subprocess.run([sys.executable, "-c", code], env=of_a_run, capture_output=True, text=True, check=True).stdout

    assert int(told) < 2_000
    assert len(json.dumps(train.parameters.model_dump())) > 100_000
