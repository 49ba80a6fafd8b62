"""Answers read whole: within a time, within a size, and without the secrets that were sent."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterable, AsyncIterator

import aiohttp
import httpx

from tasks.errors import PermanentSourceError
from tasks.ingest.hiding import Secrets
from tasks.ingest.retry import MayPassError
from tasks.ingest.tally import account_of
from tasks.spec import Requests

TRANSPORT_ERRORS = (httpx.TransportError, httpx.DecodingError, aiohttp.ClientError, TimeoutError, OSError)
_SLICE_BYTES = 8 * 1024  # a slice of a gzip bomb grows to 8 MiB at most before it is seen
_AS_SENT = ("Content-Encoding", "Content-Length", "Transfer-Encoding")  # no longer true of the body


class UnreachableError(MayPassError):
    """One attempt found nobody at the host's address."""


class WholeTransport(httpx.AsyncBaseTransport):
    """Makes one attempt at a request, and returns its answer read to the end and decompressed."""

    def __init__(self, inner: httpx.AsyncBaseTransport, requests: Requests, secrets: Secrets) -> None:
        self._inner = inner
        self._requests = requests
        self._secrets = secrets

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Return the whole answer.

        Raises:
            MayPassError: no whole answer came, in a way that the next attempt may change.
            PermanentSourceError: the address is no HTTP server's, or the body is too large.

        """
        try:
            async with asyncio.timeout(self._requests.timeout_s):
                response = await self._inner.handle_async_request(request)
                stream = response.stream
                assert isinstance(stream, httpx.AsyncByteStream)
                try:
                    body = await self._read(response, stream, request)
                finally:
                    await stream.aclose()
        except TimeoutError as error:
            raise MayPassError(f"no whole answer within {self._requests.timeout_s:g} s") from error
        except (httpx.UnsupportedProtocol, httpx.InvalidURL, UnicodeError) as error:
            raise PermanentSourceError(f"{account_of(request).said}: {error}; correct the address") from error
        except TRANSPORT_ERRORS as error:
            raise _explain(error, request) from error
        account_of(request).tally.body_bytes += len(body)
        return self._hide(response, body)

    def _hide(self, response: httpx.Response, body: bytes) -> httpx.Response:
        """Return the answer with its body, which is no longer as sent, and without secrets."""
        if "Content-Encoding" in response.headers:
            for name in _AS_SENT:
                response.headers.pop(name, None)
        if self._secrets:
            body = self._secrets.hide_bytes(body)
            for name, value in response.headers.multi_items():
                if (hidden := self._secrets.hide(value)) != value:
                    response.headers[name] = hidden
        response.stream = httpx.ByteStream(body)
        response.read()
        return response

    async def _read(self, response: httpx.Response, sent: httpx.AsyncByteStream, request: httpx.Request) -> bytes:
        """Return the body, decompressed."""
        most = self._requests.max_body_bytes
        told = response.headers.get("Content-Length", "")
        if told.isdigit() and int(told) > most:
            raise _too_large(request, most, f"Content-Length is {int(told):,}")
        stream: AsyncIterable[bytes] = sent
        encoded = "Content-Encoding" in response.headers
        if encoded:
            sliced = _Sliced(sent)
            stream = httpx.Response(response.status_code, headers=response.headers, stream=sliced).aiter_bytes()
        parts, size = [], 0
        async for part in stream:
            size += len(part)
            if size > most:
                raise _too_large(request, most, "it goes on after decompression" if encoded else "it goes on")
            parts.append(part)
        return b"".join(parts)


class _Sliced(httpx.AsyncByteStream):
    """A body as sent, in slices so small that none is large when decompressed."""

    def __init__(self, stream: httpx.AsyncByteStream) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._stream:
            for start in range(0, len(chunk), _SLICE_BYTES):
                yield chunk[start : start + _SLICE_BYTES]


def _too_large(request: httpx.Request, most: int, how: str) -> PermanentSourceError:
    return PermanentSourceError(
        f"{account_of(request).said}: the body is larger than requests.max_body_bytes ({most:,}): {how}; "
        "ask for smaller pages, or raise max_body_bytes"
    )


def _explain(error: BaseException, request: httpx.Request) -> Exception:
    """Return what a failure of the transport means; httpx-aiohttp makes a ConnectTimeout of any failure to connect, its cause tells."""
    cause, url = error.__cause__, request.url
    if isinstance(cause, aiohttp.ClientConnectorDNSError) and _is_unknown(cause):
        return PermanentSourceError(f"{account_of(request).said}: no host has the name {url.host}; correct the address")
    if isinstance(cause, aiohttp.ClientConnectorCertificateError | aiohttp.ClientConnectorSSLError):
        return PermanentSourceError(
            f"{account_of(request).said}: the host's certificate is not to be trusted ({cause}); correct the address, or have the host mended"
        )
    if isinstance(cause, aiohttp.ClientConnectorError):
        return UnreachableError(f"the host {url.host}:{url.port or url.scheme} cannot be reached ({error})")
    return MayPassError(f"the connection broke ({str(error) or type(error).__name__})")


def _is_unknown(error: aiohttp.ClientConnectorDNSError) -> bool:
    """Return whether the name service knows that there is no such name, rather than being out of reach itself."""
    return error.os_error.errno in (socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME))
