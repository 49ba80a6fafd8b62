"""Applications, and what takes what is posted, served by a thread of the test's own process."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

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


@contextmanager
def receiving(take: Callable[[str, bytes], None]) -> Iterator[str]:
    """Yield an address of this machine; `take` is called with the path and the body of each POST while the block runs."""

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            take(self.path, self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
