"""What every test may use: a Prefect server for the session, and no blocking call on an event loop."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from flows.cli.prefect_api import SERVER_SETTINGS
from flows.cli.prefect_database import keep_database, place_database
from flows.cli.temporary_server import HOST
from tasks.core.garbage_collection import collect_seldom
from tasks.core.isolation.process import THREAD_VARIABLES

collect_seldom()  # as the command line does: a fifth of the time that the tests take to be collected
with socket.socket() as _probe:
    _probe.bind((HOST, 0))
    _PORT = _probe.getsockname()[1]

# Prefect reads its settings once, when it is first imported: the address of the session's server
# is fixed before. Tests leave nothing in the home folder.
_HOME = tempfile.TemporaryDirectory(prefix="tidemill-tests-", ignore_cleanup_errors=True)
_API_URL = f"http://{HOST}:{_PORT}/api"
os.environ.update(
    PREFECT_HOME=_HOME.name,
    PREFECT_API_URL=_API_URL,
    DO_NOT_TRACK="1",
    PREFECT_SERVER_ANALYTICS_ENABLED="false",
    PREFECT_SERVER_EPHEMERAL_ENABLED="false",
    PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL="CRITICAL",
    PREFECT_WORKER_QUERY_SECONDS="1",  # 10 s unless told otherwise
    PREFECT_RUNNER_POLL_FREQUENCY="1",  # the same
    **dict.fromkeys(THREAD_VARIABLES, "1"),  # threads that wait for each other keep the processors of other tests busy
)
for _name in ("PREFECT_PROFILE", "SAMPLE_SITE", "SAMPLE_TOKEN"):
    os.environ.pop(_name, None)

import httpx  # noqa: E402 - see above
import pytest  # noqa: E402 - see above
from blockbuster import blockbuster_ctx  # noqa: E402 - see above
from hypothesis import HealthCheck, settings  # noqa: E402 - see above
from tenacity import Retrying, stop_after_delay, wait_fixed  # noqa: E402 - see above

from tasks.core.isolation.client import stop_call_server  # noqa: E402 - see above
from tests.mysql import mysql  # noqa: E402 - see above
from tests.order import shared, spread  # noqa: E402 - see above
from tests.postgresql import postgresql  # noqa: E402 - see above

if TYPE_CHECKING:
    from xdist.remote import Producer
    from xdist.scheduler import LoadFileScheduling

    from tests.zygote import Zygote

__all__ = ["mysql", "postgresql"]

_READY_S = 180.0

# One profile for all property tests: how long an example takes on a machine that is busy says nothing.
settings.register_profile("tidemill", deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None)
settings.load_profile("tidemill")


def pytest_configure(config: pytest.Config) -> None:
    """Have processes take the files in our order: theirs ends with the files of one test, of which many take a minute."""
    config.option.loadscopereorder = False


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files that take long among the others."""
    places = spread(_file_of(item) for item in items)
    items.sort(key=lambda item: places[_file_of(item)])


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadFileScheduling:
    """Have one process take the files that share what takes long to make."""
    from xdist.scheduler import LoadFileScheduling  # noqa: PLC0415 - where tests run in processes alone

    scheduler = LoadFileScheduling(config, log)
    file_of = scheduler._split_scope
    scheduler._split_scope = lambda nodeid: shared(file_of(nodeid))
    return scheduler


def _file_of(item: pytest.Item) -> str:
    return item.nodeid.partition("::")[0]


@pytest.fixture(autouse=True, scope="module")
def _calls_end() -> Iterator[None]:
    """End the server of calls that the tests of a module may have begun, as those do that read an .xls: others look for processes that are left."""
    yield
    stop_call_server()


@pytest.fixture(autouse=True)
def _no_blocking_call() -> Iterator[None]:
    """Fail a test in which a module of tasks/ blocks the event loop; Prefect, called by one, resolves a path, and starts a thread with the first log."""
    with blockbuster_ctx("tasks") as blocking:
        for function in blocking.functions.values():
            function.can_block_in("prefect/results.py", "create_result_record")
            function.can_block_in("prefect/_internal/concurrency/services.py", "_new_instance")
            # Of a pool whose worker was killed: garbage, which is collected wherever the next bytes are asked for.
            function.can_block_in("multiprocessing/synchronize.py", "_cleanup")
        yield


@pytest.fixture(scope="session")
def prefect_server(request: pytest.FixtureRequest) -> Iterator[str]:
    """Yield the address of a real Prefect server, in use by this process and its children, for the whole session."""
    cache = getattr(request.config, "cache", None)  # none where the plugin is switched off
    os.environ["XDG_CACHE_HOME"] = str(cache.mkdir("home")) if cache else f"{_HOME.name}/cache"
    database = Path(_HOME.name) / "prefect.db"
    placed = place_database(database)
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", HOST, "--port", str(_PORT)]
    environment = {name: value for name, value in os.environ.items() if name != "PREFECT_API_URL"}
    server = subprocess.Popen(command, env={**environment, **SERVER_SETTINGS}, stdout=subprocess.DEVNULL)
    try:
        for attempt in Retrying(stop=stop_after_delay(_READY_S), wait=wait_fixed(0.2)):
            with attempt:
                httpx.get(f"{_API_URL}/health").raise_for_status()
        if not placed:
            keep_database(database)
        yield _API_URL
        _drain()
    finally:
        server.terminate()
        server.wait()


@pytest.fixture(scope="session")
def forked(prefect_server: str) -> Iterator[Zygote]:
    """Yield the process that stages to be killed are forked from: it takes seconds to start."""
    from tests.zygote import zygote  # noqa: PLC0415 - imports Prefect only where flows run

    assert prefect_server
    with zygote() as started:
        yield started


def _drain() -> None:
    """Send what Prefect's client has queued: with the server gone it would wait for it at exit."""
    from flows.cli.flush import flush  # noqa: PLC0415 - the same
    from flows.cli.prefect_api import PrefectApi  # noqa: PLC0415 - imports Prefect only where flows ran

    flush(PrefectApi(url=_API_URL), None)
