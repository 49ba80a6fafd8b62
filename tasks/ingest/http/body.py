"""Answers read whole: within a time, and within a size."""

from __future__ import annotations

import asyncio
import socket
import ssl
import zlib
from collections.abc import AsyncIterable

import aiohttp
import httpx

from tasks.config import Requests
from tasks.core.errors import PermanentSourceError
from tasks.ingest.http.decompression import Decompression, UnknownCodingError
from tasks.ingest.http.requests import context_of
from tasks.ingest.http.retries import TransientError

_TRANSPORT_ERRORS = (httpx.TransportError, aiohttp.ClientError, OSError)
_AS_SENT = ("Content-Encoding", "Content-Length", "Transfer-Encoding")  # no longer true of the body


class UnreachableError(TransientError):
    """One attempt found nobody at the host's address."""


class BodyTransport(httpx.AsyncBaseTransport):
    """Makes one attempt at a request, and returns its answer read to the end and decompressed."""

    def __init__(self, inner: httpx.AsyncBaseTransport, requests: Requests) -> None:
        self._inner = inner
        self._requests = requests

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Return the whole answer.

        Raises:
            TransientError: no whole answer came, in a way that the next attempt may change.
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
            raise TransientError(f"no whole answer within {self._requests.timeout_s:g} s") from error
        except (httpx.UnsupportedProtocol, httpx.InvalidURL, UnicodeError) as error:
            raise PermanentSourceError(f"{context_of(request).label}: {error}; correct the address") from error
        except UnknownCodingError as error:
            raise PermanentSourceError(
                f"{context_of(request).label} answered in a coding that was not asked for: {error}"
            ) from error
        except zlib.error as error:
            raise TransientError(f"the body cannot be decompressed ({error})") from error
        except _TRANSPORT_ERRORS as error:
            raise _explain(error, request) from error
        finally:
            context_of(request).end_body()
        context_of(request).stats.body_bytes += len(body)
        if "Content-Encoding" in response.headers:
            for name in _AS_SENT:
                response.headers.pop(name, None)
        response.stream = httpx.ByteStream(body)
        response.read()
        return response

    async def _read(self, response: httpx.Response, sent: AsyncIterable[bytes], request: httpx.Request) -> bytes:
        """Return the body, decompressed."""
        most = self._requests.max_body_bytes
        told = response.headers.get("Content-Length", "")
        if told.isdecimal() and int(told) > most:
            raise _too_large(request, most, f"Content-Length is {int(told):,}")
        encoding = response.headers.get("Content-Encoding")
        if encoding is not None:
            return await _decompress(sent, Decompression(encoding), request, most)
        parts, size, account = [], 0, context_of(request)
        async for part in sent:
            account.add(len(part))
            size += len(part)
            if size > most:
                raise _too_large(request, most, "it goes on")
            parts.append(part)
        return b"".join(parts)


async def _decompress(sent: AsyncIterable[bytes], undone: Decompression, request: httpx.Request, most: int) -> bytes:
    """Return a body that was sent compressed; neither it nor what it becomes may be too large."""
    parts, size, sent_bytes, account = [], 0, 0, context_of(request)
    async for chunk in sent:
        account.add(len(chunk))
        sent_bytes += len(chunk)
        if sent_bytes > most:  # before it is fed: some codings give nothing until the body has ended
            raise _too_large(request, most, "it goes on")
        for part in undone.feed(chunk):
            size += len(part)
            if size > most:
                raise _too_large(request, most, "it goes on after decompression")
            parts.append(part)
    for part in undone.end():
        size += len(part)
        if size > most:
            raise _too_large(request, most, "it goes on after decompression")
        parts.append(part)
    return b"".join(parts)


def _too_large(request: httpx.Request, most: int, how: str) -> PermanentSourceError:
    return PermanentSourceError(
        f"{context_of(request).label}: the body is larger than requests.max_body_bytes ({most:,}): {how}; "
        "ask for smaller pages, or raise max_body_bytes"
    )


def _explain(error: BaseException, request: httpx.Request) -> Exception:
    """Return what a failure of the transport means; httpx-aiohttp makes a ConnectTimeout of any failure to connect, its cause tells."""
    cause, url, asked = error.__cause__, request.url, context_of(request).label
    match cause:
        case aiohttp.ClientHttpProxyError() | aiohttp.ClientConnectorError() if _is_of_proxy(cause, url):
            return _explain_proxy(cause, url)
        case aiohttp.ClientConnectorDNSError() if _is_unknown(cause):
            return PermanentSourceError(f"{asked}: no host has the name {url.host}; correct the address")
        case aiohttp.ClientConnectorCertificateError():
            why = cause.certificate_error
            reason = why.verify_message if isinstance(why, ssl.SSLCertVerificationError) else str(why)
            return PermanentSourceError(
                f"{asked}: the certificate of {url.host} is not to be trusted ({reason}); "
                "correct the address, or have the host's certificate mended"
            )
        case aiohttp.ClientConnectorSSLError():
            return PermanentSourceError(
                f"{asked}: {url.host} does not speak TLS as it should ({_reason(cause)}); correct the address"
            )
        case aiohttp.ClientConnectorError():
            return UnreachableError(
                f"the host {url.host}:{url.port or url.scheme} cannot be reached ({_reason(cause)})"
            )
    # What is no HTTP is quoted in further lines, and the address with what proves who asks.
    said = error.message if isinstance(error, aiohttp.ClientResponseError) else str(error)
    first = said.partition("\n")[0].removesuffix(":")
    return TransientError(f"the connection broke ({first or type(error).__name__})")


def _is_of_proxy(error: aiohttp.ClientHttpProxyError | aiohttp.ClientConnectorError, url: httpx.URL) -> bool:
    """Return whether it is the proxy that failed: of one whose name nobody knows, only the error's host tells."""
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return error.host != url.raw_host.decode("ascii")
    return isinstance(error, aiohttp.ClientHttpProxyError | aiohttp.ClientProxyConnectionError)


def _explain_proxy(
    error: aiohttp.ClientHttpProxyError | aiohttp.ClientConnectorError, url: httpx.URL
) -> TransientError:
    """Return what a failure of the proxy means; the host has not been asked."""
    variable = f"{url.scheme.upper()}_PROXY"
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return TransientError(f"the proxy that {variable} names refused with {error.status} {error.message}".strip())
    return UnreachableError(
        f"the proxy {error.host}:{error.port}, which {variable} names, cannot be reached ({_reason(error)}); "
        f"correct {variable}, or name {url.host} in NO_PROXY"
    )


def _reason(error: aiohttp.ClientConnectorError) -> str:
    """Return why no connection was made, in the words of the system."""
    return error.os_error.strerror or str(error.os_error) or type(error.os_error).__name__


def _is_unknown(error: aiohttp.ClientConnectorDNSError) -> bool:
    """Return whether the name service knows that there is no such name, rather than being out of reach itself."""
    return error.os_error.errno in (socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME))
