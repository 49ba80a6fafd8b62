"""An application served by a thread of the test's own process."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from starlette.types import ASGIApp

from deployments.sample.server import site_server


@contextmanager
def hosting(app: ASGIApp, listener: socket.socket) -> Iterator[None]:
    """Serve an application on a socket of `listen`, which is closed in the end."""
    server = site_server(app)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield
    finally:
        server.should_exit = True
        thread.join()
        listener.close()
