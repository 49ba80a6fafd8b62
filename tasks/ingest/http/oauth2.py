"""OAuth2 client credentials (RFC 6749, 4.4): a token asked for, kept, and asked for anew when it ends."""

from __future__ import annotations

import asyncio
import json
import math
from typing import Any
from urllib.parse import quote_plus

import httpx

from tasks.config import OAuth2Auth
from tasks.core.errors import PermanentSourceError
from tasks.core.redaction import basic_pair
from tasks.ingest.http.auth import copy_request
from tasks.ingest.http.redaction import Redactor, excerpt
from tasks.ingest.http.requests import context_of, with_context

_EARLY_S = 30.0  # a token is renewed so long before its end: the request takes time, and clocks differ
_KEPT_HEADERS = ("User-Agent", "Accept-Encoding")


class OAuth2Credential:
    """A token that all requests of a source share."""

    def __init__(
        self, auth: OAuth2Auth, client_secret: str, transport: httpx.AsyncBaseTransport, secrets: Redactor
    ) -> None:
        self._auth = auth
        self._client_secret = client_secret
        self._transport = transport
        self._secrets = secrets
        self._lock = asyncio.Lock()
        self._token: str | None = None
        self._ends_at = math.inf
        self._refusal: str | None = None
        for name, value in ((auth.client_id, client_secret), self._quoted_pair()):
            secrets.add_pair(name, value)

    async def sign(self, request: httpx.Request) -> httpx.Request:
        """Return the request with a token that is good now.

        Raises:
            SourceError: the token's server gave none.

        """
        if not self._has_token():
            async with self._lock:
                if not self._has_token():  # nobody else asked meanwhile
                    await self._request_token(request)
        return copy_request(request, headers={"Authorization": f"Bearer {self._token}"})

    def renew(self, request: httpx.Request) -> bool:
        """Return True: the token that was refused is forgotten, and another can be had."""
        if request.headers["Authorization"] == f"Bearer {self._token}":
            self._token = None
        return True

    def _has_token(self) -> bool:
        return self._token is not None and asyncio.get_running_loop().time() < self._ends_at

    def _quoted_pair(self) -> tuple[str, str]:
        """Return the client's name and secret as its Authorization header has them (RFC 6749, 2.3.1)."""
        return quote_plus(self._auth.client_id), quote_plus(self._client_secret)

    async def _request_token(self, request: httpx.Request) -> None:
        """Ask for a token; what it costs is the request's. A client that was refused once is not tried again."""
        if self._refusal is not None:
            raise PermanentSourceError(self._refusal)
        auth = self._auth
        fields = {"grant_type": "client_credentials", **auth.params}
        if auth.scope is not None:
            fields["scope"] = auth.scope
        headers = {"Accept": "application/json"} | {name: request.headers[name] for name in _KEPT_HEADERS}
        if auth.send_as == "basic":
            headers["Authorization"] = f"Basic {basic_pair(*self._quoted_pair())}"
        else:
            fields |= {"client_id": auth.client_id, "client_secret": self._client_secret}
        url = httpx.URL(auth.token_url)
        account = with_context(context_of(request).stats, "POST", url)
        response = await self._transport.handle_async_request(
            httpx.Request("POST", url, headers=headers, data=fields, extensions=account)
        )
        self._read(response)

    def _read(self, response: httpx.Response) -> None:
        answer = _read_object(response) if response.is_success else None
        token = answer.get("access_token") if answer else None
        if not isinstance(token, str) or not token or not (token.isascii() and token.isprintable()):
            said = f"{response.status_code} {response.reason_phrase}".strip()
            self._refusal = (
                f"POST {self._auth.token_url} gave no token but {said}: {self._describe(response, answer)}; "
                "check auth.client_id, the client's secret, auth.scope and auth.send_as"
            )
            raise PermanentSourceError(self._refusal)
        assert answer is not None
        self._secrets.add(token)
        self._token = token
        lasts_s = _read_seconds(answer.get("expires_in"))
        self._ends_at = asyncio.get_running_loop().time() + max(lasts_s - _EARLY_S, lasts_s / 2)

    def _describe(self, response: httpx.Response, answer: dict[str, Any] | None) -> str:
        """Return what a refusal says; of an answer that is none only the keys, for it may hold a token."""
        if not response.is_success:
            return repr(excerpt(response))
        kind = response.headers.get("Content-Type", "no content type")
        return f"{kind} without access_token" if answer is None else f"the keys {', '.join(answer)!r:.200}"


def _read_object(response: httpx.Response) -> dict[str, Any] | None:
    """Return the JSON object of an answer; None where it is something else."""
    try:
        answer = json.loads(response.content)
    except (ValueError, RecursionError):
        return None
    return answer if isinstance(answer, dict) else None


def _read_seconds(value: Any) -> float:
    """Return how long a token is good for; without a limit where the server does not say."""
    try:
        seconds = float(value)
    except (TypeError, ValueError, OverflowError):
        return math.inf
    return seconds if seconds > 0 else math.inf
