"""Answers read whole: within a time, and within a size."""

from __future__ import annotations

import asyncio
import io
import re
import socket
import ssl
import zlib
from collections.abc import AsyncIterable

import aiohttp
import httpx

from tasks.config import Requests
from tasks.core.errors import PermanentSourceError, TooLargeError
from tasks.ingest.http.connections import Connections
from tasks.ingest.http.decompression import Decompression, UnknownCodingError
from tasks.ingest.http.redaction import may_quote
from tasks.ingest.http.requests import context_of
from tasks.ingest.http.retries import TransientError

_TRANSPORT_ERRORS = (aiohttp.ClientError, OSError)
_OF_WHO_ASKS = re.compile(
    r"ALERT_(?:CERTIFICATE_(?:REQUIRED|EXPIRED|REVOKED|UNKNOWN)|(?:BAD|UNSUPPORTED)_CERTIFICATE|UNKNOWN_CA|ACCESS_DENIED)"
)
"""What a server says, in OpenSSL's words, of a certificate of who asks, or of none."""
_NO_ADDRESS = (aiohttp.NonHttpUrlClientError, aiohttp.InvalidUrlClientError, httpx.InvalidURL, UnicodeError)
_AS_SENT = (b"content-encoding", b"content-length", b"transfer-encoding")  # no longer true of the body


class UnreachableError(TransientError):
    """One attempt found nobody at the host's address."""


class BrokenError(TransientError):
    """A connection that there was broke."""


class WholeResponse(httpx.Response):
    """An answer that was read already; what httpx does to read one takes as long as the connection does."""

    def __init__(self, answer: aiohttp.ClientResponse, body: bytes, request: httpx.Request) -> None:
        headers = list(answer.raw_headers)
        if "Content-Encoding" in answer.headers:
            headers = [(name, value) for name, value in headers if name.lower() not in _AS_SENT]
        said = answer.reason if may_quote() else ""
        reason = {"reason_phrase": said.encode("utf-8", "surrogateescape")} if said else None
        stream = httpx.ByteStream(body)  # for whoever reads it as any answer
        super().__init__(answer.status, headers=headers, stream=stream, request=request, extensions=reason)
        self._body = body

    @property
    def content(self) -> bytes:
        """Return the body."""
        return self._body


class BodyTransport(httpx.AsyncBaseTransport):
    """Makes one attempt at a request, and returns its answer read to the end and decompressed."""

    def __init__(self, connections: Connections, requests: Requests) -> None:
        self._connections = connections
        self._requests = requests

    async def handle_async_request(self, request: httpx.Request) -> WholeResponse:
        """Return the whole answer.

        Raises:
            TransientError: no whole answer came, in a way that the next attempt may change.
            PermanentSourceError: the address is no HTTP server's, or the body is too large.

        """
        try:
            async with asyncio.timeout(self._requests.timeout_s):
                answer = await self._connections.send(request)
                try:
                    body = await self._read(answer, request)
                finally:
                    answer.close()
        except TimeoutError as error:
            raise TransientError(f"no whole answer within {self._requests.timeout_s:g} s") from error
        except _NO_ADDRESS as error:
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
        return WholeResponse(answer, body, request)

    async def _read(self, answer: aiohttp.ClientResponse, request: httpx.Request) -> bytes:
        """Return the body, decompressed."""
        most = context_of(request).max_bytes or self._requests.max_body_bytes
        told = answer.headers.get("Content-Length", "")
        if told.isdecimal() and int(told) > most:
            raise _too_large(request, most, f"Content-Length is {int(told):,}")
        sent = answer.content.iter_any()
        if codings := answer.headers.getall("Content-Encoding", ()):
            return await _decompress(sent, Decompression(", ".join(codings)), request, most)
        body, size, account = io.BytesIO(), 0, context_of(request)
        async for part in sent:
            account.add(len(part))
            size += len(part)
            if size > most:
                raise _too_large(request, most, "it goes on")
            body.write(part)
        return body.getvalue()  # the buffer itself, where parts that are joined are there twice


async def _decompress(sent: AsyncIterable[bytes], undone: Decompression, request: httpx.Request, most: int) -> bytes:
    """Return a body that was sent compressed; neither it nor what it becomes may be too large."""
    body, size, sent_bytes, account = io.BytesIO(), 0, 0, context_of(request)
    async for chunk in sent:
        account.add(len(chunk))
        sent_bytes += len(chunk)
        if sent_bytes > most:  # before it is fed: some codings give nothing until the body has ended
            raise _too_large(request, most, "it goes on")
        for part in undone.feed(chunk):
            size += len(part)
            if size > most:
                raise _too_large(request, most, "it goes on after decompression")
            body.write(part)
    for part in undone.end():
        size += len(part)
        if size > most:
            raise _too_large(request, most, "it goes on after decompression")
        body.write(part)
    return body.getvalue()


def _too_large(request: httpx.Request, most: int, how: str) -> TooLargeError:
    return TooLargeError(
        f"{context_of(request).label}: the body is larger than requests.max_body_bytes ({most:,}): {how}; "
        "ask for smaller pages, or raise max_body_bytes"
    )


def _explain(error: BaseException, request: httpx.Request) -> Exception:
    """Return what a failure of the connection means."""
    return _explain_tls(error, request) or _explain_connection(error, request)


def _explain_tls(error: BaseException, request: httpx.Request) -> PermanentSourceError | None:
    """Return what a failure of TLS means; None where it is something else."""
    url, asked = request.url, context_of(request).label
    match error:
        case _ if refused := _OF_WHO_ASKS.search(str(error)):
            return PermanentSourceError(
                f"{asked}: {url.host} wants another certificate of who asks ({refused[0].lower().replace('_', ' ')}); "
                "name one that its authorities signed in tls.certificate and tls.key"
            )
        case aiohttp.ClientConnectorCertificateError():
            why = error.certificate_error
            reason = why.verify_message if isinstance(why, ssl.SSLCertVerificationError) else str(why)
            return PermanentSourceError(
                f"{asked}: the certificate of {url.host} is not to be trusted ({reason}); "
                "correct the address, have the host's certificate mended, or name in tls.ca the authority that signed it"
            )
        case aiohttp.ClientConnectorSSLError():
            return PermanentSourceError(
                f"{asked}: {url.host} does not speak TLS as it should ({_reason(error)}); correct the address, "
                "or name in tls.certificate the one of who asks, if it wants one"
            )
    return None


def _explain_connection(error: BaseException, request: httpx.Request) -> Exception:
    url = request.url
    match error:
        case aiohttp.ClientHttpProxyError() | aiohttp.ClientConnectorError() if _is_of_proxy(error, url):
            return _explain_proxy(error, url)
        case aiohttp.ClientConnectorDNSError() if _is_unknown(error):
            return PermanentSourceError(
                f"{context_of(request).label}: no host has the name {url.host}; correct the address"
            )
        case aiohttp.ClientConnectorError():
            return UnreachableError(
                f"the host {url.host}:{url.port or url.scheme} cannot be reached ({_reason(error)})"
            )
    return BrokenError(f"the connection broke ({_first_words(error)})")


def _first_words(error: BaseException) -> str:
    """Return why a connection broke: what is no HTTP is quoted in further lines, and the address with what proves who asks."""
    said = error.message if isinstance(error, aiohttp.ClientResponseError) else str(error)
    return said.partition("\n")[0].removesuffix(":") or type(error).__name__


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
