"""Stages whose data folder is a bucket: the same tables as on a disk, whoever is killed, and whatever the store does."""

from __future__ import annotations

import os
import random
import re
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread
from typing import Literal
from uuid import uuid4

import httpx
import pandas as pd
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from flows.cli.main import run_command
from tasks.config import Pipeline
from tasks.core.bucket.mirror import Mirror
from tasks.core.bucket.units import Unit
from tests.convert.conftest import files_source
from tests.convert.test_kill import FILES, SEED, run_whole, write_inbox
from tests.killed import Order
from tests.processes import is_running
from tests.stores import Relay, relaying, serving_s3
from tests.thorough import ALL
from tests.zygote import Zygote, zygote

pytestmark = pytest.mark.flow

KILLS, OUTAGES = (20, 5) if ALL else (6, 2)
OUTAGE_S = 10.0 if ALL else 1.0
TABLE = Unit("tables", "rows")
NOTHING = (0, 0)
SECRET = "not-to-be-found-7f3a"  # noqa: S105 - to be looked for
BLOCK_BYTES = 2**20
"""One part a file: what is killed here is the commit to the bucket."""


@pytest.fixture(scope="module")
def relay() -> Iterator[Relay]:
    """Yield what lies between a store and the runs."""
    with serving_s3(), relaying(os.environ["AWS_ENDPOINT_URL"]) as relay:
        yield relay


@pytest.fixture(scope="module")
def other(prefect_server: str) -> Iterator[Zygote]:
    """Yield a second process that runs are forked from."""
    assert prefect_server
    with zygote() as started:
        yield started


@pytest.fixture
def address(relay: Relay) -> str:
    """Return the address of a data folder."""
    assert relay
    return f"s3://tidemill/{uuid4().hex}"


def pipeline_of(inbox: Path, name: str = "killed") -> str:
    """Return the pipeline that makes a table of the files of an inbox, as JSON."""
    source = files_source(path=str(inbox / "*.csv"), columns={"v": "int"})
    return Pipeline.model_validate({"name": name, "sources": {"rows": source}}).model_dump_json()


def order_of(
    config: str, address: str, relay: Relay, host: Path, stage: Literal["convert", "pipeline"] = "convert"
) -> Order:
    """Return the order to convert into a bucket, on a host that has a folder for its mirrors."""
    environment = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
    told = {**environment, "AWS_ENDPOINT_URL": relay.address, "TIDEMILL_CACHE": str(host)}
    return Order(stage, config, address, BLOCK_BYTES, told)


def content_of(mirror: Mirror) -> tuple[int, int]:
    """Return how many rows the table in a bucket has, and the sum of its column v, as a host finds them that only reads."""
    mirror.fetch(TABLE)
    folder = mirror.root / "tables/rows"
    if not folder.exists():
        return NOTHING
    values = pq.read_table(folder.resolve(), columns=["v"])["v"]
    return len(values), pc.sum(values).as_py()


@contextmanager
def reading(mirror: Mirror) -> Iterator[set[tuple[int, int]]]:
    """Read the table all the time while the block runs; yield what was found."""
    found: set[tuple[int, int]] = set()
    ended, failed = Event(), []

    def read() -> None:
        try:
            while not ended.wait(0.02):  # the store is in this process, and would starve
                found.add(content_of(mirror))
        except Exception as error:  # noqa: BLE001 - the test fails with it
            failed.append(error)

    reader = Thread(target=read)
    reader.start()
    try:
        yield found
    finally:
        ended.set()
        reader.join()
    assert not failed


def wait_while_running(process: int, relay: Relay, requests: int, *, puts: bool = False) -> None:
    """Wait until so many requests were made of a store, or puts alone; no longer than a process runs."""
    while (relay.puts if puts else len(relay.asked)) < requests and is_running(process):
        time.sleep(0.005)


def files_below(folder: Path) -> dict[str, bytes]:
    """Return the bytes of the files below a folder, by their paths in it."""
    place = folder.resolve()
    return {path.relative_to(place).as_posix(): path.read_bytes() for path in sorted(place.rglob("*.parquet"))}


def test_a_table_in_a_bucket_is_that_on_a_disk(forked: Zygote, tmp_path: Path, address: str, relay: Relay) -> None:
    """Parts and rejects are the same bytes, also for another host."""
    write_inbox(tmp_path, 1)
    config = pipeline_of(tmp_path / "inbox")
    assert run_whole(forked, Order("convert", config, str(tmp_path / "data"), BLOCK_BYTES))[0] == 0
    assert run_whole(forked, order_of(config, address, relay, tmp_path / "here"))[0] == 0
    there = Mirror.make(tmp_path / "there", address)

    there.fetch(TABLE)

    for place in ("tables/rows", "rejects/rows"):
        found = files_below(tmp_path / "data" / place)
        assert found
        assert files_below(there.root / place) == found


