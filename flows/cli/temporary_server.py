"""The Prefect API of one run, as a child process: `python -m flows.cli.temporary_server`.

Its first line on standard output is `configured` and the address when the settings
already name an API, and then it ends; else it is the address it will serve. It ends
when its parent does.

It answers this machine alone, and nobody without the key that its parent hands it in
the environment: other users of the machine, and pages in a browser, could start runs
and read what runs have told. A page of another site is given nothing either way: no
answer says that it may read it, and a name that leads here is not taken for this
machine's.
"""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

from tasks.core.child_process import exit_with_parent
from tasks.core.garbage_collection import collect_seldom, exit_with

if TYPE_CHECKING:
    from starlette.types import ASGIApp

HOST = "127.0.0.1"
CONFIGURED = "configured"
LOGIN = "/login-with-key"  # what stands after # in an address, the key, is not sent
# Where Prefect's UI, both versions of it, keeps what it asks for.
_LOGIN_PAGE = """<!doctype html><title>Prefect</title><script>
localStorage.setItem("prefect-password", btoa(location.hash.slice(1))); location.replace("/");
</script>"""


def main() -> int:
    """Serve the Prefect API on a free port of this machine until the parent ends; return the exit code."""
    exit_with_parent()
    collect_seldom()
    listener = socket.create_server((HOST, 0))
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # else every answer waits 40 ms
    site = f"http://{HOST}:{listener.getsockname()[1]}"
    os.environ["PREFECT_SERVER_API_CORS_ALLOWED_ORIGINS"] = site  # else pages of any site may read the answers
    from prefect.settings import get_current_settings  # noqa: PLC0415 - a second of import: the watch comes first

    if configured := get_current_settings().api.url:
        print(CONFIGURED, configured, flush=True)
        return 0
    print(f"{site}/api", flush=True)

    import uvicorn  # noqa: PLC0415 - the address is told first, so that the parent goes on meanwhile
    from prefect.server.api.server import create_app  # noqa: PLC0415 - the same
    from prefect.settings import PREFECT_API_DATABASE_MIGRATE_ON_START, temporary_settings  # noqa: PLC0415 - the same

    from flows.cli.prefect_database import migrate_database  # noqa: PLC0415 - the same
    from tasks.core.unread_output import let_consoles_end  # noqa: PLC0415 - the same

    let_consoles_end()
    known = {PREFECT_API_DATABASE_MIGRATE_ON_START: False} if migrate_database() else {}
    with temporary_settings(known):
        server = uvicorn.Server(uvicorn.Config(_guard(create_app()), log_level="error", lifespan="on"))
        server.run(sockets=[listener])
    return 0


def _guard(app: ASGIApp) -> ASGIApp:
    """Return an application that is asked by the names of this machine alone, and has a page that hands the UI the key."""
    from starlette.applications import Starlette  # noqa: PLC0415 - as above
    from starlette.middleware.trustedhost import TrustedHostMiddleware  # noqa: PLC0415 - as above
    from starlette.responses import HTMLResponse  # noqa: PLC0415 - as above
    from starlette.routing import Mount, Route  # noqa: PLC0415 - as above

    assert isinstance(app, Starlette)
    login = Route(LOGIN, lambda _: HTMLResponse(_LOGIN_PAGE))
    outer = Starlette(routes=[login, Mount("/", app)], lifespan=app.router.lifespan_context)
    return TrustedHostMiddleware(outer, allowed_hosts=[HOST, "localhost"])


if __name__ == "__main__":
    exit_with(main)
