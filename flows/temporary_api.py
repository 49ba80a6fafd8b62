"""The Prefect API of one run, as a child process: `python -m flows.temporary_api`.

Its first line on standard output is `configured` and the address when the settings
already name an API, and then it ends; else it is the address it will serve. It ends
when its parent does.
"""

from __future__ import annotations

import socket

from flows.children import exit_with_parent

HOST = "127.0.0.1"
CONFIGURED = "configured"


def main() -> None:
    """Serve the Prefect API on a free port of this machine until the parent ends."""
    exit_with_parent()
    from prefect.settings import get_current_settings  # noqa: PLC0415 - a second of import: the watch comes first

    if configured := get_current_settings().api.url:
        print(CONFIGURED, configured, flush=True)
        return
    listener = socket.create_server((HOST, 0))
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # else every answer waits 40 ms
    print(f"http://{HOST}:{listener.getsockname()[1]}/api", flush=True)

    import uvicorn  # noqa: PLC0415 - the address is told first, so that the parent goes on meanwhile
    from prefect.server.api.server import create_app  # noqa: PLC0415 - the same

    server = uvicorn.Server(uvicorn.Config(create_app(), log_level="error", lifespan="on"))
    server.run(sockets=[listener])


if __name__ == "__main__":
    main()
