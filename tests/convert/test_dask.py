"""Convert on a Dask cluster: a scheduler and two workers, as processes of their own."""

from __future__ import annotations

import asyncio
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest

from flows.convert import convert
from flows.predict import predict
from flows.tables import tables
from tasks.config import Pipeline
from tasks.convert.table.state import CommittedTable
from tasks.core.bucket.mirror import Mirror
from tasks.core.errors import RunnerError
from tasks.runners.environment import Environment
from tasks.runners.worker_check import tell_differences
from tests.clusters import Cluster, dask_cluster
from tests.convert.conftest import tables_of
from tests.convert.test_kill import run_whole, write_inbox
from tests.flows.test_bucket import BLOCK_BYTES, content_of, pipeline_of, reading
from tests.killed import Order
from tests.processes import command_of, descendants, is_running
from tests.stores import serving_s3
from tests.tables.conftest import written
from tests.thorough import ALL, takes_minutes
from tests.train.conftest import sklearn_table
from tests.train.publishing import judge
from tests.train.test_failures import wait_until
from tests.zygote import Zygote

pytestmark = [pytest.mark.flow, pytest.mark.usefixtures("prefect_server")]

_HOLD = """
import time
from tasks.runners.local_cluster import LOCAL
if __name__ == "__main__":
    with LOCAL.held():
        print(LOCAL.address(1), flush=True)
        time.sleep(60)
"""
TREE = {"estimator": "sklearn.tree.DecisionTreeClassifier", "params": {"max_depth": 5}}
_OF_TIME = {"ctime_ns", "mtime_ns", "made"}
SEEDS = range(5 if ALL else 1)
"""A draw of when something is killed each."""
LATER_S, COMMITTED_S = 0.05, 1.0


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Yield a cluster of two workers."""
    with dask_cluster(tmp_path_factory.mktemp("dask")) as started:
        yield started


def on(address: str, config: Pipeline) -> Pipeline:
    """Return a pipeline that converts on a cluster."""
    return Pipeline.model_validate({**config.model_dump(), "runner": {"kind": "dask", "address": address}})


def everything(data: Path, elsewhere: Path) -> Pipeline:
    """Return a pipeline of files of many kinds, which it writes: long and small ones, some of them not in the data folder."""
    inbox = data / "inbox"
    for folder in ("long", "small"):
        (inbox / folder).mkdir(parents=True)
    elsewhere.mkdir(exist_ok=True)
    for number in range(3):
        rows = [
            f"{row},{row * 7919 % 100_003},{'bad' if row == 77 else row / 4},{'ab'[row % 2]}" for row in range(12_000)
        ]
        (inbox / "long" / f"{number}.csv").write_text("\n".join(["id,any,x,kind", *rows]) + "\n")
        lines = [json.dumps({"id": row, "v": row if number else row / 2}) for row in range(50)]
        (elsewhere / f"{number}.jsonl").write_text("\n".join(lines) + "\n")
    for number in range(120):
        (inbox / "small" / f"{number}.csv").write_text(f"id,text\n{number},t{number}\n")
    sources = {
        "long": {
            "kind": "files",
            "path": "inbox/long/*.csv",
            "columns": {"x": "float"},
            "key": ["id"],
            "table": {"sort_by": ["any"], "partition_by": ["kind"]},
        },
        "small": {"kind": "files", "path": "inbox/small/*.csv"},
        "documents": {"kind": "files", "path": str(elsewhere / "*.jsonl")},
    }
    return Pipeline.model_validate({"name": "everything", "sources": sources})


def kept(data: Path, *sources: str) -> dict[str, Any]:
    """Return every file of the tables and their rejects, manifests without when they were made, and what else lies beside versions."""
    found: dict[str, Any] = {}
    for home in (data / ".tables" / name for name in sources):
        found[home.name] = sorted(path.name for path in home.iterdir())
        for path in (path for path in (home / "current").resolve().rglob("*") if path.is_file()):
            name = f"{home.name}/{path.relative_to((home / 'current').resolve())}"
            found[name] = _of_any_time(json.loads(path.read_text())) if path.suffix == ".json" else path.read_bytes()
    return found


def _of_any_time(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _of_any_time(each) for key, each in value.items() if key not in _OF_TIME}
    return [_of_any_time(each) for each in value] if isinstance(value, list) else value


def findings(tables: list[CommittedTable]) -> list[Any]:
    """Return what was told of tables."""
    return [(table, table.findings.warnings, table.findings.guesses, table.rows_new) for table in tables]


def test_a_cluster_makes_the_same_parts_to_the_byte(tmp_path: Path, cluster: Cluster) -> None:
    """And the same rejects, counts, manifests and findings, of files within the data folder and elsewhere."""
    here, there = tmp_path / "here", tmp_path / "there"
    config = everything(here, tmp_path / "elsewhere")
    shutil.copytree(here, there)

    reference = tables_of(asyncio.run(convert(config, here)))
    made = tables_of(asyncio.run(convert(on(cluster.address, config), there)))

    assert findings(made) == findings(reference)
    assert kept(there, *config.sources) == kept(here, *config.sources)
    assert len(kept(there, *config.sources)) > 10


@pytest.mark.parametrize("seed", SEEDS)
def test_a_killed_worker_s_batches_run_again(
    tmp_path: Path, cluster: Cluster, caplog: pytest.LogCaptureFixture, seed: int
) -> None:
    """Which is told; the parts are those of a run without a cluster, and nothing that the worker had begun is left."""
    here, there = tmp_path / "here", tmp_path / "there"
    config = everything(here, tmp_path / "elsewhere")
    shutil.copytree(here, there)
    asyncio.run(convert(config, here))

    with killing_within(there / ".tables" / "long", seed) as killed:
        made = tables_of(asyncio.run(convert(on(cluster.address, config), there)))

    assert len(killed) == 1
    assert [table.rows_received for table in made] == [36_000, 120, 150]
    assert kept(there, *config.sources) == kept(here, *config.sources)
    assert re.search(
        r"^convert: the worker tcp://\S+ is gone; \d tasks? begun or waiting there will run again on another$",
        "\n".join(caplog.messages),
        re.MULTILINE,
    )


@takes_minutes("it starts a cluster anew")
def test_a_local_cluster_makes_the_same_and_leaves_no_process(tmp_path: Path) -> None:
    """Neither when the run ends, nor when it is killed."""
    here, there = tmp_path / "here", tmp_path / "there"
    config = everything(here, tmp_path / "elsewhere")
    shutil.copytree(here, there)
    asyncio.run(convert(config, here))
    before = descendants(os.getpid())
    local = Pipeline.model_validate(
        {**config.model_dump(), "runner": {"kind": "dask", "cluster": "local", "workers": 1}}
    )

    asyncio.run(convert(local, there))

    assert kept(there, *config.sources) == kept(here, *config.sources)
    left = descendants(os.getpid()) - before
    assert [command for command in map(command_of, left) if "resource_tracker" not in command] == []
    with subprocess.Popen([sys.executable, "-c", _HOLD], stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        assert run.stdout.readline().startswith("tcp://127.0.0.1:")
        started = descendants(run.pid)
        run.kill()
    assert started
    wait_until(lambda: not any(map(is_running, started)))


@takes_minutes("it runs a pipeline twice, and trains")
def test_a_table_of_a_function_and_predictions_are_the_same(tmp_path: Path, cluster: Cluster) -> None:
    """The function is called, and the champion predicts, by a worker."""
    here, there = tmp_path / "here", tmp_path / "there"
    data = sklearn_table("iris")
    judge(here, data, TREE, query="SELECT * EXCLUDE (row) FROM rows").decide()
    (here / "tables" / "rows").rename(here / "irises")
    (here / "inbox").mkdir()
    pd.DataFrame(data).to_csv(here / "inbox" / "rows.csv", index=False)
    code = "import os\ndef made(rows):\n    return rows.assign(pid=os.getppid(), twice=2 * rows.x0)[['row', 'pid', 'twice']]\n"
    config = written(here, "  twice: {python: prepare:made, inputs: [rows]}\n", prepare=code)
    asyncio.run(convert(config, here))
    shutil.copytree(here, there, symlinks=True)
    file = there / "toy.yaml"
    file.write_text(
        f"name: toy\nrunner: {{kind: dask, address: '{cluster.address}'}}\nsources: {{rows: {{kind: files, path: inbox/*}}}}\n"
    )

    asyncio.run(tables(config, here))
    asyncio.run(tables(on(cluster.address, config), there))
    first = asyncio.run(predict("toy", "rows", here))
    second = asyncio.run(predict("toy", "rows", there, file=file))

    one, other = (pq.read_table(root / "tables" / "twice") for root in (here, there))
    assert one.drop_columns(["pid"]).equals(other.drop_columns(["pid"]))
    assert other["pid"][0].as_py() != one["pid"][0].as_py()
    assert second.path.read_bytes() == first.path.read_bytes()
    assert second.path.is_relative_to(there)


async def test_a_worker_that_does_not_see_the_data_is_refused(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its name, before anything is done, with the cure."""
    everything(tmp_path / "data", tmp_path / "elsewhere")
    monkeypatch.chdir(tmp_path)
    data = Path("/proc/self/cwd/data")  # another folder to every other process
    config = Pipeline.model_validate(
        {"name": "one", "sources": {"rows": {"kind": "files", "path": "inbox/small/*.csv"}}}
    )
    told = rf"runner: tcp://\S+: {data}: the worker \S+ \(process \d+\) cannot reach it \(No such file or directory\); put it on"

    with pytest.raises(RunnerError, match=told) as got:
        await convert(on(cluster.address, config), data)

    assert [
        line for line in str(got.value).splitlines() if not re.match(told, line)
    ] == []  # a line for each that is there
    assert not (data / "tables").exists()


