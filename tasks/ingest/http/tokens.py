"""Tokens that a server gives: asked for once for all requests, kept, and asked for anew before they end or when they are refused."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

import httpx

from tasks.config.auth import SecretReference, Token, TokenAnswer, TokenAuth, TokenRequest
from tasks.core.errors import PermanentSourceError, SourceError
from tasks.ingest.http.auth import UNAUTHORIZED, put_proofs
from tasks.ingest.http.redaction import Redactor, excerpt, quoted
from tasks.ingest.http.requests import context_of, with_context
from tasks.ingest.http.retries import Warn

_EARLY_S = 30.0  # a token is renewed so long before its end: the request takes time, and clocks differ
_KEPT_HEADERS = ("User-Agent", "Accept-Encoding")
_FRUITLESS = 3  # tokens in a row of which no request was answered: another would be refused as well
_SAID_CHARACTERS = 200
_FIRST_ERROR = 400


class SecretStore(Protocol):
    """Where secrets are held that are replaced, as Prefect's Secret blocks."""

    async def read(self, block: str) -> str:
        """Return the secret of a block; raise SourceError where it cannot be read."""

    async def write(self, block: str, secret: str) -> None:
        """Put a secret in place of that of a block; raise SourceError where it cannot be written."""


class Around(NamedTuple):
    """What a credential uses beside its secrets."""

    transport: httpx.AsyncBaseTransport
    """What sends the requests for tokens."""
    redactor: Redactor
    """What is told of those that come."""
    store: SecretStore | None
    """Where secrets are held that are replaced; without it they are not kept."""
    warn: Warn


