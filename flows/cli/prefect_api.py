"""One Prefect API for a run and all of its processes: the configured one, or a temporary server; and where its UI shows a run."""

from __future__ import annotations

import asyncio
import os
import secrets
import subprocess
import time
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from flows.cli.invocation import beside_python
from flows.cli.temporary_server import CONFIGURED, LOGIN
from tasks.core.child_process import first_line, start_child, stop_child
from tasks.core.errors import LostServerError, ServerError

_LOCAL_UI = "http://127.0.0.1:4200"  # where `prefect server start` serves unless told otherwise


def link_to_run(flow_run_id: str, *, temporary: bool) -> str:
    """Return what to do and open to see a flow run; the temporary server's runs outlive it in its database."""
    path = f"/runs/flow-run/{flow_run_id}"
    if temporary:
        return f"{beside_python('prefect')} server start, then open {_LOCAL_UI}{path}"
    from flows.automations import ui_address  # noqa: PLC0415 - heavy

    return f"{ui_address()}{path}"


_THIS_MACHINE = frozenset({"127.0.0.1", "localhost", "::1"})
_NO_AUTHORITY = Path(__file__).parent / "no_authority.pem"
WANT_A_KEY = frozenset({401, 403})  # which Prefect's own client has
LOOKS_EVERY_S, LOOK_S = 10.0, 5.0  # at a configured server while a run goes on
LOST_S = 60.0  # without an answer: a server that is started anew is there long before
READY_S = 90.0  # a first start migrates the database: 10 s here, more on a slow disk

SERVER_SETTINGS = {
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    # A server that stays does it when it starts; here it would import every Prefect integration that is installed.
    "PREFECT_SERVER_REGISTER_BLOCKS_ON_START": "false",
    "PREFECT_SERVER_MEMOIZE_BLOCK_AUTO_REGISTRATION": "false",  # else it imports them to see whether it must
    "PREFECT_SERVER_UI_API_URL": "/api",  # else the UI asks port 4200
    # Untuned, the recorder stores 25 task runs a second, and loses those it has not stored when the server stops.
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "200",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_READ_BATCH_SIZE": "200",
    # Whole seconds: Prefect 3.8 cuts a fraction off, and between flushes 0 s apart the server keeps a core busy for nothing.
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL": "1",
}
CLIENT_SETTINGS = {
    "PREFECT_SERVER_EPHEMERAL_ENABLED": "false",  # a process without the address fails, instead of starting a server
    # A failure is told once, in our words; Prefect's log, with its tracebacks, is in the UI and behind --verbose.
    "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
}


