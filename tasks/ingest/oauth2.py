"""OAuth2 client credentials (RFC 6749, 4.4): a token asked for, kept, and asked for anew when it ends."""

from __future__ import annotations

import asyncio
import json

import httpx

from tasks.errors import PermanentSourceError
from tasks.ingest.credentials import basic, copy_request
from tasks.ingest.hiding import Secrets, excerpt
from tasks.ingest.tally import account_of, charge
from tasks.spec import OAuth2Auth

_EARLY_S = 30.0  # a token is renewed so long before its end: the request takes time, and clocks differ


class OAuth2Credential:
    """A token that all requests of a source share."""

    def __init__(
        self, auth: OAuth2Auth, client_secret: str, transport: httpx.AsyncBaseTransport, secrets: Secrets
    ) -> None:
        self._auth = auth
        self._client_secret = client_secret
        self._transport = transport
        self._secrets = secrets
        self._lock = asyncio.Lock()
        self._token: str | None = None
        self._ends_at = float("inf")

    async def sign(self, request: httpx.Request) -> httpx.Request:
        """Return the request with a token that is good now.

        Raises:
            SourceError: the token's server gave none.

        """
        async with self._lock:
            if self._token is None or asyncio.get_running_loop().time() >= self._ends_at:
                await self._ask(request)
        return copy_request(request, headers={"Authorization": f"Bearer {self._token}"})

    def renew(self, request: httpx.Request) -> bool:
        """Return that another token can be had: the one that was refused is forgotten."""
        if request.headers["Authorization"] == f"Bearer {self._token}":
            self._token = None
        return True

    async def _ask(self, request: httpx.Request) -> None:
        """Ask for a token; what it costs is the request's."""
        auth = self._auth
        fields = {"grant_type": "client_credentials", **auth.params}
        if auth.scope is not None:
            fields["scope"] = auth.scope
        headers = {"Accept": "application/json", "User-Agent": request.headers["User-Agent"]}
        if auth.send_as == "basic":
            headers["Authorization"] = basic(auth.client_id, self._client_secret)
        else:
            fields |= {"client_id": auth.client_id, "client_secret": self._client_secret}
        url = httpx.URL(auth.token_url)
        account = charge(account_of(request).tally, "POST", url)
        response = await self._transport.handle_async_request(
            httpx.Request("POST", url, headers=headers, data=fields, extensions=account)
        )
        self._read(response)

    def _read(self, response: httpx.Response) -> None:
        try:
            answer = json.loads(response.content) if response.is_success else {}
            token = str(answer["access_token"])
            lasts_s = float(answer.get("expires_in") or "inf")
        except (ValueError, KeyError, TypeError, AttributeError):
            said = f"{response.status_code} {response.reason_phrase}".strip()
            quoted = self._secrets.hide(excerpt(response))
            raise PermanentSourceError(
                f"POST {self._auth.token_url} gave no token but {said}: {quoted!r}; check auth.client_id, the client's secret and auth.scope"
            ) from None
        self._secrets.add(token)
        self._token = token
        self._ends_at = asyncio.get_running_loop().time() + max(lasts_s - _EARLY_S, lasts_s / 2)
