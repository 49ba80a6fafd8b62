"""The server that ingest is measured against, in a process of its own: `python -m tests.benchmarks.server`.

Its first line on standard output is its address. `/<mode>/<pages>?page=N` answers
page N of so many after 20 ms, `?part=P&page=N` that of a part of its own;
`/counts` tells how it answered in each second. Given a folder it speaks TLS, with
a certificate that it writes there.
The modes: `plain`; `sitemap`, which answers with a sitemap of so many addresses of
the mode `html`, of web pages with the same items; `above-40-in-flight` and `above-200-a-second`, of which the
latter two answer 429 at once to what is above.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import sys
from collections import Counter, deque
from functools import cache
from pathlib import Path

from flows.cli.temporary_server import HOST
from tasks.core.child_process import exit_with_parent
from tests.site.raw import self_signed

LATENCY_S = 0.020
PAGE_ITEMS = 20
MAX_IN_FLIGHT = 40
MAX_PER_S = 200

PLAIN = "plain"
SITEMAP = "sitemap"
HTML = "html"
ABOVE_IN_FLIGHT = f"above-{MAX_IN_FLIGHT}-in-flight"
ABOVE_PER_S = f"above-{MAX_PER_S}-a-second"

_REASONS = {200: b"OK", 404: b"Not Found", 429: b"Too Many Requests"}
_PAGE = b"tasks.convert.formats."  # stands for the page's number in a template


class Answers:
    """What all connections share: the requests in flight, and how many were answered in each second."""

    def __init__(self) -> None:
        self.in_flight = 0
        self._accepted: deque[float] = deque()
        self._first_at: float | None = None
        self._seconds: list[Counter[int]] = []

    def refuses(self, mode: str, now: float) -> bool:
        """Return whether a request is above its mode's limit; one that is not counts against the limit from now on."""
        if mode == ABOVE_IN_FLIGHT:
            return self.in_flight >= MAX_IN_FLIGHT
        if mode == ABOVE_PER_S:
            while self._accepted and self._accepted[0] <= now - 1.0:
                self._accepted.popleft()
            if len(self._accepted) >= MAX_PER_S:
                return True
            self._accepted.append(now)
        return False

    def note(self, status: int, now: float) -> None:
        """Count an answer in its second, from the first request on."""
        if self._first_at is None:
            self._first_at = now
        second = int(now - self._first_at)
        while len(self._seconds) <= second:
            self._seconds.append(Counter())
        self._seconds[second][status] += 1

    def dump(self) -> bytes:
        """Return the counts of each second by status, as JSON."""
        return json.dumps(self._seconds).encode()


class _Connection(asyncio.Protocol):
    """Reads requests without a body and answers each; keeps the connection."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers
        self._loop = asyncio.get_running_loop()
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        *heads, self._buffer = (self._buffer + data).split(b"\r\n\r\n")
        for head in heads:
            self._take(head.split(b" ", 2)[1].decode())

    def _take(self, target: str) -> None:
        path, _, query = target.partition("?")
        if path == "/counts":
            self._write(200, self._answers.dump())
            return
        _, mode, pages = path.split("/")
        if mode == SITEMAP:
            self._loop.call_later(LATENCY_S, self._answer, 200, self._sitemap(int(pages)))
            return
        if self._answers.refuses(mode, self._loop.time()):
            self._answer(429, b'{"error": "too many"}')
            return
        self._answers.in_flight += 1
        part, _, number = query.rpartition("page=")
        self._loop.call_later(LATENCY_S, self._answer_page, int(pages), int(number), part[len("part=") : -1], mode)

    def _sitemap(self, pages: int) -> bytes:
        """Return a sitemap of so many pages."""
        host, port = self._transport.get_extra_info("sockname")[:2]
        page = f"http://{host}:{port}/{HTML}/{pages}?page="
        urls = "".join(f"<url><loc>{page}{number}</loc></url>" for number in range(1, pages + 1))
        return f'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{urls}</urlset>'.encode()

    def _answer_page(self, pages: int, page: int, part: str, mode: str) -> None:
        self._answers.in_flight -= 1
        if 1 <= page <= pages:
            name = f"{part}-{page}" if part else f"{page}"
            template = _html_template() if mode == HTML else _template(pages)
            self._answer(200, template.replace(_PAGE, name.encode()))
        else:
            self._answer(404, b'{"error": "no such page"}')

    def _answer(self, status: int, body: bytes) -> None:
        self._answers.note(status, self._loop.time())
        self._write(status, body)

    def _write(self, status: int, body: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(
                b"HTTP/1.1 %d %b\r\nContent-Type: %b\r\nContent-Length: %d\r\n\r\n%b"
                % (status, _REASONS[status], _kind_of(body), len(body), body)
            )


def _kind_of(body: bytes) -> bytes:
    return (
        b"application/xml" if body.startswith(b"<urlset") else b"text/html" if body[:1] == b"<" else b"application/json"
    )


@cache
def _html_template() -> bytes:
    """Return the body of every web page; the place of its number is marked."""
    page = _PAGE.decode()
    rows = "".join(
        f"<li><b class=id>{page}-{i}</b><i class=name>item {i} of page {page}</i><i class=price>{i * 1.5}</i></li>"
        for i in range(PAGE_ITEMS)
    )
    return f"<!DOCTYPE html><html><head><title>{page}</title></head><body><ul>{rows}</ul></body></html>".encode()


@cache
def _template(pages: int) -> bytes:
    """Return the body of every page of so many; the place of its number is marked."""
    page = _PAGE.decode()
    items = [
        {
            "id": f"{page}-{i}",
            "name": f"item {i} of page {page}",
            "price": i * 1.5,
            "stock": i * 7,
            "when": "2013-01-01",
        }
        for i in range(PAGE_ITEMS)
    ]
    return json.dumps({"pages": pages, "items": items}).encode()


async def _serve(tls: ssl.SSLContext | None) -> None:
    answers = Answers()
    server = await asyncio.get_running_loop().create_server(lambda: _Connection(answers), HOST, 0, ssl=tls)
    print(f"{'http' if tls is None else 'https'}://{HOST}:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


def main() -> None:
    """Serve on a free port of this machine until the parent ends."""
    exit_with_parent()
    asyncio.run(_serve(self_signed(Path(sys.argv[1])) if sys.argv[1:] else None))


if __name__ == "__main__":
    main()