@dataclass
class PrefectApi:
    """The Prefect API of a run; `server` is the temporary server's process, None where one is configured."""

    server: subprocess.Popen[bytes] | None = None
    url: str = ""
    key: str = ""
    """What the temporary server asks of who asks it; Prefect's own client has it from the environment."""
    looked: float = 0.0
    silent_since: float | None = None
    """When a configured server was first found not to answer; None where it did when it was last looked at."""

    @property
    def ui(self) -> str:
        """Return the address of the UI; that of the temporary server's hands its key to the browser."""
        return self.url.removesuffix("/api") + (f"{LOGIN}#{self.key}" if self.key else "")

    @property
    def headers(self) -> dict[str, str]:
        """Return what a request of our own must have beside it."""
        return {"Authorization": f"Basic {b64encode(self.key.encode()).decode()}"} if self.key else {}

    @property
    def is_alive(self) -> bool:
        """Return whether the temporary server still runs, or the configured one has answered of late."""
        if self.server is not None:
            return self.server.poll() is None
        return self.silent_since is None or time.monotonic() - self.silent_since < LOST_S

    async def look(self) -> None:
        """Look, every ten seconds, whether a configured server answers, whatever it says."""
        if self.server is not None or time.monotonic() - self.looked < LOOKS_EVERY_S:
            return
        answers = await asyncio.to_thread(self.answers)
        self.looked = time.monotonic()
        self.silent_since = None if answers else self.silent_since or self.looked

    def answers(self) -> bool:
        """Return whether anybody answers at the address, whatever it says."""
        import httpx  # noqa: PLC0415 - as below

        try:
            httpx.get(f"{self.url}/health", timeout=LOOK_S)
        except httpx.HTTPError:
            return False
        return True

    @property
    def loss(self) -> LostServerError:
        """Return what is raised where the server is gone."""
        if self.server is None:
            return LostServerError(
                f"the Prefect server at {self.url} does not answer any more; what is finished is kept, start it "
                "(prefect server start), and run the command again to go on"
            )
        return LostServerError(
            f"the temporary Prefect server at {self.url} has ended before the run (exit code {self.server.returncode}); "
            "what is finished is kept, run the command again to go on"
        )

    def wait_until_ready(self) -> None:
        """Wait until the API answers: at once where it is configured, as soon as it is up where it is temporary.

        Raises:
            ServerError: nobody answers.

        """
        import httpx  # noqa: PLC0415 - takes a third of a second, and the server is to start before

        try:
            answer = httpx.get(f"{self.url}/health", timeout=READY_S)
            if answer.status_code not in WANT_A_KEY and answer.text != "true":
                raise ServerError(f"{self.url} answers, but is not a Prefect API; does the address end in /api?")
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise ServerError(self._explain(error)) from error

    def _explain(self, error: Exception) -> str:
        if self.server is None:
            return (
                f"the Prefect API at {self.url} cannot be reached ({error}); start it (prefect server start), or unset "
                "PREFECT_API_URL, in the environment or the profile, to run with a temporary server"
            )
        return (
            f"the temporary Prefect server at {self.url} did not start ({error}); "
            "look at what it says with: prefect server start"
        )


def client_settings(url: str) -> dict[str, str]:
    """Return what a client of the API at this address needs beside `CLIENT_SETTINGS`.

    Each client reads the 150 authorities that sign certificates, which takes 20 ms,
    also where the API is on this machine and speaks plain HTTP: there it reads one, that signs nothing.
    """
    try:
        address = urlsplit(url)
    except ValueError:  # whoever asks there first says what is wrong with it
        return {}
    if address.scheme != "http" or address.hostname not in _THIS_MACHINE:
        return {}
    return {"PREFECT_API_SSL_CERT_FILE": str(_NO_AUTHORITY)}


@contextmanager
def prefect_api(*, verbose: bool) -> Iterator[PrefectApi]:
    """Give this process and its children one Prefect API while the block runs.

    Must be entered before Prefect is imported: its settings are read once.
    """
    for name, value in CLIENT_SETTINGS.items():
        if not (verbose and "LOGGING" in name):
            os.environ.setdefault(name, value)
    with _find_api() as api:
        for name, value in client_settings(api.url).items():
            os.environ.setdefault(name, value)
        yield api


@contextmanager
def _find_api() -> Iterator[PrefectApi]:
    """Yield the configured API, or a temporary server's while the block runs."""
    if os.environ.get("PREFECT_API_URL"):
        yield PrefectApi(url=os.environ["PREFECT_API_URL"])
        return
    key = secrets.token_urlsafe()
    server = start_child(
        "flows.cli.temporary_server", environment={**SERVER_SETTINGS, "PREFECT_SERVER_API_AUTH_STRING": key}
    )
    try:
        said = first_line(server)
        if said.startswith(CONFIGURED):
            yield PrefectApi(url=said.removeprefix(CONFIGURED).strip())
        elif said:
            os.environ["PREFECT_API_URL"], os.environ["PREFECT_API_AUTH_STRING"] = said, key
            yield PrefectApi(server, said, key)
        else:
            raise ServerError(
                "the temporary Prefect server ended at once; look at what it says with: prefect server start"
            )
    finally:
        stop_child(server)
