"""The temporary server: whom it answers, and what becomes of a run that loses it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, expect
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from flows.cli.prefect_api import SERVER_SETTINGS, PrefectApi
from flows.cli.temporary_server import LOGIN
from tasks.core.child_process import first_line, start_child, stop_child
from tests.flows.conftest import FLIGHTS, Tidemill, group_is_gone, read_until
from tests.flows.test_run import copy_database, inbox  # noqa: F401 - a fixture
from tests.flows.test_ui import needs_chromium, page  # noqa: F401 - a fixture
from tests.processes import children, command_of
from tests.thorough import takes_minutes

pytestmark = pytest.mark.flow

KEY = "k3y-of-the-test"
IMPORTED = "imported"
LOST_S = 30.0  # far below the minutes that Prefect's client asks on, and above what a busy machine takes
_SHOWN_MS = 60_000


@pytest.fixture(scope="module")
def server(prefect_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrefectApi]:
    """Yield a temporary server with a key, in whose Python a Prefect integration is installed that tells of its import."""
    assert prefect_server
    folder = tmp_path_factory.mktemp("temporary")
    home = folder / "prefect"
    copy_database(Path(os.environ["PREFECT_HOME"]), home)
    own = {"PREFECT_API_URL": "", "PREFECT_HOME": str(home), "PREFECT_SERVER_API_AUTH_STRING": KEY}
    environment = {**SERVER_SETTINGS, **own, "PYTHONPATH": install_integration(folder)}
    child = start_child("flows.cli.temporary_server", environment=environment)
    try:
        api = PrefectApi(child, first_line(child), KEY)
        api.wait_until_ready()
        yield api
    finally:
        stop_child(child)


def install_integration(folder: Path) -> str:
    """Install a Prefect integration that writes a file when it is imported; return its path for Python."""
    package = folder / "packages" / "prefect_telling-1.0.dist-info"
    package.mkdir(parents=True)
    package.joinpath("METADATA").write_text("Metadata-Version: 2.1\nName: prefect-telling\nVersion: 1.0\n")
    package.joinpath("entry_points.txt").write_text("[prefect.collections]\nprefect_telling = prefect_telling\n")
    told = folder / IMPORTED
    package.with_name("prefect_telling.py").write_text(f"open({str(told)!r}, 'w').close()\n")
    return os.pathsep.join(filter(None, (str(package.parent), os.environ.get("PYTHONPATH"))))


def test_it_imports_no_integration(server: PrefectApi, tmp_path_factory: pytest.TempPathFactory) -> None:
    """What is installed beside Prefect is not imported: it is of no use to a run, and some take seconds."""
    assert server.is_alive

    assert list(tmp_path_factory.getbasetemp().glob("temporary*/prefect")) != []
    assert list(tmp_path_factory.getbasetemp().glob(f"temporary*/{IMPORTED}")) == []


def test_it_answers_who_has_the_key(server: PrefectApi) -> None:
    """Without the key, or with another, nothing is told and nothing is done."""
    query = f"{server.url}/flow_runs/filter"
    wrong = PrefectApi(key="another").headers

    answers = [httpx.post(query, json={}, headers=headers).status_code for headers in ({}, wrong, server.headers)]

    assert answers == [401, 401, 200]


def test_its_streams_ask_for_the_key(server: PrefectApi) -> None:
    """A websocket with another key is closed."""
    address = server.url.replace("http", "ws") + "/events/in"

    with connect(address, subprotocols=["prefect"]) as stream:  # type: ignore[list-item]
        stream.send('{"type": "auth", "token": "another"}')
        with pytest.raises(ConnectionClosed):
            stream.recv(timeout=60)


def test_a_page_of_another_site_may_read_nothing(server: PrefectApi) -> None:
    """No answer allows another origin, before the request or with it; its own it allows."""
    site = server.url.removesuffix("/api")
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}

    def allowed(origin: str) -> list[str | None]:
        headers = {"Origin": origin, **asked}
        before = httpx.options(f"{server.url}/flow_runs/filter", headers=headers)
        answer = httpx.get(f"{server.url}/health", headers={"Origin": origin})
        return [response.headers.get("access-control-allow-origin") for response in (before, answer)]

    assert [allowed(origin) for origin in ("http://evil.example", "null", "http://127.0.0.1:1", site)] == [
        [None, None],
        [None, None],
        [None, None],
        [site, site],
    ]


@pytest.mark.parametrize("host", ["evil.example", "evil.example:4200", "127.0.0.1.evil.example", ""])
def test_a_name_that_is_not_this_machines_is_refused(server: PrefectApi, host: str) -> None:
    """A site whose name leads to this machine is not taken for it, whatever it asks for."""
    site = server.url.removesuffix("/api")

    answers = [httpx.get(f"{site}{path}", headers={"Host": host}).status_code for path in ("/api/health", "/", LOGIN)]

    assert answers == [400, 400, 400]


@pytest.mark.browser
@needs_chromium
def test_the_address_that_is_printed_opens_the_ui(server: PrefectApi, page: Page) -> None:  # noqa: F811 - the fixture
    """The browser is handed the key, and the key does not stay in the address; without it the UI asks for it."""
    site = server.url.removesuffix("/api")
    page.goto(site)
    expect(page.locator("input[type=password]")).to_be_visible(timeout=_SHOWN_MS)

    page.goto(server.ui)

    expect(page.get_by_role("link", name="Deployments").first).to_be_visible(timeout=_SHOWN_MS)
    assert KEY not in page.url


@takes_minutes("it waits for what is lost")
def test_a_run_that_loses_its_server_ends_with_one_sentence(
    tidemill: Tidemill,
    inbox: Path,  # noqa: F811 - the fixture
    tmp_path: Path,
) -> None:
    """The run, its processes and what it waits for end within seconds, with exit code 1; what has landed is kept."""
    home = tmp_path / "prefect"
    copy_database(Path(os.environ["PREFECT_HOME"]), home)
    tidemill.environment |= {"PREFECT_API_URL": "", "PREFECT_HOME": str(home)}
    process = tidemill.start("run", FLIGHTS, "--data", inbox, "--only", "ingest")
    told = read_until(process, "ingest +weather")
    os.kill(server_of(process), signal.SIGKILL)

    gone = group_is_gone(process, LOST_S)

    told += process.stdout.read() if process.stdout else ""
    errors = [line for line in told.splitlines() if line.startswith("error: ")]
    assert (gone, process.returncode) == (True, 1), told
    assert len(errors) == 1
    assert re.fullmatch(
        r"error: the temporary Prefect server at http://127.0.0.1:\d+/api has ended before the run \(exit code -9\); "
        "what is finished is kept, run the command again to go on",
        errors[0],
    )
    assert "Traceback" not in told
    assert not list(inbox.rglob("*.part"))


def server_of(process: subprocess.Popen[str]) -> int:
    """Return the number of a command's temporary server."""
    for child in children(process.pid):
        if "flows.cli.temporary_server" in command_of(child):
            return child
    raise AssertionError("the command has no temporary server")
