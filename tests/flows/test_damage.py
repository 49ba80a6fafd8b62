"""Anything below the data folder deleted, cut off or garbled: the next run mends it, or fails naming it and the cure."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from prefect import flow, get_run_logger

from tasks.config import Pipeline
from tasks.convert.tasks import convert_source
from tasks.core.concurrency import gather_all
from tasks.core.outcome import Failed
from tasks.core.storage import DataFolder
from tasks.ingest.api.response import find_in_body
from tasks.ingest.http.client import open_client
from tasks.ingest.results import RequestWarnings
from tasks.ingest.scraping.browsers import Browsers
from tasks.ingest.scraping.robots import Robots
from tasks.ingest.tasks import Ingest, land_source
from tests.ingest.sources import api
from tests.site.server import Site, Sites

pytestmark = [pytest.mark.flow, pytest.mark.usefixtures("prefect_server")]

INBOX = {"a.csv": "id,x\n1,1.5\n2,bad\n3,2.5\n", "b.csv": "id,x\n4,4.5\n5,worse\n4,5.5\n"}
GONE = "inbox/a.csv"
CASES_AT_ONCE = 8


@dataclass(frozen=True)
class Result:
    """What a run came to: rows and rejects by source, or why a source failed."""

    tables: Mapping[str, Any]
    failures: Sequence[str]


@dataclass(frozen=True)
class Case:
    """A data folder in which one thing is damaged."""

    root: Path
    damaged: Path
    kind: str

    @property
    def path(self) -> Path:
        """Return where the damaged thing is."""
        return self.root / self.damaged

    @property
    def name(self) -> str:
        """Return what is damaged, and how."""
        return f"{self.damaged} {self.kind}"


def _delete(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def _cut_off(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)


def _garble(path: Path) -> None:
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 4] = bytes(255 - byte for byte in content[middle : middle + 4])
    path.write_bytes(content)


def _make_folder(path: Path) -> None:
    _delete(path)
    path.mkdir()


def _make_file(path: Path) -> None:
    _delete(path)
    path.write_text("no folder\n")


FAULTS: Mapping[str, Callable[[Path], None]] = {
    "deleted": _delete,
    "cut off": _cut_off,
    "garbled": _garble,
    "a folder": _make_folder,
    "a file": _make_file,
}


def spec_of(site: Site) -> Pipeline:
    """Return a pipeline of an API of two partitions and an inbox."""
    items = api(
        site, "/items", partitions={"part": ["x", "y"]}, columns={"name": {"nulls": ["item 2"], "required": True}}
    )
    inbox = {"kind": "files", "path": "inbox/*.csv", "columns": {"x": "float"}, "key": ["id"]}
    return Pipeline.model_validate({"name": "test", "sources": {"items": items.model_dump(), "orders": inbox}})


@flow(name="run each", persist_result=False)
async def run_each(config: Pipeline, folders: Sequence[Path]) -> list[Result]:
    """Run ingest and convert in each data folder."""
    warnings = RequestWarnings(get_run_logger().warning)

    async def show(_name: str, _percent: float, _said: str) -> None:
        """Show nothing."""

    async with open_client(config.fetched.values(), warnings.warn, find_in_body) as client:

        async def run_one(root: Path) -> Result:
            folder, failures = DataFolder.at(root), []
            robots, browsers = Robots(client.throttle), Browsers()
            common = Ingest(client, robots, browsers, fresh=False, part=None, warnings=warnings, show=show, root=root)
            for name, source in config.fetched.items():
                landed = await land_source(name, source, folder.raw(name), common)
                failures += [failed.message for failed in landed.failed]
            if failures:
                return Result({}, failures)
            tables = [
                await convert_source(*item, folder, fresh=False, allow_partial=False) for item in config.sources.items()
            ]
            failed = [table.message for table in tables if isinstance(table, Failed)]
            return Result({} if failed else {name: read_source(root, name) for name in config.sources}, failed)

        outcomes = []
        for start in range(0, len(folders), CASES_AT_ONCE):
            outcomes += await gather_all(folders[start : start + CASES_AT_ONCE], run_one)
        return outcomes


def read_source(root: Path, name: str) -> Any:
    """Return the rows and the rejects of a source, as a reader of both finds them."""
    try:
        return _read_source(root, name)
    except (OSError, pa.ArrowException) as error:
        return ([repr(error)], [])


def _read_source(root: Path, name: str) -> tuple[Sequence[Any], Sequence[Any]]:
    rows = pq.read_table(root / "tables" / name).to_pylist()
    rejects = pq.read_table(root / "rejects" / name).to_pylist()
    return sorted(rows, key=str), sorted(rejects, key=str)


def copy(source: Path, target: Path) -> Path:
    """Copy a data folder with its links, hard ones too."""
    subprocess.run(["/bin/cp", "-a", source, target], check=True)
    return target


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """Yield a site."""
    with Sites().serving() as sites:
        yield sites.add()


@pytest.fixture(scope="module")
def config(site: Site) -> Pipeline:
    """Return the pipeline."""
    return spec_of(site)


@pytest.fixture(scope="module")
def finished(config: Pipeline, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a data folder in which a run has ended, and then another, of whose table there are two versions."""
    root = tmp_path_factory.mktemp("finished")
    (root / "inbox").mkdir()
    for name, content in INBOX.items():
        (root / "inbox" / name).write_text(content)
        asyncio.run(run_each(config, [root]))
    return root


