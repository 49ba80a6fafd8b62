"""What the benchmark of ingest runs on: a Prefect server, a fresh server of pages for each run, and a folder for all."""

from __future__ import annotations

import json
import os
import signal
import ssl
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import httpx
from prefect.client.base import PrefectHttpxSyncClient

from flows.cli.prefect_api import CLIENT_SETTINGS, SERVER_SETTINGS, PrefectApi, client_settings
from tasks.core.child_process import first_line, start_child, stop_child
from tests.benchmarks.job import Job, Report
from tests.benchmarks.server import PLAIN
from tests.site.raw import CERTIFICATE

TIDEMILL = "tests.benchmarks.tidemill"
LIMIT_S = 120.0
_STORED_S = 15.0
_POLL_S = 1.2  # Prefect's recorder flushes every second: two equal counts this far apart are the last word

Seconds = list[dict[str, int]]
"""How many requests were answered with each status, second by second."""


@dataclass(frozen=True)
class Work:
    """What is to be fetched, and how the server answers."""

    pages: int
    """Of all parts."""
    mode: str
    parts: int
    tls: bool

    def __str__(self) -> str:
        """Return it in words."""
        parts = f" in {self.parts:,} parts" if self.parts > 1 else ""
        return f"{self.pages:,} pages{parts}, {self.mode}{', TLS' if self.tls else ''}"


@dataclass(frozen=True)
class Rig:
    """A running Prefect server, and a folder in which each run gets its own."""

    api: PrefectApi
    folder: Path
    numbers: Iterator[int]

    @property
    def environment(self) -> dict[str, str]:
        """Return the settings of a run, as the command gives them to its own."""
        own = {"HOME": str(self.folder), "PREFECT_API_URL": self.api.url}
        return {**CLIENT_SETTINGS, **own, **client_settings(self.api.url)}

    def run(  # noqa: PLR0913 - what a run of a peer may differ by
        self,
        module: str,
        pages: int,
        limit_s: float = LIMIT_S,
        *,
        mode: str = PLAIN,
        parts: int = 1,
        tls: bool = False,
        given: Sequence[str] = (),
    ) -> Report:
        """Fetch so many pages in a fresh process of a peer's `module`, which is also given some arguments."""
        return self._run(module, Work(pages, mode, parts, tls), limit_s, *given)[0]

    def ingest(
        self,
        pages: int,
        requests: Mapping[str, int],
        mode: str = PLAIN,
        limit_s: float = LIMIT_S,
        *,
        parts: int = 1,
        tls: bool = False,
    ) -> tuple[Report, Seconds]:
        """Fetch so many pages with the flow, asking as `requests` says; return also how the server answered."""
        return self._run(TIDEMILL, Work(pages, mode, parts, tls), limit_s, json.dumps(requests))

    def _run(self, module: str, work: Work, limit_s: float, *arguments: str) -> tuple[Report, Seconds]:
        folder = self.folder / f"run-{next(self.numbers)}"
        say(f"{module.rpartition('.')[2]}, {work} {' '.join(arguments)}")
        with page_server(self.folder if work.tls else None) as url:
            job = Job(f"{url}/{work.mode}/{work.pages // work.parts}", work.pages, folder, work.parts)
            trusted = {"SSL_CERT_FILE": str(self.folder / CERTIFICATE)} if work.tls else {}
            report = job.run(module, *arguments, environment=self.environment | trusted, limit_s=limit_s)
            say(f"  {report.end} after {report.seconds:.2f} s, CPU {report.cpu_s:.2f} s, {report.rows:,} rows")
            verify = ssl.create_default_context(cafile=trusted["SSL_CERT_FILE"]) if work.tls else True
            return report, httpx.get(f"{url}/counts", verify=verify).json()

    def count_task_runs(self) -> int:
        """Return how many task runs Prefect's database holds, once it holds all."""
        before, now, deadline = -1, self._task_runs(), time.monotonic() + _STORED_S
        while now != before and time.monotonic() < deadline:
            time.sleep(_POLL_S)
            before, now = now, self._task_runs()
        return now

    def _task_runs(self) -> int:
        with PrefectHttpxSyncClient(base_url=self.api.url) as http:
            return int(http.post("/task_runs/count", json={}).json())


@contextmanager
def open_rig() -> Iterator[Rig]:
    """Start a Prefect server on a fresh database and yield the rig; nothing is left of either, nor in the home folder."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that the blocks below end as on Ctrl-C
    for name in [name for name in os.environ if name.startswith("PREFECT_")]:
        del os.environ[name]  # the user's own server is not measured
    with tempfile.TemporaryDirectory(prefix="tidemill-benchmark-", ignore_cleanup_errors=True) as folder:
        os.environ |= {"PREFECT_HOME": f"{folder}/prefect", "DO_NOT_TRACK": "1"}
        server = start_child("flows.cli.temporary_server", environment=SERVER_SETTINGS)
        try:
            api = PrefectApi(server, first_line(server))
            say(f"the Prefect server starts at {api.url}")
            api.wait_until_ready()
            yield Rig(api, Path(folder), count(1))
        finally:
            stop_child(server)


def say(text: str) -> None:
    """Tell how far the benchmark is; the table alone stands on standard output."""
    print(text, file=sys.stderr, flush=True)


@contextmanager
def page_server(tls: Path | None) -> Iterator[str]:
    """Yield the address of a fresh server of pages, of TLS where a folder is given for its certificate."""
    server = start_child("tests.benchmarks.server", *([] if tls is None else [str(tls)]))
    try:
        yield first_line(server)
    finally:
        stop_child(server)