def test_the_commands_know_a_bucket_and_keep_nowhere_who_asks(
    tmp_path: Path,
    address: str,
    prefect_server: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A run from one host, an export from another, and the lines of docs/cluster.md by which others read the table.

    The key is in nothing that is printed or kept, in the mirrors, the bucket, or Prefect's home.
    """
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    assert prefect_server
    rows, total = write_inbox(tmp_path, 1)
    (tmp_path / "shop.yaml").write_text(
        f"name: shop\nsources: {{orders: {{kind: files, path: '{tmp_path}/inbox/*.csv', columns: {{v: int}}}}}}"
    )
    monkeypatch.setenv("TIDEMILL_CACHE", str(tmp_path / "here"))
    assert run_command(["run", str(tmp_path / "shop.yaml"), "--data", address]) == 0
    assert f"{address} (here {tmp_path}/here/" in (told := capsys.readouterr().out)
    assert SECRET not in told
    monkeypatch.setenv("TIDEMILL_CACHE", str(tmp_path / "there"))
    assert run_command(["export", "orders", str(tmp_path / "orders.csv"), "--data", address]) == 0

    exported = pd.read_csv(tmp_path / "orders.csv")
    page = (Path(__file__).parents[2] / "docs/cluster.md").read_text(encoding="utf-8")
    read = re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)[0]
    known: dict[str, pd.DataFrame] = {}
    exec(read.replace("s3://my-bucket/shop", address), known)  # noqa: S102 - the page's own
    said = capsys.readouterr()
    store = Mirror.make(tmp_path / "other", address).store
    kept = [
        path.read_bytes()
        for place in (tmp_path, Path(os.environ["PREFECT_HOME"]))
        for path in place.rglob("*")
        if path.is_file()
    ]
    kept += [found[0] for each in store.list("") if (found := store.read(each.key)) and found != "same"]
    assert not [data for data in (said.out.encode(), said.err.encode(), *kept) if SECRET.encode() in data]
    for table in (exported, known["orders"]):
        assert (len(table), table["v"].sum()) == (rows, total)


def test_files_below_a_bucket_are_those_of_the_inbox(
    forked: Zygote, tmp_path: Path, address: str, relay: Relay
) -> None:
    """A relative path is read below the bucket, where others have put files; its parts are those of the files on a disk."""
    write_inbox(tmp_path / "data", 1)
    store = Mirror.make(tmp_path / "other", address).store
    for path in (tmp_path / "data/inbox").iterdir():
        store.upload(f"inbox/{path.name}", path)
    source = files_source(path="inbox/*.csv", columns={"v": "int"})
    config = Pipeline.model_validate({"name": "killed", "sources": {"rows": source}}).model_dump_json()

    assert run_whole(forked, Order("convert", config, str(tmp_path / "data"), BLOCK_BYTES))[0] == 0
    assert run_whole(forked, order_of(config, address, relay, tmp_path / "here"))[0] == 0

    there = Mirror.make(tmp_path / "there", address)
    there.fetch(TABLE)
    assert files_below(there.root / "tables/rows") == files_below(tmp_path / "data/tables/rows")


def test_a_run_that_is_killed_is_finished_by_the_next_and_no_reader_sees_it(
    forked: Zygote, tmp_path: Path, address: str, relay: Relay
) -> None:
    """After SIGKILL at any moment the bucket has the old table or the new one; the next run, here or on another host, makes the new."""
    config, draw = pipeline_of(tmp_path / "inbox"), random.Random(SEED)
    contents = {version: write_inbox(tmp_path, version) for version in (2, 1)}
    hosts = [order_of(config, address, relay, tmp_path / name) for name in ("here", "there")]
    asked = len(relay.asked)
    assert run_whole(forked, hosts[0])[0] == 0
    requests, killed, found = len(relay.asked) - asked, [], []
    with reading(Mirror.make(tmp_path / "reader", address)) as seen:
        for number in range(KILLS):
            version = 2 - number % 2
            write_inbox(tmp_path, version)
            group, before = forked.start(hosts[0]), len(relay.asked)
            wait_while_running(group, relay, before + draw.randrange(requests))
            with suppress(ProcessLookupError):
                os.killpg(group, signal.SIGKILL)
            killed.append(forked.end() != 0)
            ended, _ = run_whole(forked, hosts[number // 2 % 2])
            found.append((ended, content_of(Mirror.make(tmp_path / "other", address)) == contents[version]))

    assert found == [(0, True)] * KILLS
    assert seen == set(contents.values())
    assert killed.count(True) > KILLS / 2


def test_a_store_that_is_away_for_a_while_is_waited_for(
    forked: Zygote, tmp_path: Path, address: str, relay: Relay
) -> None:
    """In the midst of a commit too: the run ends with the table, and nobody sees half of it."""
    config, draw = pipeline_of(tmp_path / "inbox"), random.Random(SEED)
    contents = {version: write_inbox(tmp_path, version) for version in (2, 1)}
    order = order_of(config, address, relay, tmp_path / "here")
    before = relay.puts
    assert run_whole(forked, order)[0] == 0
    uploads, found = relay.puts - before, []
    with reading(Mirror.make(tmp_path / "reader", address)) as seen:
        for number in range(OUTAGES):
            version = 2 - number % 2
            write_inbox(tmp_path, version)
            last = relay.puts + draw.randrange(1, uploads)
            wait_while_running(forked.start(order), relay, last, puts=True)
            relay.is_down = True
            time.sleep(OUTAGE_S)
            relay.is_down = False
            found.append((forked.end(), content_of(Mirror.make(tmp_path / "other", address)) == contents[version]))

    assert found == [(0, True)] * OUTAGES
    assert seen == set(contents.values())


def test_of_two_runs_of_a_pipeline_at_once_one_waits_for_the_other(
    forked: Zygote, other: Zygote, tmp_path: Path, address: str, relay: Relay
) -> None:
    """Both come to an end, and the table is that of the later one."""
    contents = {name: write_inbox(tmp_path / name, number) for number, name in enumerate(("here", "there"), start=1)}
    orders = [
        order_of(pipeline_of(tmp_path / name / "inbox"), address, relay, tmp_path / name, "pipeline")
        for name in contents
    ]
    with reading(Mirror.make(tmp_path / "reader", address)) as seen:
        forked.start(orders[0])
        other.start(orders[1])
        ended = [forked.end(), other.end()]

    assert ended == [0, 0]
    assert seen <= {NOTHING, *contents.values()}
    assert content_of(Mirror.make(tmp_path / "other", address)) in contents.values()


@pytest.mark.parametrize("second", ["killed", "second"])
def test_of_two_writers_of_a_table_at_once_one_is_told_that_the_other_was_first(
    forked: Zygote, other: Zygote, tmp_path: Path, address: str, relay: Relay, second: str
) -> None:
    """Stages of one pipeline, which wait for nobody, and pipelines that share a table: one message, and the table of the other."""
    contents = {name: write_inbox(tmp_path / name, number) for number, name in enumerate(("here", "there"), start=1)}
    orders = [
        order_of(pipeline_of(tmp_path / "here/inbox"), address, relay, tmp_path / "here"),
        order_of(pipeline_of(tmp_path / "there/inbox", second), address, relay, tmp_path / "there"),
    ]
    relay.puts_meet_at = f"{address.rpartition('/')[2]}/.tidemill/tables/rows.json"
    with reading(Mirror.make(tmp_path / "reader", address)) as seen:
        forked.start(orders[0])
        other.start(orders[1])
        ended = [forked.end(), other.end()]
    relay.puts_meet_at = ""

    assert sorted(ended) == [0, 1]
    failed = {"parent_task_run_id": {"is_null_": True}, "state": {"type": {"any_": ["FAILED"]}}}
    query = {"sort": "END_TIME_DESC", "limit": 1, "flow_runs": failed}  # runs to come of others' schedules have no end
    runs = httpx.post(f"{os.environ['PREFECT_API_URL']}/flow_runs/filter", json=query).raise_for_status().json()
    (told,) = [run["state"]["message"] for run in runs]
    assert re.fullmatch(
        rf"source rows: {address}/tables/rows: \S+ has committed \S+ while this run worked, and that stands; run again, and let one run at a time write to it",
        told,
    )
    winner = contents["here" if ended[0] == 0 else "there"]
    assert seen <= {NOTHING, winner}
    assert content_of(Mirror.make(tmp_path / "other", address)) == winner


def test_a_mirror_that_was_removed_costs_nothing_but_its_fetch(
    forked: Zygote, tmp_path: Path, address: str, relay: Relay
) -> None:
    """The next run has the table from the bucket, and reads no file again."""
    write_inbox(tmp_path, 1)
    config = pipeline_of(tmp_path / "inbox")
    order = order_of(config, address, relay, tmp_path / "here")
    assert run_whole(forked, order)[0] == 0
    there = Mirror.make(tmp_path / "there", address)
    there.fetch(TABLE)
    before = files_below(there.root / "tables/rows")
    shutil.rmtree(tmp_path / "here")
    asked = len(relay.asked)

    assert run_whole(forked, order)[0] == 0

    there.fetch(TABLE)
    assert files_below(there.root / "tables/rows") == before
    assert not [each for each in relay.asked[asked:] if each.startswith("PUT") and "/tables/" in each]
    assert len(before) >= FILES