def faulty(finished: Path, folder: Path, *, gone: bool) -> list[Case]:
    """Return copies of a data folder, each with one thing damaged, and a file of the inbox gone if that is asked for."""
    cases: list[Case] = []
    for number, path in enumerate(sorted(finished.rglob("*"))):
        name = path.relative_to(finished)
        if name.parts[0] == "inbox" or name.name == ".lock":
            continue
        kinds = ["deleted", "a file" if path.is_dir() else "a folder"]
        if path.is_file() and not path.is_symlink():
            kinds += ["cut off", "garbled"]
        for kind in kinds:
            case = Case(copy(finished, folder / f"{number}-{kind}"), name, kind)
            FAULTS[kind](case.path)
            if gone:
                (case.root / GONE).unlink()
            cases.append(case)
    return cases


def tells(outcome: Result, case: Case) -> bool:
    """Return whether each failure names what is damaged, or what it was made of, and what to do."""
    return all(
        (str(case.path) in said or GONE in said) and ("move it away" in said or "put that back" in said)
        for said in outcome.failures
    )


def cure(case: Case, finished: Path) -> None:
    """Do what the message says."""
    if case.kind in ("a file", "a folder"):
        _delete(case.path)
    shutil.copyfile(finished / GONE, case.root / GONE)


@pytest.mark.parametrize("gone", [False, True], ids=["inputs there", "an input gone"])
async def test_whatever_is_damaged_is_mended_or_told(
    config: Pipeline, finished: Path, tmp_path: Path, gone: bool
) -> None:
    """Each table is as it was, or the run fails and names what is wrong and the cure, after which the table is right."""
    expected = {name: read_source(finished, name) for name in config.sources}
    cases = faulty(finished, tmp_path, gone=gone)

    outcomes = dict(zip(cases, await run_each(config, [case.root for case in cases]), strict=True))
    failed = {case: outcome for case, outcome in outcomes.items() if outcome.failures}
    for case in failed:
        cure(case, finished)
    cured = await run_each(config, [case.root for case in failed])

    assert {case.name: outcome.tables for case, outcome in outcomes.items() if not outcome.failures} == {
        case.name: expected for case in outcomes.keys() - failed.keys()
    }
    assert [case.name for case, outcome in failed.items() if not tells(outcome, case)] == []
    assert [(outcome.tables, outcome.failures) for outcome in cured] == [(expected, [])] * len(failed)
    assert len(cases) > 100
