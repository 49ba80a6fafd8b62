"""An S3 server on this machine, which processes of their own reach as they would reach a cloud's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Barrier, BrokenBarrierError, Event, Thread
from urllib.parse import urlsplit

import httpx
import pytest
import s3fs
from moto.server import ThreadedMotoServer

BUCKET = "tidemill"
_MEET_S = 60.0


@contextmanager
def serving_s3() -> Iterator[str]:
    """Yield the address of an empty bucket, for this process and those it starts."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    with pytest.MonkeyPatch.context() as patch:
        host, port = server.get_host_and_port()
        patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        patch.setenv("AWS_ACCESS_KEY_ID", "test")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        try:
            httpx.post(f"http://{host}:{port}/moto-api/reset").raise_for_status()  # a server before left its buckets
            s3fs.S3FileSystem.clear_instance_cache()
            s3fs.S3FileSystem().mkdir(BUCKET)
            yield f"s3://{BUCKET}"
        finally:
            server.stop()
            s3fs.S3FileSystem.clear_instance_cache()


def _set() -> Event:
    event = Event()
    event.set()
    return event


@dataclass
class Relay:
    """What lies between a store and those that ask it, and fails as a network does."""

    address: str
    is_down: bool = False
    """Whether each connection ends before it is answered."""
    lost_answers_of: str = ""
    """A part of the path of requests that are passed on, and whose next answer is lost."""
    answers: Event = field(default_factory=_set)
    """Whether what is written is answered; it waits until then."""
    has_held: Event = field(default_factory=Event)
    """Whether one was kept waiting."""
    puts_meet_at: str = ""
    """A part of the path of objects of which two puts are on their way at once: the first waits for the second."""
    meeting: Barrier = field(default_factory=lambda: Barrier(2, timeout=_MEET_S))
    asked: list[str] = field(default_factory=list)
    """The method and the path of each request."""

    @property
    def puts(self) -> int:
        """Return how many requests were to write an object."""
        return sum(each.startswith("PUT") for each in self.asked)


@contextmanager
def relaying(store: str) -> Iterator[Relay]:
    """Yield a relay to the store at an address."""
    host = urlsplit(store).netloc

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def pass_on(self) -> None:
            relay.asked.append(f"{self.command} {self.path}")
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if self.command == "PUT" and not relay.answers.is_set():
                relay.has_held.set()
                relay.answers.wait()
            if relay.is_down:
                self.close_connection = True
                return
            if self.command == "PUT" and relay.puts_meet_at and relay.puts_meet_at in self.path:
                with suppress(BrokenBarrierError):
                    relay.meeting.wait()
            there = HTTPConnection(host, timeout=60)
            there.request(self.command, self.path, body, dict(self.headers))
            answer = there.getresponse()
            told = answer.read()
            there.close()
            if relay.lost_answers_of and relay.lost_answers_of in self.path:
                relay.lost_answers_of, self.close_connection = "", True
                return
            self.send_response_only(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in ("transfer-encoding", "content-length", "connection"):
                    self.send_header(name, value)
            length = len(told) if self.command != "HEAD" else answer.getheader("Content-Length", "0")
            self.send_header("Content-Length", str(length))
            self.end_headers()
            self.wfile.write(told)

        do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = pass_on  # noqa: N815 - the names that the base class calls

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the base class' own
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    relay = Relay(f"http://127.0.0.1:{server.server_address[1]}")
    Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield relay
    finally:
        server.shutdown()
        server.server_close()
