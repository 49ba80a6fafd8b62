"""A conversion killed at any moment, while others read the table: they see the old one or the new one, and nothing else."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tasks.config import Pipeline
from tests.convert.conftest import files_source
from tests.killed import Order
from tests.thorough import KILLS
from tests.zygote import Zygote

SEED = 4
FILES = 5
ROWS = 1_500
BLOCK_BYTES = 4096
"""Several blocks, and so parts, for each file."""
LATE_S = 0.02
"""What may follow the end of a run: its last files, and Prefect's own end."""


def write_inbox(root: Path, version: int) -> tuple[int, int]:
    """Write the files of a version; return the rows of the table that they make, and the sum of its column v."""
    (root / "inbox").mkdir(parents=True, exist_ok=True)
    total = 0
    for number in range(FILES):
        values = [version * 1_000_000 + number * ROWS + row for row in range(ROWS - 100 * version)]
        lines = [f"{value},row {value} of version {version}" for value in values]
        (root / "inbox" / f"{number}.csv").write_text("\n".join(["v,text", *lines, "bad,row"]) + "\n")
        total += sum(values)
    return FILES * (ROWS - 100 * version), total


def read_whole(root: Path) -> tuple[list[dict[str, object]], list[dict[str, object]], set[str]]:
    """Return the rows of the table, its rejects, and what lies beside its versions."""
    rows = pq.read_table(root / "tables" / "rows").sort_by("v").to_pylist()
    rejects = pq.read_table(root / "rejects" / "rows").sort_by("file").to_pylist()
    beside = {path.name for path in (root / ".tables" / "rows").iterdir() if not path.name.isdigit()}
    return rows, rejects, beside


@contextmanager
def reading(table: Path) -> Iterator[subprocess.Popen[str]]:
    """Read a table in a process of its own while the block runs."""
    command = [sys.executable, "-m", "tests.convert.reader", str(table)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as reader:
        try:
            yield reader
        finally:
            reader.kill()  # unless it has ended by itself


def run_whole(forked: Zygote, order: Order) -> tuple[int, float]:
    """Run an order to its end; return how it ended, and its seconds."""
    start = time.monotonic()
    forked.start(order)
    return forked.end(), time.monotonic() - start


def run_killed(forked: Zygote, order: Order, after_s: float) -> bool:
    """Start an order and kill its process group after some seconds; return whether it was under way still."""
    group = forked.start(order)
    time.sleep(after_s)
    with suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)
    return forked.end() != 0


@pytest.mark.flow
def test_a_conversion_that_is_killed_is_finished_by_the_next_and_no_reader_sees_it(
    forked: Zygote, tmp_path: Path
) -> None:
    """After SIGKILL at any moment the table is the old one or the new one, and the next run makes the reference of the new."""
    source = files_source(path=str(tmp_path / "inbox" / "*.csv"), columns={"v": "int"})
    config = Pipeline.model_validate({"name": "killed", "sources": {"rows": source}}).model_dump_json()
    data, references, contents = tmp_path / "data", {}, {}
    draw, killed, found = random.Random(SEED), [], []
    for version in (1, 2):
        contents[version] = list(write_inbox(tmp_path, version))
        reference = tmp_path / f"reference-{version}"
        assert run_whole(forked, Order("convert", config, str(reference), BLOCK_BYTES))[0] == 0
        references[version] = read_whole(reference)
    order = Order("convert", config, str(data), BLOCK_BYTES)
    write_inbox(tmp_path, 1)
    _, seconds = run_whole(forked, order)
    with reading(data / "tables" / "rows") as reader:
        for number in range(KILLS):
            version = 2 - number % 2
            write_inbox(tmp_path, version)
            killed.append(run_killed(forked, order, draw.uniform(0, seconds + LATE_S)))
            found.append((run_whole(forked, order)[0], read_whole(data) == references[version]))
        assert reader.stdin
        assert reader.stdout
        reader.stdin.close()
        seen = [json.loads(line) for line in reader.stdout]
        assert reader.wait(20) == 0

    assert found == [(0, True)] * KILLS
    assert killed.count(True) > KILLS / 4
    assert seen[-1] > KILLS
    assert all(content in ([contents[1]] * 2, [contents[2]] * 2) for content in seen[:-1])
    assert len(seen) > KILLS / 2
