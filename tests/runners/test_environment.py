"""What a worker must be like: the packages that parse and write values, and the code that the run has."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from importlib.metadata import packages_distributions
from multiprocessing import get_context
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

from tasks.core.own_code import code_versions, hash_package
from tasks.runners.environment import OF_THE_RUN_ALONE, Environment, declared_packages
from tasks.runners.worker_check import Expected, cure_of, tell_mistakes
from tests.documented import PROJECT

EXTENSION = "own_pairs:Pairs"


@pytest.fixture
def worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ProcessPoolExecutor]:
    """Yield a process that lives on, and finds modules in the test's folder, as this one does."""
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{PROJECT}")
    monkeypatch.syspath_prepend(tmp_path)
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        yield pool


def test_what_parses_and_writes_values_is_compared() -> None:
    """By what Tidemill declares, not by a list of its own: a reader of workbooks of another version reads other cells."""
    here = Environment.here()
    other = Environment({**here.versions, "python-calamine": "0.1", "msgspec": "0.2"}, here.code)

    assert {
        "tidemill",
        "pyarrow",
        "pandas",
        "numpy",
        "lxml",
        "openpyxl",
        "python-calamine",
        "msgspec",
    } <= here.versions.keys()
    (told,) = other.differences(here)
    assert f"python-calamine {here.versions['python-calamine']} instead of 0.1" in told
    assert f"msgspec {here.versions['msgspec']} instead of 0.2" in told
    assert list(here.differences(here)) == []


def test_what_gives_no_value_on_a_worker_is_not_compared() -> None:
    """Those that stand for it are declared, and nothing that workers do imports them; all else that is declared is compared."""
    declared = {each.name for each in declared_packages()}
    elsewhere = {"train/scoring", "train/plots"}  # the endpoint, and the pictures of a leaderboard
    folders = [PROJECT / "tasks" / name for name in ("convert", "tables", "train")]
    files = [file for folder in folders for file in folder.rglob("*.py")]
    imported = {
        name
        for file in files
        if not any(file.is_relative_to(PROJECT / "tasks" / each) for each in elsewhere)
        for name in re.findall(r"^ *(?:import|from) (\w+)", file.read_text(), re.MULTILINE)
    }

    assert {"python", "tidemill", *declared - OF_THE_RUN_ALONE} == Environment.here().versions.keys()
    assert declared >= OF_THE_RUN_ALONE
    assert {"pyarrow", "sklearn", "pandas"} <= imported
    packages = {name: {*map(canonicalize_name, of)} for name, of in packages_distributions().items()}
    assert set().union(*packages.values()) >= OF_THE_RUN_ALONE
    assert not [name for name in imported if OF_THE_RUN_ALONE & packages.get(name, set())]


def test_a_worker_that_holds_older_code_of_an_extension_is_told(worker: ProcessPoolExecutor, tmp_path: Path) -> None:
    """It goes on with what it has imported, whatever the files become; one that has no such module is told so, too."""
    module = tmp_path / "own_pairs.py"
    module.write_text("class Pairs: number = 1\n")
    first = Environment.here([EXTENSION])
    assert worker.submit(tell_mistakes, Expected(first)).result() == ""
    module.write_text("class Pairs: number = 2\n")
    with ProcessPoolExecutor(1, get_context("spawn")) as run:
        now = run.submit(Environment.here, [EXTENSION]).result()

    told = worker.submit(tell_mistakes, Expected(now)).result()

    assert told.endswith(
        " has other code of the extension own_pairs than the run; give it the run's files, and start it again"
    )
    elsewhere = Environment(now.versions, {**now.code, "no_such_module": "0"})
    assert "has nothing of the extension no_such_module; put it where" in worker.submit(
        tell_mistakes, Expected(elsewhere)
    ).result().replace(told.partition(" has ")[2], "")


def test_a_module_beside_code_of_ones_own_is_part_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it imports from its folder, also within a function, and what that imports; what it does not is none of it."""
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "quotes").mkdir()
    for name, text in {
        "own_lines": "def read():\n    import own_signs, json\n",
        "own_signs": "from quotes.of import text\nimport own_lines\n",
        "quotes/of": "text = 1\n",
        "other": "",
    }.items():
        (tmp_path / f"{name}.py").write_text(text)
    known, trusted = {hash_package("own_lines")}, {code_versions(["own_lines.Lines"])["own_lines"]}

    for name in ("own_lines", "own_signs", "quotes/of"):
        (tmp_path / f"{name}.py").open("a").write("\n")
        known.add(hash_package("own_lines"))
        trusted |= {*code_versions(["own_lines.Lines"]).values()}
    (tmp_path / "other.py").write_text("x = 1")

    assert len(known) == len(trusted) == 4
    assert hash_package("own_lines") in known


def test_other_code_of_tidemill_is_told() -> None:
    """Two checkouts may be of one version."""
    here = Environment.here()

    (told,) = Environment(here.versions, {"tasks": "0"}).differences(here)

    assert told == "other code of Tidemill than the run; give it the run's files, and start it again"


def test_a_worker_that_does_not_see_a_mirror_is_told_where_to_put_it(tmp_path: Path) -> None:
    """The folder is of this machine's own making, so its path alone would help nobody."""
    (tmp_path / ".bucket").mkdir()
    (tmp_path / ".bucket/address").write_text("s3://shop/data")
    expected = Expected(Environment.here(), tmp_path / "not-there", tmp_path, cure_of(tmp_path))

    told = tell_mistakes(expected)

    assert f"{tmp_path}: the worker " in told
    assert told.endswith(
        "cannot reach it (No such file or directory); it is the mirror of s3://shop/data: set TIDEMILL_CACHE to a folder "
        "on storage that every worker mounts at the same path, and may write to"
    )
