"""What a data folder in a bucket costs, as a ratio to one on this machine: many small objects, and the demo.

The store is moto's server, in a process of its own on the same cores: what a read or a
write of an object takes there is told beside the ratios, as no store in a cloud has it.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import httpx
from tenacity import Retrying, stop_after_delay, wait_fixed

from tasks.core.bucket.store import Store
from tests.benchmarks.conversion import Case, run_case
from tests.benchmarks.peers.convert import BUCKET
from tests.benchmarks.rig import Rig, open_rig, say
from tests.benchmarks.table import Line, describe_machine, draw_table
from tests.flows.scheduling import free_port

OBJECTS = 10_000
ROUNDS = 3
SMALL_SHARE, LOOP_SHARE, DEMO_SHARE = 2.0, 0.5, 1.5
_ROWS = 330  # 10 kB
_AT_ONCE = 16
_LIMIT_S = 1800.0
_PACKAGES = ("tidemill", "prefect", "obstore", "s3fs", "moto", "pandas")


def measure_bucket(given: list[str] | None = None) -> str:
    """Measure as many small objects as are given, 10,000 unless told otherwise, and the demo; return the table."""
    objects = int(given[0]) if given else OBJECTS
    machine = describe_machine(_PACKAGES)
    with open_rig() as rig, _serving_s3(rig.folder) as environment:
        lines = [*_measure_objects(rig, environment, objects), *_measure_demo(rig, environment)]
    setting = f"{objects:,} objects of 10 kB, and the demo's first run; in turns, the median counts; moto's server has a core of the two."
    return f"{machine}\n{setting}\n\n{draw_table(lines)}"


@contextmanager
def _serving_s3(folder: Path) -> Iterator[dict[str, str]]:
    """Yield what the environment tells of a store with an empty bucket."""
    port = free_port()
    endpoint = f"http://127.0.0.1:{port}"
    with (folder / "s3.log").open("wb") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)], stdout=log, stderr=log
        )
    told = {"AWS_ENDPOINT_URL": endpoint, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    told["AWS_DEFAULT_REGION"] = "us-east-1"
    try:
        for attempt in Retrying(stop=stop_after_delay(60), wait=wait_fixed(0.2)):
            with attempt:
                httpx.put(f"{endpoint}/benchmark").raise_for_status()
        os.environ.update(told)
        yield told
    finally:
        server.terminate()
        server.wait()


def _measure_objects(rig: Rig, environment: dict[str, str], objects: int) -> Iterator[Line]:
    address, inbox = "s3://benchmark/objects", rig.folder / "inbox"
    inbox.mkdir()
    draw = random.Random(1)
    for number in range(objects):
        rows = (f"{number * _ROWS + row},{draw.random():.6f},name {draw.randrange(10**6)}" for row in range(_ROWS))
        (inbox / f"{number:05}.csv").write_text("\n".join(["id,v,t", *rows]) + "\n")
    store = Store.open(address)
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        list(threads.map(lambda path: store.upload(f"inbox/{path.name}", path), inbox.iterdir()))
    keys = [each.key for each in store.list("inbox")]
    start = time.perf_counter()
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        list(threads.map(lambda key: store.stream(key).read(), keys))
    alone = time.perf_counter() - start
    local, remote, loop = [], [], []
    told, there = {**environment, BUCKET: address}, Case(Path("inbox/*.csv"), objects * _ROWS)
    for number in range(ROUNDS):
        cache = rig.folder / f"cache-{number}"
        local.append(run_case(rig, "tidemill", Case(inbox / "*.csv", objects * _ROWS)).seconds)
        remote.append(run_case(rig, "tidemill_in_bucket", there, told | {"TIDEMILL_CACHE": str(cache)}).seconds)
        store.delete(each.key for kind in (".tidemill", "tables", "runs", "history") for each in store.list(kind))
        shutil.rmtree(cache, ignore_errors=True)
    loop.append(run_case(rig, "pandas_in_bucket", there, told).seconds * 10)
    share = median(remote) / median(local)
    said = f"{median(remote):.1f} s to {median(local):.1f} s, {share:.1f}; the server's reads alone {alone:.1f} s"
    yield Line("small objects to small files", said, f"<= {SMALL_SHARE}", share <= SMALL_SHARE)
    share = median(remote) / loop[0]
    yield Line(
        "to a loop of pandas.read_csv (of a tenth)",
        f"{loop[0]:.1f} s, {share:.2f}",
        f"<= {LOOP_SHARE}",
        share <= LOOP_SHARE,
    )


def _measure_demo(rig: Rig, environment: dict[str, str]) -> Iterator[Line]:
    local, remote = [], []
    for number in range(ROUNDS):
        local.append(_demo(rig, str(rig.folder / f"demo-{number}"), {}, number))
        told = {**environment, "TIDEMILL_CACHE": str(rig.folder / f"demo-cache-{number}")}
        remote.append(_demo(rig, f"s3://benchmark/demo-{number}", told, number))
    share = median(remote) / median(local)
    said = f"{median(remote):.1f} s to {median(local):.1f} s, {share:.2f}"
    yield Line("the demo in a bucket to that here", said, f"<= {DEMO_SHARE}", share <= DEMO_SHARE)


def _demo(rig: Rig, data: str, more: dict[str, str], number: int) -> float:
    """Return the seconds of the demo with a new data folder and a new home of Prefect."""
    home = rig.folder / f"home-{number}-{len(more)}"
    environment = {**os.environ, "PREFECT_HOME": str(home), "DO_NOT_TRACK": "1", **more}
    environment.pop("PREFECT_API_URL", None)
    start = time.perf_counter()
    command = [sys.executable, "-m", "flows", "demo", "--data", data]
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL, timeout=_LIMIT_S)
    seconds = time.perf_counter() - start
    say(f"demo in {data.partition(':')[0] if more else 'a folder'}: {seconds:.1f} s")
    return seconds
