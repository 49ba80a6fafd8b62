"""Who asks, proved to the source's own hosts and to no other."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Collection, Mapping
from typing import Protocol

import httpx

from tasks.spec import ApiKeyAuth, BasicAuth, BearerAuth
from tasks.spec.pagination import Place

_UNAUTHORIZED = 401

Origin = tuple[str, str, int | None]


class Credential(Protocol):
    """What proves who asks."""

    async def sign(self, request: httpx.Request) -> httpx.Request:
        """Return the request with the proof in it."""

    def renew(self, request: httpx.Request) -> bool:
        """Return whether another proof than that in `request`, which was refused, can be had."""


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
            request.headers.setdefault(name, value)
        if self._credential is None:
            return await self._inner.handle_async_request(request)
        signed = await self._credential.sign(request)
        response = await self._inner.handle_async_request(signed)
        if response.status_code == _UNAUTHORIZED and self._credential.renew(signed):
            response = await self._inner.handle_async_request(await self._credential.sign(request))
        response.request = request
        return response


class FixedCredential:
    """A fixed value in a header, a query parameter or the JSON body."""

    def __init__(self, place: Place, name: str, value: str) -> None:
        self._place, self._name, self._value = place, name, value

    async def sign(self, request: httpx.Request) -> httpx.Request:
        """Return the request with the value in its place."""
        match self._place:
            case "header":
                return copy_request(request, headers={self._name: self._value})
            case "query":
                return copy_request(request, url=request.url.copy_set_param(self._name, self._value))
            case "body":
                body = json.loads(request.content or b"{}") | {self._name: self._value}
                return copy_request(request, content=json.dumps(body).encode())

    def renew(self, _request: httpx.Request) -> bool:
        """Return that there is no other value."""
        return False


def fix_credential(auth: BearerAuth | BasicAuth | ApiKeyAuth, secret: str) -> FixedCredential:
    """Return what proves who asks by a fixed secret."""
    match auth:
        case BearerAuth():
            return FixedCredential("header", "Authorization", f"Bearer {secret}")
        case BasicAuth(username=username):
            return FixedCredential("header", "Authorization", basic(username, secret))
        case ApiKeyAuth(place=place, name=name):
            return FixedCredential(place, name, secret)


def basic(username: str, password: str) -> str:
    """Return the value of an Authorization header for a name and a password (RFC 7617)."""
    return f"Basic {b64encode(f'{username}:{password}'.encode()).decode()}"


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
    url: httpx.URL | None = None,
    headers: Mapping[str, str] | None = None,
    content: bytes | None = None,
) -> httpx.Request:
    """Return a request like another, changed as said."""
    changed = httpx.Headers(request.headers)
    changed.update(headers)
    if content is not None:
        changed["Content-Length"] = str(len(content))
    return httpx.Request(
        request.method,
        request.url if url is None else url,
        headers=changed,
        content=content if content is not None else request.content or None,
        extensions=request.extensions,
    )
