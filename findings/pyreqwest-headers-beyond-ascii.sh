#!/usr/bin/env bash
# pyreqwest 0.15.1: one header of an answer with a letter beyond ASCII makes all of its headers unreadable.
# Expected: obsolete as such a value is (RFC 9110, 5.5), the others are read; aiohttp and httpx read it too.
# Seen: headers.items() raises ValueError ("failed to convert header to a str"), so does its transport for httpx at such an answer.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" -q --disable-pip-version-check install pyreqwest==0.15.1 httpx==0.28.1
"$work/venv/bin/python" - <<'PY'
import asyncio

import httpx
from pyreqwest.client import ClientBuilder
from pyreqwest.compatibility.httpx import HttpxTransport

ANSWER = "HTTP/1.1 200 OK\r\nX-Place: Zürich\r\nContent-Length: 2\r\n\r\n[]".encode()


async def answer(reader, writer):
    await reader.readuntil(b"\r\n\r\n")
    writer.write(ANSWER)
    await writer.drain()
    writer.close()


async def ask(url, transport):
    async with httpx.AsyncClient(transport=transport) as client:
        try:
            return (await client.get(url)).headers["X-Place"]
        except ValueError as error:
            return str(error)


async def compare():
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    plain = HttpxTransport(ClientBuilder().no_proxy().build())
    return [await ask(url, transport) for transport in (httpx.AsyncHTTPTransport(), plain)]


found = asyncio.run(compare())
print(f"httpx: {found[0]}; pyreqwest under httpx: {found[1]}")
assert found == ["Zürich", "failed to convert header to a str"], "no longer so"
PY
