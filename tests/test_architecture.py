"""The rules of the house, as tests; each names every offender at once."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

PROJECT = Path(__file__).parent.parent
MODULES = sorted(path for package in ("flows", "tasks", "deployments") for path in (PROJECT / package).rglob("*.py"))
TASKS = [path for path in MODULES if path.is_relative_to(PROJECT / "tasks")]
TOP_LEVEL = {"flows", "tasks", "deployments", "data", "tests", "docs", "findings"}
STAGES = ("ingest", "convert", "train")
FLOORS: dict[str, tuple[str | tuple[str, ...], ...]] = {
    "tasks": ("core", "config", "runners", "raw", "lineage", STAGES, "tables", "export", "estimate", "clean", "reports"),  # made tables are committed as convert's are
    "tasks/ingest": ("throttle", "http", ("api", "scraping", "sql"), "landing", "early", "results", "progress", "first_page", "look", "tasks"),
    "tasks/convert": ("schema", "files", "formats", "parts", ("staging", "checks"), "table", "profile", "head", "proposal", "tasks", "single"),
    "tasks/tables": ("parts", ("query", "function"), ("order", "made"), ("draft", "tasks")),
    "tasks/export": ("rows", "files", ("sqlite", "postgresql", "delta"), "job", "tasks"),
    "tasks/estimate": ("estimate", "sample", "size", "conversion", "tables", "training", "pipeline"),
    "tasks/train": ("data", "models", "evaluation", "assessment", ("checks", "execution"), "registry", ("predict", "plots", "handover"), ("scoring", "truth"), "tasks"),
    "flows": ("cancellation", "deployments", "schedules", "store_credentials", "summary", "watch", "telemetry", "lineage", "openlineage", "parameters", "recorder", "story", "report", "run_figures", "killed_runs", "automations", "heartbeats", "stage", "alerts", "turns", "parents", ("ingest", "convert", "tables", "train", "export"), "pipeline", ("predict", "truth"), "history", "clean", "cli", "run"),
}  # fmt: skip
"""What may be imported: of a folder's rooms each those named before it; rooms in one tuple do not know each other."""


def name(path: Path) -> str:
    """Return a module's path within the project."""
    return str(path.relative_to(PROJECT))


@cache
def tree(path: Path) -> ast.Module:
    """Return the syntax tree of a file, parsed once for all tests: there are a thousand files."""
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def imports(path: Path) -> frozenset[str]:
    """Return the full names of the modules that a file imports, wherever it does."""
    names: set[str] = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return frozenset(names)


def imports_prefect(path: Path) -> bool:
    """Return whether a module knows Prefect."""
    return any(each == "prefect" or each.startswith("prefect.") for each in imports(path))


def holds_tasks(path: Path) -> bool:
    """Return whether a module defines Prefect tasks."""
    return bool(re.search(r"^@task\b", path.read_text(), re.MULTILINE))


def steps_up(folder: str, floors: tuple[str | tuple[str, ...], ...]) -> Iterator[str]:
    """Yield the imports between a folder's rooms that do not lead to a room named before."""
    level = {
        room: number for number, rooms in enumerate(floors) for room in ((rooms,) if isinstance(rooms, str) else rooms)
    }
    package = folder.replace("/", ".")
    for path in (PROJECT / folder).rglob("*.py"):
        room = path.relative_to(PROJECT / folder).parts[0].removesuffix(".py")
        if room.startswith("__"):
            continue
        for full in imports(path):
            other = full.removeprefix(f"{package}.").split(".")[0]
            if full.startswith(f"{package}.") and other != room and not level.get(other, 99) < level.get(room, -1):
                yield f"{name(path)} imports {full}"


def test_a_folder_imports_only_those_before_it() -> None:
    """A folder is a floor: no import leads up, and none to another stage."""
    assert sorted({step for folder, floors in FLOORS.items() for step in steps_up(folder, floors)}) == []


def test_the_direction_is_flows_to_tasks() -> None:
    """A task imports no flow, and neither does the sample site."""
    up = [name(path) for path in MODULES if "flows" not in path.parts and any(each.split(".")[0] == "flows" for each in imports(path))]  # fmt: skip

    assert up == []


def test_no_modules_import_each_other() -> None:
    """There is no circle of imports, lazy ones counted."""
    modules = {name(path).removesuffix(".py").removesuffix("/__init__").replace("/", "."): path for path in MODULES}
    graph = {
        module: {each for each in imports(path) if each in modules and each != module}
        for module, path in modules.items()
    }
    while leaves := {module for module, others in graph.items() if not others & graph.keys()}:
        graph = {module: others for module, others in graph.items() if module not in leaves}

    assert sorted(graph) == []


def test_prefect_is_known_where_tasks_are() -> None:
    """Logic is plain Python: beneath flows only modules that define tasks, what shows them, and kinds of runners know Prefect."""
    free = (PROJECT / "tasks" / "reports", PROJECT / "tasks" / "runners")
    knowing = [
        name(path) for path in TASKS if imports_prefect(path) and not holds_tasks(path) and path.parent not in free
    ]

    assert knowing == []


def test_a_module_says_its_noun() -> None:
    """A module says in its first line what it is."""
    assert [name(path) for path in MODULES if not ast.get_docstring(tree(path))] == []


def test_a_task_keeps_no_cache_and_no_result() -> None:
    """Our own manifests decide what is skipped; Prefect stores neither inputs' hashes nor results."""
    decorators = [
        (name(path), text)
        for path in TASKS
        for text in re.findall(r"^@task\((.*?)^(?:async )?def", path.read_text(), re.MULTILINE | re.DOTALL)
    ]

    assert decorators
    assert [
        each for each in decorators if "cache_policy=NO_CACHE" not in each[1] or "persist_result=False" not in each[1]
    ] == []


def test_what_ingest_calls_in_a_thread_knows_the_secrets_of_its_run() -> None:
    """They are known in the context of the run, of which a thread gets a copy by `asyncio.to_thread`, or by hand: else they stand in what is quoted."""
    begun = re.compile(r"\.(?:run_in_executor|submit)\(|\b(?:ThreadPoolExecutor|Thread)\(")
    ingest = [path for path in TASKS if path.is_relative_to(PROJECT / "tasks" / "ingest")]

    beginning = [path for path in ingest if begun.search(path.read_text())]

    assert [name(path) for path in beginning] == ["tasks/ingest/scraping/crawl.py"]
    assert [name(path) for path in beginning if "copy_context().run" not in path.read_text()] == []


def test_a_flow_body_is_a_plan() -> None:
    """A flow's body has at most 25 lines after its docstring."""
    long = []
    for path in (PROJECT / "flows").glob("*.py"):
        for node in tree(path).body:
            if isinstance(node, ast.AsyncFunctionDef | ast.FunctionDef) and any(
                "flow(" in ast.unparse(each) for each in node.decorator_list
            ):
                first, last = node.body[1], node.body[-1]
                long += [name(path)] if (last.end_lineno or 0) - first.lineno >= 25 else []

    assert long == []


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
