"""Who asks, proved to the source's own hosts and to no other."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from typing import Protocol, assert_never

import httpx

from tasks.config.auth import Proof, SigningAuth
from tasks.ingest.http.requests import with_param

UNAUTHORIZED = 401
_YIELDING = frozenset({"user-agent", "accept", "accept-encoding", "content-type", "cookie"})
"""Headers that a source's own come before; others that a request brings, as one with a page number, it keeps."""

Origin = tuple[str, str, int | None]


class Credential(Protocol):
    """What proves who asks."""

    async def send(self, request: httpx.Request, transport: httpx.AsyncBaseTransport) -> httpx.Response:
        """Return the answer to the request with the proof in it."""


class CredentialTransport(httpx.AsyncBaseTransport):
    """Adds a source's headers and proof to requests to its own origins; its answers do not show them."""

    def __init__(
        self,
        inner: httpx.AsyncBaseTransport,
        origins: Collection[Origin],
        headers: Mapping[str, str],
        credential: Credential | None,
    ) -> None:
        self._inner = inner
        self._origins = origins
        self._headers = headers
        self._credential = credential

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Return the answer; one of 401 only where a new proof was refused as well."""
        if not is_own(request.url, self._origins):
            return await self._inner.handle_async_request(request)
        for name, value in self._headers.items():
            if name.lower() in _YIELDING or name not in request.headers:
                request.headers[name] = value
        if self._credential is None:
            return await self._inner.handle_async_request(request)
        response = await self._credential.send(request, self._inner)
        response.request = request
        return response


class _Asked:
    """A request as a kind of authentication sees it."""

    def __init__(self, request: httpx.Request) -> None:
        self._request = request

    @property
    def method(self) -> str:
        """Return the method."""
        return self._request.method

    @property
    def address(self) -> str:
        """Return the address, with its query."""
        return str(self._request.url)

    @property
    def body(self) -> bytes:
        """Return the body."""
        return self._request.content


class SigningCredential:
    """What a kind of authentication makes of its secrets and each request."""

    def __init__(self, auth: SigningAuth, secrets: Mapping[str, str]) -> None:
        self._auth, self._secrets = auth, secrets

    async def send(self, request: httpx.Request, transport: httpx.AsyncBaseTransport) -> httpx.Response:
        """Return the answer to the request with the proofs in their places."""
        return await transport.handle_async_request(self.sign(request))

    def sign(self, request: httpx.Request) -> httpx.Request:
        """Return the request with the proofs in their places."""
        return put_proofs(request, self._auth.proofs(self._secrets, _Asked(request)))


def put_proofs(request: httpx.Request, proofs: Iterable[Proof]) -> httpx.Request:
    """Return a request with proofs in their places."""
    for proof in proofs:
        request = _put(request, proof)
    return request


def _put(request: httpx.Request, proof: Proof) -> httpx.Request:
    """Return the request with a value in its place; what became a GET by a redirect has no body for it."""
    match proof.place:
        case "header":
            return copy_request(request, headers={proof.name: proof.value})
        case "query":
            return copy_request(request, url=with_param(request.url, proof.name, proof.value))
        case "body" if request.content:
            body = json.loads(request.content) | {proof.name: proof.value}
            return copy_request(request, content=json.dumps(body).encode())
        case "body":
            return request
        case "cookie":
            others = [
                each for each in request.headers.get("Cookie", "").split("; ") if each.partition("=")[0] != proof.name
            ]
            return copy_request(
                request, headers={"Cookie": "; ".join([*filter(None, others), f"{proof.name}={proof.value}"])}
            )
        case _:
            assert_never(proof.place)


def origin_of(url: httpx.URL) -> Origin:
    """Return what decides whether two addresses belong together: scheme, host and port."""
    return url.scheme, url.host, url.port


def is_own(url: httpx.URL, origins: Collection[Origin]) -> bool:
    """Return whether an address belongs to one of `origins`, or to the same host's https."""
    origin = origin_of(url)
    upgraded = ("http", url.host, None)
    return origin in origins or (origin == ("https", url.host, None) and upgraded in origins)


def copy_request(
    request: httpx.Request,
    *,
    method: str | None = None,
    url: httpx.URL | None = None,
    headers: Mapping[str, str] | None = None,
    content: bytes | None = None,
) -> httpx.Request:
    """Return a request like another, changed as said."""
    changed = httpx.Headers(request.headers)
    changed.update(headers)
    if content is not None:
        changed["Content-Length"] = str(len(content))
    copy = httpx.Request(
        method or request.method,
        request.url if url is None else url,
        headers=changed,
        stream=request.stream if content is None else httpx.ByteStream(content),
        extensions=request.extensions,
    )
    copy.read()
    return copy
