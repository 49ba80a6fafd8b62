"""The test site's OAuth2 server, which is authlib's, and the rows that it guards."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote_plus

from authlib.oauth2.rfc6749 import AuthorizationServer, ClientMixin, OAuth2Request, TokenMixin, grants
from authlib.oauth2.rfc6749.errors import InvalidGrantError
from authlib.oauth2.rfc6749.requests import BasicOAuth2Payload
from authlib.oauth2.rfc6750 import BearerTokenGenerator
from authlib.oauth2.rfc7523 import JWTBearerGrant
from joserfc.jwk import KeySet
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from tests.site.api import SIZE, fail

if TYPE_CHECKING:
    from tests.site.server import Site

Route = Callable[[Request], Awaitable[Response]]

CLIENT, CLIENT_SECRET = "tide mill", "client-4b1f9e"
PUBLIC = "public"
"""A client without a secret."""
USER, PASSWORD = "ann", "password-77c2d1"
FIRST_REFRESH = "refresh-91ab-0"
SERVICE = "reader@example.com"
"""The service account, whose public keys the site is given."""
DENIED = "Refresh token 91ab was used before, or is not known"
_ONCE = ("500-once", "429-once-retry-after-seconds", "drop-once", "truncated-once")


@dataclass
class Issued(TokenMixin):
    """What the server knows of refresh tokens and access tokens."""

    refresh: set[str] = field(default_factory=lambda: {FIRST_REFRESH})
    access: list[str] = field(default_factory=list)
    scopes: list[str | None] = field(default_factory=list)
    revoked: set[str] = field(default_factory=set)
    keys: KeySet = field(default_factory=lambda: KeySet([]))

    def check_client(self, _client: Any) -> bool:
        """Return that the token is the client's."""
        return True

    def get_scope(self) -> str:
        """Return what may be asked for."""
        return "read all"


class _Client(ClientMixin):
    def __init__(self, name: str) -> None:
        self.name = name

    def check_client_secret(self, client_secret: str) -> bool:
        return unquote_plus(client_secret) == CLIENT_SECRET

    def check_endpoint_auth_method(self, method: str, _endpoint: str) -> bool:
        return (method == "none") == (self.name == PUBLIC)

    def check_grant_type(self, _grant: str) -> bool:
        return True

    def get_allowed_scope(self, scope: str | None) -> str:
        return scope or ""


class _Request(OAuth2Request):
    form: dict[str, str] = {}


class _Server(AuthorizationServer):
    def __init__(self, issued: Issued, url: str, *, rotates: bool) -> None:
        super().__init__()
        self.issued, self.url, self.rotates = issued, url, rotates
        numbers = count(1)
        self.register_token_generator(
            "default",
            BearerTokenGenerator(
                lambda **_: f"access-e05c-{next(numbers)}", lambda **_: f"refresh-91ab-{next(numbers)}"
            ),
        )
        for grant in (grants.ClientCredentialsGrant, _Refresh, _Password, _Statement):
            grant.TOKEN_ENDPOINT_AUTH_METHODS = ["none", "client_secret_basic", "client_secret_post"]
            self.register_grant(grant)

    def query_client(self, client_id: str) -> _Client | None:
        name = unquote_plus(client_id)
        return _Client(name) if name in (CLIENT, PUBLIC) else None

    def save_token(self, token: dict[str, Any], _request: Any) -> None:
        self.issued.access.append(token["access_token"])
        self.issued.scopes.append(token.get("scope"))
        if "refresh_token" in token:
            self.issued.refresh.add(token["refresh_token"])

    def create_oauth2_request(self, request: OAuth2Request) -> OAuth2Request:
        return request

    def handle_response(self, status: int, body: Any, headers: list[tuple[str, str]]) -> Response:
        return JSONResponse(body, status, dict(headers))

    def send_signal(self, name: str, *args: Any, **kwargs: Any) -> None:
        pass


class _Refresh(grants.RefreshTokenGrant):
    server: _Server

    @property
    def INCLUDE_NEW_REFRESH_TOKEN(self) -> bool:  # noqa: N802 - authlib's name
        return self.server.rotates

    def authenticate_refresh_token(self, refresh_token: str) -> Issued:
        if refresh_token not in self.server.issued.refresh:
            raise InvalidGrantError(description=f"{DENIED}: {refresh_token}")
        self.used = refresh_token
        return self.server.issued

    def authenticate_user(self, _token: Issued) -> str:
        return USER

    def revoke_old_credential(self, _token: Issued) -> None:
        if self.server.rotates:
            self.server.issued.refresh.discard(self.used)


class _Password(grants.ResourceOwnerPasswordCredentialsGrant):
    def authenticate_user(self, username: str, password: str) -> str | None:
        return username if (username, password) == (USER, PASSWORD) else None


class _Statement(JWTBearerGrant):
    server: _Server

    def resolve_issuer_client(self, issuer: str) -> _Client | None:
        return _Client(CLIENT) if issuer == SERVICE else None

    def resolve_client_public_key(self, _client: _Client) -> KeySet:
        return self.server.issued.keys

    def get_audiences(self) -> list[str]:
        return [self.url_of_tokens, "https://audience.example.com"]

    @property
    def url_of_tokens(self) -> str:
        return f"{self.server.url}/oauth2/none/token"

    def authenticate_user(self, subject: str) -> str | None:
        return subject if subject == USER else None

    def has_granted_permission(self, _client: _Client, _user: str) -> bool:
        return True


def oauth2_routes(site: Site, items: list[dict[str, Any]]) -> dict[str, Route]:
    """Return a route of tokens, by its fault or how they end, and one of counted pages for who has one."""
    servers: dict[bool, _Server] = {}

    async def token(request: Request) -> Response:
        fault = request.path_params["fault"]
        if fault in _ONCE and site.is_first(request):
            return await fail(fault, PlainTextResponse(""), request, first=True)
        if fault in ("500-always", "404-always", "huge"):
            return await fail(fault, PlainTextResponse(""), request, first=True)
        if fault == "wrong-json":
            return JSONResponse(["access_token"])
        if fault == "slow":
            await asyncio.sleep(0.05)
        rotates = fault != "keeping"
        server = servers.setdefault(rotates, _Server(site.issued, site.url, rotates=rotates))
        form = dict(parse_qsl((await request.body()).decode()))
        headers = {name.title(): value for name, value in request.headers.items()}
        made = _Request("POST", "https://tokens", headers=headers)
        made.form, made.payload = form, BasicOAuth2Payload(form)
        answer: Response = server.create_token_response(made)
        if fault == "ended" and answer.status_code == 200:
            body = bytes(answer.body).replace(b'"expires_in":3600', b'"expires_in":0.001')
            return Response(body.replace(b'"expires_in":864000', b'"expires_in":0.001'), media_type="application/json")
        return answer

    async def rows(request: Request) -> Response:
        sent, number = request.headers.get("authorization", ""), int(request.query_params.get("page", "1"))
        access = sent.removeprefix("Bearer ")
        if request.path_params["kind"] == "revoking" and number == 2 and len(site.issued.access) == 1:
            site.issued.revoked.add(access)
        if request.path_params["kind"] == "shut" or access not in {*site.issued.access} - site.issued.revoked:
            return PlainTextResponse(f"who are you, {sent}?", 401)
        page = items[(number - 1) * SIZE : number * SIZE]
        return JSONResponse({"items": page, "pages": -(-len(items) // SIZE)})

    return {"/oauth2/{fault}/token": token, "/oauth2/{kind}/rows": rows}
