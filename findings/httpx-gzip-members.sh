#!/usr/bin/env bash
# httpx 0.28.1: of a body of two gzip members one after the other, everything after the first member is gone.
# Expected: both. RFC 1952 says that members simply follow one another in a file, and Content-Encoding: gzip is that format.
# Seen: response.content is the first member alone, and no error, although Content-Length bytes have come; aiohttp, and requests
# by urllib3, give both.
# It meets whoever fetches logs and exports that are put together of compressed pieces, as `cat a.gz b.gz` and bgzip make them.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" -q --disable-pip-version-check install httpx==0.28.1 aiohttp==3.14.5 requests==2.34.2 urllib3==2.8.0
"$work/venv/bin/python" - <<'PY'
import asyncio
import gzip
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import aiohttp
import httpx
import requests

BODY = gzip.compress(b"1,first\n") + gzip.compress(b"2,second\n")


class Compressed(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(BODY)))
        self.end_headers()
        self.wfile.write(BODY)

    def log_message(self, *_):
        pass


async def by_aiohttp(address):
    async with aiohttp.ClientSession() as session, session.get(address) as response:
        return await response.read()


with ThreadingHTTPServer(("127.0.0.1", 0), Compressed) as server:
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_address[1]}/"
    read = {
        "httpx": httpx.get(address, trust_env=False).content,
        "aiohttp": asyncio.run(by_aiohttp(address)),
        "requests": requests.get(address, timeout=30).content,
    }
    server.shutdown()
print(f"httpx {httpx.__version__}, aiohttp {aiohttp.__version__}, requests {requests.__version__}: {read}")
whole = gzip.decompress(BODY)
assert read == {"httpx": b"1,first\n", "aiohttp": whole, "requests": whole}, "no longer so"
PY
