"""A token that a client asks for by its own secret, a refresh token or a password (RFC 6749, 4.3, 4.4 and 6)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, ClassVar, Literal
from urllib.parse import quote_plus

from pydantic import model_validator

from tasks.config.auth import SecretReference, TokenRequest
from tasks.core.redaction import basic_pair
from tasks.ingest.http.auths.token_server import TokenServerAuth

_OF_GRANTS: dict[str, tuple[str, ...]] = {
    "client_credentials": (),
    "refresh_token": ("refresh_token",),
    "password": ("username", "password"),
}
"""The keys that a grant needs, and others have not."""


class OAuth2Auth(TokenServerAuth):
    """A token that a server gives a client by an OAuth2 grant, renewed when it ends."""

    own_fields: ClassVar[Collection[str]] = (
        "client_id", "client_secret", "scope", "refresh_token", "username", "password",
    )  # fmt: skip

    kind: Literal["oauth2"] = "oauth2"
    """Kind of authentication."""
    grant: Literal["client_credentials", "refresh_token", "password"] = "client_credentials"
    """By what a token is given: the client's own secret, a refresh token, or a user's name and password."""
    client_id: str
    """The client's name; it is not kept secret."""
    client_secret: SecretReference | None = None
    """Where the client's secret is held: {env: NAME} or {secret_block: name}; a public client, of another grant than client_credentials, has none."""
    refresh_token: SecretReference | None = None
    """Where the refresh token is held: {secret_block: name} or {env: NAME}. Where the server gives another one each time, it is written to the Secret block; a variable cannot be written to, which is told."""
    username: str | None = None
    """The user's name, of grant: password; it is not kept secret."""
    password: SecretReference | None = None
    """Where the user's password is held, of grant: password."""
    send_as: Literal["basic", "body"] = "basic"
    """How the client's credentials are sent: in the Authorization header, or as fields of the token request."""

    @model_validator(mode="after")
    def _has_what_its_grant_needs(self) -> OAuth2Auth:
        needed = _OF_GRANTS[self.grant]
        for grant, keys in _OF_GRANTS.items():
            for key in keys:
                if getattr(self, key) is None and key in needed:
                    raise ValueError(f"grant: {self.grant} needs {key}; add it")
                if getattr(self, key) is not None and key not in needed:
                    raise ValueError(f"{key} is of grant: {grant}; write that, or take {key} out")
        if self.grant == "client_credentials" and self.client_secret is None:
            raise ValueError("grant: client_credentials needs client_secret; add it")
        return self

    @property
    def cure(self) -> str:
        """Return what to check where no token is given."""
        own = {"refresh_token": ", and the refresh token", "password": ", auth.username and the password"}
        return f"auth.client_id, the client's secret, auth.scope and auth.send_as{own.get(self.grant, '')}"

    @property
    def rotating(self) -> Collection[str]:
        """Return the refresh token, where there is one."""
        return _OF_GRANTS["refresh_token"] if self.grant == "refresh_token" else ()

    def token_request(self, secrets: Mapping[str, str]) -> TokenRequest:
        """Return the request of the grant."""
        own = {key: secrets[key] if key in secrets else getattr(self, key) for key in _OF_GRANTS[self.grant]}
        fields = {"grant_type": self.grant, **own, **self.params}
        if self.scope is not None:
            fields["scope"] = self.scope
        secret = secrets.get("client_secret")
        if secret is None:
            return TokenRequest(self.token_url, fields | {"client_id": self.client_id})
        quoted = basic_pair(quote_plus(self.client_id), quote_plus(secret))  # as RFC 6749, 2.3.1, has it
        told = (quoted.rstrip("="), basic_pair(self.client_id, secret).rstrip("="), quote_plus(secret))
        if self.send_as == "body":
            return TokenRequest(
                self.token_url, fields | {"client_id": self.client_id, "client_secret": secret}, secrets=told
            )
        return TokenRequest(self.token_url, fields, headers={"Authorization": f"Basic {quoted}"}, secrets=told)

    def replaced(self, value: Mapping[str, Any]) -> Mapping[str, str]:
        """Return the refresh token that an answer gives in place of the one that was sent."""
        found = value.get("refresh_token")
        return {"refresh_token": found} if self.rotating and isinstance(found, str) and found else {}
