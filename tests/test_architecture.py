"""The rules of the house, as tests."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest

PROJECT = Path(__file__).parent.parent
PACKAGES = ("flows", "tasks", "deployments")
MODULES = sorted(path for package in PACKAGES for path in (PROJECT / package).rglob("*.py"))
TASKS = sorted((PROJECT / "tasks").rglob("*.py"))
FLOWS = sorted((PROJECT / "flows").glob("*.py"))
STAGES = ("ingest", "convert", "train")
TOP_LEVEL = {"flows", "tasks", "deployments", "data", "tests", "docs", "findings"}
MODULE_LINES = 400


def name(path: Path) -> str:
    """Return a module's path within the project."""
    return str(path.relative_to(PROJECT))


def imports(path: Path) -> set[str]:
    """Return the full names of the modules that a file imports, wherever it does."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return names


def within(names: set[str], package: str) -> list[str]:
    """Return the imported names that belong to a package."""
    return sorted(n for n in names if n == package or n.startswith(f"{package}."))


def holds_tasks(path: Path) -> bool:
    """Return whether a module defines Prefect tasks."""
    return bool(re.search(r"^@task\b", path.read_text(), re.MULTILINE))


@pytest.mark.parametrize("path", TASKS, ids=name)
def test_tasks_import_no_flow(path: Path) -> None:
    """The direction is flows to tasks, never back."""
    assert within(imports(path), "flows") == []


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_imports_no_other_stage(stage: str) -> None:
    """What two stages need stands beside them, not in one of them."""
    others = {f"tasks.{other}" for other in STAGES if other != stage}
    found = {n for path in (PROJECT / "tasks" / stage).rglob("*.py") for o in others for n in within(imports(path), o)}

    assert found == set()


@pytest.mark.parametrize("path", TASKS, ids=name)
def test_a_module_holds_tasks_or_imports_no_prefect(path: Path) -> None:
    """Logic is plain Python: only the modules that define tasks know Prefect."""
    assert holds_tasks(path) or within(imports(path), "prefect") == []


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_a_module_is_one_job(path: Path) -> None:
    """A module says its job in its first line, and is not longer than one job."""
    text = path.read_text()

    assert ast.get_docstring(ast.parse(text))
    assert len(text.splitlines()) <= MODULE_LINES


@pytest.mark.parametrize("path", [path for path in TASKS if holds_tasks(path)], ids=name)
def test_a_task_keeps_no_cache_and_no_result(path: Path) -> None:
    """Our own manifests decide what is skipped; Prefect stores neither inputs' hashes nor results."""
    decorators = re.findall(r"^@task\((.*?)^(?:async )?def", path.read_text(), re.MULTILINE | re.DOTALL)

    assert decorators
    assert all("cache_policy=NO_CACHE" in d and "persist_result=False" in d for d in decorators)


@pytest.mark.parametrize("path", FLOWS, ids=name)
def test_a_flow_body_is_a_plan(path: Path) -> None:
    """A flow's body has at most 25 lines after its docstring."""
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.AsyncFunctionDef | ast.FunctionDef) and any(
            "flow(" in ast.unparse(d) for d in node.decorator_list
        ):
            body = node.body[1:]
            assert body[-1].end_lineno is not None
            assert body[-1].end_lineno - body[0].lineno < 25


def test_the_top_level_is_as_fixed() -> None:
    """No folder joins the top level but those that are agreed, dotfiles aside."""
    tracked = subprocess.run(["git", "ls-files"], cwd=PROJECT, capture_output=True, text=True, check=True).stdout  # noqa: S607
    folders = {line.split("/")[0] for line in tracked.splitlines() if "/" in line}

    assert {folder for folder in folders if not folder.startswith(".")} <= TOP_LEVEL


def test_every_dependency_is_pinned_and_has_its_reason() -> None:
    """pyproject.toml gives a reason beside each dependency, and constraints.txt its version."""
    lines = re.findall(r'^  "([A-Za-z0-9-]+)[><=].*$', (PROJECT / "pyproject.toml").read_text(), re.MULTILINE)
    reasons = re.findall(
        r'^  "[A-Za-z0-9-]+[><=][^"]*",\s+# \S', (PROJECT / "pyproject.toml").read_text(), re.MULTILINE
    )
    pinned = re.findall(r"^([A-Za-z0-9_.-]+)==", (PROJECT / "constraints.txt").read_text(), re.MULTILINE)

    assert len(lines) == len(reasons) > 20
    assert {normal(n) for n in lines} <= {normal(n) for n in pinned}


def normal(name: str) -> str:
    """Return a package's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()
