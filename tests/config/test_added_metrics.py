"""Metrics as classes: what half a metric is told, and how light the registry is."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.config.files import mistakes_of

MODULE = """\
from tasks.config.metrics import Metric

class Half(Metric):
{body}
"""
NAME = """\
    name = "half"
"""
TASK = """\
    task = "regression"
"""
BETTER = """\
    greater_is_better = True
"""
COMPUTE = """\
    def compute(self, truth, predicted, classes): return 0.5
"""
PIPELINE = """\
name: own
extensions: [half_a_metric:Half]
sources:
  rows: {kind: files, path: "*.csv"}
"""


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ((TASK, BETTER, COMPUTE), "Half has no name; add name = '...', of small letters, digits and _"),
        ((NAME, BETTER, COMPUTE), "Half has no task; add task = 'classification' or 'regression'"),
        ((NAME, TASK, COMPUTE), "Half has no greater_is_better; add True or False"),
        ((NAME, TASK, BETTER), "Half has no compute; add it"),
        (
            (NAME, TASK, BETTER, COMPUTE, "    bounds = (0.0, None)\n"),
            "Half has the bounds (0.0, None); write the least and the greatest figure, as (0.0, 1.0)",
        ),
    ],
)
def test_half_a_metric_is_refused_when_it_is_made(
    file: Path, monkeypatch: pytest.MonkeyPatch, parts: tuple[str, ...], said: str
) -> None:
    """What it lacks is named before anything runs, and none of it stays known."""
    module = file.parent / "half_a_metric.py"
    module.write_text(MODULE.format(body="".join(parts)))
    monkeypatch.syspath_prepend(module.parent)

    for _ in range(2):
        assert mistakes_of(file, PIPELINE) == [
            f"extensions: half_a_metric:Half: cannot be imported (TypeError: {said}); mend the module"
        ]


def test_a_name_that_is_ours_is_refused(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One name is one figure."""
    module = file.parent / "half_a_metric.py"
    body = f"{NAME}{TASK}{BETTER}{COMPUTE}".replace('"half"', '"rmse"')
    module.write_text(MODULE.format(body=body))
    monkeypatch.syspath_prepend(module.parent)
    monkeypatch.delitem(sys.modules, "half_a_metric", raising=False)

    assert mistakes_of(file, PIPELINE) == [
        "extensions: 'rmse' is the name of another kind of tidemill.metrics already; call yours otherwise"
    ]


@pytest.mark.parametrize("module", ["tasks.config.metrics", "flows.pipeline"])
def test_the_registry_is_light(module: str) -> None:
    """Whoever names a metric imports none."""
    heavy = f"import sys, {module}; print(sorted({{'sklearn', 'distributed', 'prefect_dask'}} & sys.modules.keys()))"

    assert subprocess.run([sys.executable, "-c", heavy], capture_output=True, text=True, check=True).stdout == "[]\n"