def test_a_worker_of_another_version_is_told() -> None:
    """What it has, and what the run has."""
    here = Environment.here()
    told = tell_differences(replace(here, versions={**here.versions, "pyarrow": "1.0"}))

    assert re.fullmatch(
        r"the worker \S+ \(process \d+\) has pyarrow \S+ instead of 1\.0; install there what the run has, or its parts differ",
        told,
    )
    assert tell_differences(here) == ""


@pytest.mark.parametrize("seed", SEEDS)
@takes_minutes("it starts a cluster anew")
def test_a_run_that_is_killed_leaves_its_bucket_whole(
    tmp_path: Path, cluster: Cluster, forked: Zygote, seed: int
) -> None:
    """After SIGKILL while workers convert, the next run makes the table; who reads all the time sees the old one or the new one."""
    contents = {version: write_inbox(tmp_path, version) for version in (2, 1)}
    config = on(cluster.address, Pipeline.model_validate_json(pipeline_of(tmp_path / "inbox"))).model_dump_json()
    with serving_s3() as bucket:
        told = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
        order = Order("convert", config, f"{bucket}/data", BLOCK_BYTES, {**told, "TIDEMILL_CACHE": str(tmp_path)})
        assert run_whole(forked, order)[0] == 0
        (home,) = tmp_path.glob("*/.tables/rows")
        with reading(Mirror.make(tmp_path / "reader", order.data)) as seen:
            write_inbox(tmp_path, 2)
            group = forked.start(order)
            wait_until(lambda: bool(staging(home)))
            time.sleep(random.Random(seed).uniform(0, COMMITTED_S) if seed else 0)
            with suppress(ProcessLookupError):
                os.killpg(group, signal.SIGKILL)
            ended = [forked.end(), run_whole(forked, order)[0]]
            found = content_of(Mirror.make(tmp_path / "other", order.data))

    assert ended[0] == -signal.SIGKILL or seed
    assert (ended[1], found) == (0, contents[2])
    assert contents[1] in seen
    assert seen <= set(contents.values())


