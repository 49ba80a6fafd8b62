"""What a start of the command line, or of a run, does not import: it comes with the first file or fit that needs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

import flows.cli.main as commands
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


@pytest.mark.parametrize("variable", ["PREFECT__FLOW_RUN_ID", "TIDEMILL_NO_FORM"])
def test_a_process_that_deploys_nothing_makes_no_form(variable: str) -> None:
    """Two seconds of each run and command: six flows have the pipeline as a parameter, and its form is of some fifty models."""
    code = """import json
from pydantic import TypeAdapter
from flows.parameters import Config
from flows.train import train
from tasks.config import Pipeline
schema = TypeAdapter(Config).core_schema
print(len(json.dumps(train.parameters.model_dump())), len(str(schema)), Pipeline.model_fields["sources"].description)"""
    environment = {**os.environ, variable: "0b5d2d0c-4b6e-4a7c-8f0e-5a2f3c1d9e77"}

    told = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    ).stdout

    of_the_form, of_the_schema, description = told.split()
    assert int(of_the_form) < 2_000
    assert int(of_the_schema) < 10_000
    assert description == "None"
    assert len(json.dumps(train.parameters.model_dump())) > 100_000


@pytest.mark.parametrize(("command", "is_set"), [("check", True), ("schema", False)])
@pytest.mark.parametrize("inherited", [None, "true"])
def test_a_command_makes_the_forms_that_it_shows(
    command: str, is_set: bool, inherited: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The schema tells what each key is; no other command does, but those that deploy, whoever started them."""
    monkeypatch.setattr(sys, "argv", ["tidemill", command, "--help"])
    monkeypatch.setattr(os, "environ", {**os.environ})
    os.environ.pop("TIDEMILL_NO_FORM", None)
    if inherited:
        os.environ["TIDEMILL_NO_FORM"] = inherited

    assert commands._run() == 0

    assert ("TIDEMILL_NO_FORM" in os.environ) == is_set
