"""The sample site's server: its socket, and uvicorn set to be quiet."""

from __future__ import annotations

import socket

import uvicorn
from starlette.types import ASGIApp

HOST = "127.0.0.1"
BACKLOG = 256


def listen(port: int) -> socket.socket:
    """Return a socket that listens on `port` of this machine; 0 takes a free one.

    Taken before the files are written, it shows at once that a port is taken.

    Raises:
        OSError: the port is taken or not allowed.
        OverflowError: there is no such port.

    """
    listener = socket.create_server((HOST, port), backlog=BACKLOG)
    # asyncio sets this only on sockets made with the number of the protocol, which
    # create_server leaves out; without it every answer waits 40 ms for an acknowledgement.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def site_server(site: ASGIApp) -> uvicorn.Server:
    """Return a server of the site that logs errors alone; run it with the socket of `listen`."""
    config = uvicorn.Config(
        site, log_level="error", access_log=False, lifespan="off", ws="none", timeout_graceful_shutdown=1
    )
    return uvicorn.Server(config)
