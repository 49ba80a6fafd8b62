#!/usr/bin/env bash
# aiohttp 3.14 (by yarl): an address is not asked for as it was given: %3A becomes :, %7E becomes ~.
# Expected: the path of a link that a server handed out is sent byte for byte, as browsers, curl and httpx send it.
# Seen: the server gets another path; one that signs its links, or keeps keys in them, answers 403 or 404.
# yarl.URL(address, encoded=True) sends it as it is.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" -q --disable-pip-version-check install aiohttp==3.14.5 yarl==1.25.1 httpx==0.28.1
"$work/venv/bin/python" - <<'PY'
import asyncio
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import aiohttp
import httpx
import yarl

paths = []


class Paths(BaseHTTPRequestHandler):
    def do_GET(self):
        paths.append(self.path)
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


server = HTTPServer(("127.0.0.1", 0), Paths)
Thread(target=server.serve_forever, daemon=True).start()
address = f"http://127.0.0.1:{server.server_port}/a%3Ab/%7Eu"


async def ask():
    async with aiohttp.ClientSession() as session:
        for url in (address, yarl.URL(address, encoded=True)):
            async with session.get(url):
                pass


asyncio.run(ask())
httpx.get(address)
server.shutdown()
print(f"aiohttp {aiohttp.__version__}, yarl {yarl.__version__}: {paths[0]}; encoded=True: {paths[1]}; httpx {httpx.__version__}: {paths[2]}")
assert paths == ["/a:b/~u", "/a%3Ab/%7Eu", "/a%3Ab/%7Eu"], "no longer so"
PY
