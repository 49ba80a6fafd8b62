#!/usr/bin/env bash
# pyreqwest 0.15.1: a request that asyncio cancels goes on: its connection stays open, and closing the client does not end it.
# Expected: as with aiohttp and httpx, a cancelled request closes its connection; so does a time limit around it.
# Seen: the server sees no end, however long the answer takes; each limit that passes leaves a connection and a descriptor.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" -q --disable-pip-version-check install pyreqwest==0.15.1 aiohttp==3.14.5
"$work/venv/bin/python" - <<'PY'
import asyncio
from contextlib import suppress

import aiohttp
from pyreqwest.client import ClientBuilder

PATIENCE_S = 10.0


async def ends_with_its_task(ask):
    """Return whether the server sees the end of a connection whose request was cancelled."""
    asked, ended = asyncio.Event(), asyncio.Event()

    async def answer_never(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        asked.set()
        with suppress(asyncio.CancelledError):
            await reader.read()
            ended.set()
        writer.close()

    server = await asyncio.start_server(answer_never, "127.0.0.1", 0)
    task = asyncio.create_task(ask(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"))
    await asyncio.wait_for(asked.wait(), PATIENCE_S)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    try:
        await asyncio.wait_for(ended.wait(), PATIENCE_S)
    except TimeoutError:
        return False
    return True


async def by_aiohttp(url):
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        await response.read()


async def by_pyreqwest(url):
    async with ClientBuilder().no_proxy().build() as client, client.get(url).build_streamed() as response:
        await response.bytes()


async def compare():
    return [await ends_with_its_task(ask) for ask in (by_aiohttp, by_pyreqwest)]


found = asyncio.run(compare())
print(f"the connection of a cancelled request ends within {PATIENCE_S:g} s: aiohttp {found[0]}, pyreqwest {found[1]}")
assert found == [True, False], "no longer so"
PY
