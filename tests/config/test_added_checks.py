"""Kinds of checks as classes: what half a kind is told, and how light the models are."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.config.files import mistakes_of

MODULE = """\
from typing import ClassVar
from tasks.config.checks import Condition, RowCheck, TableCheck

class Half({base}):
{body}
"""
NAME = """\
    name: ClassVar[str] = "{name}"
"""
FIELD = """\
    half: str = "id"
"""
COLUMNS = """\
    @property
    def columns(self): return (self.half,)
"""
EXPECTED = """\
    @property
    def expected(self): return "half"
"""
CONDITION = """\
    def condition(self, types): return Condition("true", "are half")
"""
PIPELINE = """\
name: own
extensions: [half_a_check:Half]
sources:
  rows: {kind: files, path: "*.csv", checks: [{half: id}]}
"""


@pytest.mark.parametrize(
    ("base", "parts", "said"),
    [
        (
            "RowCheck",
            (FIELD, COLUMNS, EXPECTED, CONDITION),
            "Half has no name; add name: ClassVar[str], and a field that is called so",
        ),
        (
            "RowCheck",
            (NAME.format(name="halve"), FIELD, COLUMNS, EXPECTED, CONDITION),
            "Half has no field 'halve' of its own, by which it is declared; add it",
        ),
        (
            "RowCheck",
            (NAME.format(name="on_fail"), FIELD, COLUMNS, EXPECTED, CONDITION),
            "Half has no field 'on_fail' of its own, by which it is declared; add it",
        ),
        ("RowCheck", (NAME.format(name="half"), FIELD), "Half has no columns, condition, expected; add it"),
        ("TableCheck", (NAME.format(name="half"), FIELD, COLUMNS, EXPECTED), "Half has no find; add it"),
    ],
)
def test_half_a_kind_is_refused_when_it_is_made(
    file: Path, monkeypatch: pytest.MonkeyPatch, base: str, parts: tuple[str, ...], said: str
) -> None:
    """What it lacks is named before anything runs, and none of it stays known."""
    module = file.parent / "half_a_check.py"
    module.write_text(MODULE.format(base=base, body="".join(parts)))
    monkeypatch.syspath_prepend(module.parent)

    for _ in range(2):
        assert mistakes_of(file, PIPELINE) == [
            f"extensions: half_a_check:Half: cannot be imported (TypeError: {said}); mend the module"
        ]


@pytest.mark.parametrize("family", ["Check", "RowCheck", "TableCheck"])
def test_what_kinds_are_derived_from_is_none(file: Path, family: str) -> None:
    """A path must lead to a kind."""
    (mistake,) = mistakes_of(file, PIPELINE.replace("half_a_check:Half", f"tasks.config.checks:{family}"))

    assert mistake.startswith(f"extensions: tasks.config.checks:{family}: has no columns, ")


@pytest.mark.parametrize("module", ["tasks.config", "tasks.convert.checks.unique", "tasks.convert.checks.range"])
def test_the_models_are_light(module: str) -> None:
    """Whichever of them is imported first, none imports what reads tables."""
    heavy = f"import sys, {module}; print(sorted({{'duckdb', 'pyarrow', 'numpy'}} & sys.modules.keys()))"

    assert subprocess.run([sys.executable, "-c", heavy], capture_output=True, text=True, check=True).stdout == "[]\n"