@pytest.mark.parametrize("seed", SEEDS)
@takes_minutes("it starts a cluster anew")
def test_without_its_scheduler_a_run_fails_in_a_sentence_and_the_next_ends(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    """The table is as it was, nothing is left beside it, and the next run makes what was to be made."""
    here, there = tmp_path / "here", tmp_path / "there"
    config = everything(here, tmp_path / "elsewhere")
    shutil.copytree(here, there)
    asyncio.run(convert(config, here))
    told = r"runner: lost the workers at tcp://\S+ \(.*\); start the Dask scheduler, and a worker that it knows"

    with (
        dask_cluster(tmp_path_factory.mktemp("dask"), workers=1) as cluster,
        killing_within(there / ".tables" / "long", seed, cluster.scheduler.pid),
        pytest.raises(RunnerError, match=told),
    ):
        asyncio.run(convert(on(cluster.address, config), there))
    assert not (there / "tables" / "long").exists()
    assert not list((there / ".tables" / "long").glob("[!.]*"))
    asyncio.run(convert(config, there))

    assert kept(there, *config.sources) == kept(here, *config.sources)


@contextmanager
def killing_within(home: Path, seed: int, process: int | None = None) -> Iterator[list[int]]:
    """Kill a worker that stages in a table's folder, or a process, some time after one has begun to; the first draw is at once."""
    killed: list[int] = []
    over = threading.Event()
    draw = random.Random(seed)

    def kill() -> None:
        while not over.wait(0.002):
            if not staging(home):
                continue
            over.wait(draw.uniform(0, LATER_S) if seed else 0)
            own = staging(home)
            if process is not None or own:
                killed.append(process or draw.choice(own))
                os.kill(killed[0], signal.SIGKILL)
            return

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        yield killed
    finally:
        over.set()
        killer.join()


def staging(home: Path) -> list[int]:
    """Return the workers that have begun to stage in a table's folder."""
    return [int(path.name.split("-")[-2]) for path in home.glob(".workers-*/*-*") if any(path.iterdir())]
