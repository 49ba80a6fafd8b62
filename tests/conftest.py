"""What every test may use: a Prefect server for the session, and no blocking call on an event loop."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator

# Before anything imports Prefect: its settings are read once, and tests leave nothing in the home folder.
_HOME = tempfile.TemporaryDirectory(prefix="tidemill-tests-", ignore_cleanup_errors=True)
os.environ.update(
    PREFECT_HOME=_HOME.name,
    DO_NOT_TRACK="1",
    PREFECT_SERVER_ANALYTICS_ENABLED="false",
    PREFECT_SERVER_EPHEMERAL_ENABLED="false",
    PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL="CRITICAL",
)
for _name in ("PREFECT_API_URL", "PREFECT_PROFILE", "SAMPLE_SITE", "SAMPLE_TOKEN"):
    os.environ.pop(_name, None)

import pytest  # noqa: E402 - see above
from blockbuster import blockbuster_ctx  # noqa: E402 - see above

from flows.api import prefect_api  # noqa: E402 - see above


@pytest.fixture(autouse=True)
def _no_blocking_call() -> Iterator[None]:
    """Fail a test in which a module of tasks/ blocks the event loop."""
    with blockbuster_ctx("tasks"):
        yield


@pytest.fixture(scope="session")
def prefect_server() -> Iterator[str]:
    """Yield the address of a real Prefect server, in use by this process and its children, for the whole session."""
    with prefect_api(verbose=False) as api:
        from prefect.settings import PREFECT_API_URL, temporary_settings  # noqa: PLC0415 - after the address is known

        from flows.drain import drain  # noqa: PLC0415 - the same

        api.wait_until_ready()
        with temporary_settings({PREFECT_API_URL: api.url}):
            yield api.url
            drain(api, None)
    os.environ.pop("PREFECT_API_URL", None)
