"""Kinds of runners as classes: what half a kind is told, and how light the models are."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.config.files import mistakes_of

MODULE = """\
from typing import Literal
from tasks.config.runners import RemoteRunner, Runner

class Half({base}):
{body}
"""
KIND = """\
    kind: Literal["half"] = "half"
"""
MAKE = """\
    def make(self, fit_server): return None
"""
WIDTH = """\
    def width(self, opened): return 1
"""
PIPELINE = """\
name: own
extensions: [half_a_runner:Half]
sources:
  rows: {kind: files, path: "*.csv"}
"""


@pytest.mark.parametrize(
    ("base", "parts", "said"),
    [
        ("Runner", (MAKE, WIDTH), 'Half has no name; add kind: Literal["half"] = "half"'),
        ("Runner", (KIND,), "Half has no make, width; add it"),
        ("Runner", (KIND, MAKE), "Half has no width; add it"),
        ("RemoteRunner", (KIND, MAKE, WIDTH), "Half has no own_folder; add it"),
    ],
)
def test_half_a_kind_is_refused_when_it_is_made(
    file: Path, monkeypatch: pytest.MonkeyPatch, base: str, parts: tuple[str, ...], said: str
) -> None:
    """What it lacks is named before anything runs, and none of it stays known."""
    module = file.parent / "half_a_runner.py"
    module.write_text(MODULE.format(base=base, body="".join(parts)))
    monkeypatch.syspath_prepend(module.parent)

    for _ in range(2):
        assert mistakes_of(file, PIPELINE) == [
            f"extensions: half_a_runner:Half: cannot be imported (TypeError: {said}); mend the module"
        ]


@pytest.mark.parametrize("family", ["Runner", "RemoteRunner"])
def test_what_kinds_are_derived_from_is_none(file: Path, family: str) -> None:
    """A path must lead to a kind."""
    (mistake,) = mistakes_of(file, PIPELINE.replace("half_a_runner:Half", f"tasks.config.runners:{family}"))

    assert mistake.startswith(f"extensions: tasks.config.runners:{family}: has no make, ")


@pytest.mark.parametrize("module", ["tasks.config", "tasks.runners.processes", "tasks.runners.dask"])
def test_the_models_are_light(module: str) -> None:
    """Whichever of them is imported first, none imports what trains, or Prefect."""
    heavy = (
        f"import sys, {module}; print(sorted({{'prefect', 'sklearn', 'numpy', 'distributed'}} & sys.modules.keys()))"
    )

    assert subprocess.run([sys.executable, "-c", heavy], capture_output=True, text=True, check=True).stdout == "[]\n"
