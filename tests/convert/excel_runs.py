"""Fresh runs of a pipeline of three Excel sources, two at a time on a loaded machine: `python -m tests.convert.excel_runs 40`.

Each run is a process of its own, in which several threads read the first
workbook at once. It prints how many of the runs were right, and exits with 1
unless all were.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import httpx
import openpyxl
from tenacity import Retrying, stop_after_delay, wait_fixed

_ROWS = 20
_PIPELINE = """name: sheets
sources:
  first: {kind: files, path: "inbox/first/*", read: {sheet: 0}}
  second: {kind: files, path: "inbox/second/*", read: {sheet: 0}}
  third: {kind: files, path: "inbox/third/*", read: {sheet: more}}
"""


def write_workbooks(root: Path) -> Path:
    """Write three folders of two workbooks, and the pipeline of them; return its path."""
    for source in ("first", "second", "third"):
        folder = root / "inbox" / source
        folder.mkdir(parents=True)
        for name in ("a", "b"):
            book = openpyxl.Workbook()
            assert book.active is not None
            for sheet in (book.active, book.create_sheet("more")):
                sheet.append(["id", "text"])
                for number in range(_ROWS):
                    sheet.append([number, f"{source} {name} {number}"])
            book.save(folder / f"{name}.xlsx")
    path = root / "pipeline.yaml"
    path.write_text(_PIPELINE)
    return path


def run_once(number: int, folder: Path) -> str:
    """Return what is wrong with a run of the pipeline in a process of its own; an empty text where nothing is."""
    data = folder / str(number)
    pipeline = write_workbooks(data)
    command = [sys.executable, "-m", "flows", "run", str(pipeline), "--data", str(data), "--only", "convert"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    if run.returncode:
        return run.stderr[-500:] or run.stdout[-500:]
    summary = json.loads((data / "summary.json").read_text())
    rows = {name: source["rows_table"] for name, source in summary["sources"].items()}
    right = dict.fromkeys(("first", "second", "third"), 2 * _ROWS)
    return "" if (rows, summary["warnings"]) == (right, []) else f"{rows} {summary['warnings']}"


@contextmanager
def serving_prefect(home: Path) -> Iterator[None]:
    """Have one Prefect server for all runs, as each would else start its own."""
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = str(free.getsockname()[1])
    os.environ |= {"PREFECT_HOME": str(home), "PREFECT_SERVER_ANALYTICS_ENABLED": "false"}
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", port]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    os.environ["PREFECT_API_URL"] = f"http://127.0.0.1:{port}/api"
    try:
        for attempt in Retrying(stop=stop_after_delay(300), wait=wait_fixed(0.5)):
            with attempt:
                httpx.get(f"{os.environ['PREFECT_API_URL']}/health").raise_for_status()
        yield
    finally:
        server.terminate()
        server.wait()


def main() -> None:
    """Run the pipeline as often as is asked for, two runs at a time."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 40
    with (
        tempfile.TemporaryDirectory() as folder,
        serving_prefect(Path(folder) / "prefect"),
        ThreadPoolExecutor(2) as threads,
    ):
        wrong = [said for said in threads.map(run_once, range(runs), [Path(folder)] * runs) if said]
    for said in wrong:
        print(said)  # noqa: T201 - what it is run for
    print(f"{runs - len(wrong)} of {runs} runs were right; the machine's load was {os.getloadavg()[0]:.1f}")  # noqa: T201 - the same
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