class TokenCredential:
    """A token that all requests of the sources share that ask for one alike."""

    def __init__(self, auth: TokenAuth, secrets: Mapping[str, str], around: Around) -> None:
        self._auth = auth
        self._secrets = dict(secrets)
        self._around = around
        self._lock = asyncio.Lock()
        self._token: Token | None = None
        self._ends_at = 0.0
        self._asked = 0
        """How often a token was asked for, and that was answered or failed."""
        self._fruitless = 0
        self._failure: SourceError | None = None

    async def send(self, request: httpx.Request, transport: httpx.AsyncBaseTransport) -> httpx.Response:
        """Return the answer to a request with a token that is good now, or after that was refused with the next.

        Raises:
            SourceError: the token's server gave none.

        """
        token = await self._current(request)
        response = await transport.handle_async_request(put_proofs(request, token.proofs))
        if response.status_code == UNAUTHORIZED and self._may_renew(token):
            token = await self._current(request)
            response = await transport.handle_async_request(put_proofs(request, token.proofs))
        if response.status_code != UNAUTHORIZED:
            self._fruitless = 0
        return response

    def _may_renew(self, refused: Token) -> bool:
        """Return whether another token than one that was refused may be had; that one is forgotten."""
        if refused is self._token:
            if self._fruitless >= _FRUITLESS:
                return False
            self._fruitless += 1
            self._token = None
        return True

    async def _current(self, request: httpx.Request) -> Token:
        """Return a token that is good; those who wait for one take what comes, also where it is a failure."""
        token, asked = self._good(), self._asked
        if token is not None:
            return token
        async with self._lock:
            is_forgotten = self._token is None and self._failure is None
            if self._good() is None and (asked == self._asked or is_forgotten):
                await self._ask(request)
            if self._token is not None:
                return self._token
            assert self._failure is not None
            raise self._failure

    def _good(self) -> Token | None:
        return self._token if asyncio.get_running_loop().time() < self._ends_at else None

    async def _ask(self, request: httpx.Request) -> None:
        """Ask for a token; what it costs is the request's. Who was refused once is not tried again."""
        if not isinstance(self._failure, PermanentSourceError):
            try:
                await self._take(await self._request_token(request))
                self._failure = None
            except SourceError as error:
                self._token, self._failure = None, error
        self._asked += 1

    async def _request_token(self, request: httpx.Request) -> Token:
        await self._reread()
        asked = self._auth.token_request(self._secrets)
        for secret in asked.secrets:
            self._around.redactor.add(secret)
        response = await self._around.transport.handle_async_request(_to_request(asked, request))
        value = _read_json(response)
        cookies = {cookie.name: cookie.value or "" for cookie in response.cookies.jar}
        token = self._auth.token(TokenAnswer(response.status_code < _FIRST_ERROR, value, cookies))
        if token is None:
            said = f"{response.status_code} {response.reason_phrase}".strip()
            raise PermanentSourceError(
                f"{context_of(response.request).label} gave no token but {said}: "
                f"{_describe(response, value, self._auth.wanted)}; check {self._auth.cure}"
            )
        return token

    async def _take(self, token: Token) -> None:
        """Keep a token, and what came in place of secrets before anything is asked with it."""
        for secret in (*token.secrets, *token.replaced.values()):
            self._around.redactor.add(secret)
        for key, secret in token.replaced.items():
            if secret != self._secrets.get(key):
                self._secrets[key] = secret
                await self._keep(key, secret)
        self._token = token
        self._ends_at = asyncio.get_running_loop().time() + max(token.lasts_s - _EARLY_S, token.lasts_s / 2)

    async def _reread(self) -> None:
        """Take secrets as they are now: another run may have been given others in their place."""
        for key in self._auth.rotating:
            block = self._place(key).secret_block
            if self._asked and block is not None and self._around.store is not None:
                self._secrets[key] = await self._around.store.read(block)
                self._around.redactor.add(self._secrets[key])

    async def _keep(self, key: str, secret: str) -> None:
        place, store = self._place(key), self._around.store
        what = f"auth.{key}: the server gave another {key.replace('_', ' ')}, and"
        if place.secret_block is None or store is None:
            held = f"the environment variable {place.env}" if place.env else f"the Secret block {place.secret_block!r}"
            self._around.warn(
                f"{what} {held} cannot be written to: the next run may be refused with the one that is there; "
                f"hold it in a Secret block, {key}: {{secret_block: name}}"
            )
            return
        try:
            await store.write(place.secret_block, secret)
        except SourceError as error:
            self._around.warn(
                f"{what} it could not be written to the Secret block {place.secret_block!r} ({error}): "
                "the next run may be refused with the one that is there; put a new one there"
            )

    def _place(self, key: str) -> SecretReference:
        place: SecretReference = getattr(self._auth, key)
        return place


def _to_request(asked: TokenRequest, request: httpx.Request) -> httpx.Request:
    """Return a request for a token; what it costs is that of the request for which it is wanted."""
    url = httpx.URL(asked.url)
    headers = {"Accept": "application/json"} | {name: request.headers[name] for name in _KEPT_HEADERS}
    place = "params" if asked.method == "GET" else "data" if asked.is_form else "json"
    fields: dict[str, Any] = {place: asked.fields}
    extensions = with_context(context_of(request).stats, asked.method, url)
    made = httpx.Request(asked.method, url, headers={**headers, **asked.headers}, extensions=extensions, **fields)
    made.read()
    return made


def _read_json(response: httpx.Response) -> Any:
    """Return the JSON value of an answer; None where it is something else."""
    try:
        return json.loads(response.content)
    except (ValueError, RecursionError):
        return None


def _describe(response: httpx.Response, value: Any, wanted: str) -> str:
    """Return what a refusal says; of an answer that is none only the keys, for it may hold a token."""
    if isinstance(value, dict) and isinstance(value.get("error_description"), str):
        return quoted(f"{value.get('error')}: {value['error_description']}", _SAID_CHARACTERS)
    if not response.is_success:
        return repr(excerpt(response))
    if isinstance(value, dict):
        return f"the keys {', '.join(value)!r:.{_SAID_CHARACTERS}}"
    return f"{response.headers.get('Content-Type', 'no content type')} without {wanted}"
