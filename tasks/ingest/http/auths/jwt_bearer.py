"""A token that a service account gets for a statement it signs with its own key (RFC 7523, 2.1)."""

from __future__ import annotations

import time
import uuid
from collections.abc import Collection, Mapping
from typing import ClassVar, Literal

from pydantic import JsonValue, field_validator

from tasks.config.auth import KeyReference, TokenRequest
from tasks.ingest.http.auths.token_server import TokenServerAuth

_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_LASTS_S = 300  # of a statement, which is used at once; no server takes one of more than an hour
_OF_ITSELF = ("iss", "sub", "aud", "iat", "exp", "jti")
_KEYS = {"RS256": "an RSA key", "ES256": "a key of the curve P-256"}


class JwtBearerAuth(TokenServerAuth):
    """A token that a server gives a service account for a statement signed with its key, renewed when it ends."""

    own_fields: ClassVar[Collection[str]] = ("assertion", "scope")

    kind: Literal["jwt_bearer"] = "jwt_bearer"
    """Kind of authentication."""
    issuer: str
    """Who signs: the name, or the address, of the service account."""
    subject: str | None = None
    """For whom a token is asked for, where the server wants it, e.g. a user whom the account acts for."""
    audience: str | None = None
    """Whom the statement is for; without it token_url."""
    claims: dict[str, JsonValue] = {}
    """Further claims of the statement, e.g. {scope: https://www.googleapis.com/auth/analytics.readonly}, where Google takes scopes."""
    key: KeyReference
    """Where the private key is held, as PEM: {env: NAME} or {secret_block: name}."""
    algorithm: Literal["RS256", "ES256"] = "RS256"
    """How the statement is signed: RS256 with an RSA key, ES256 with one of the curve P-256."""
    key_id: str | None = None
    """Name of the key, where the server knows several."""

    @field_validator("claims")
    @classmethod
    def _are_further_claims(cls, value: dict[str, JsonValue]) -> dict[str, JsonValue]:
        for name in _OF_ITSELF:
            if name in value:
                raise ValueError(f"{name} is made of the other keys of auth; take it out of claims")
        return value

    @property
    def cure(self) -> str:
        """Return what to check where no token is given."""
        return "auth.issuer, auth.audience, auth.claims, the key and its key_id, and this machine's clock"

    def check(self, secrets: Mapping[str, str]) -> None:
        """Raise ValueError unless the key is one that the algorithm signs with."""
        self._sign(secrets["key"])

    def token_request(self, secrets: Mapping[str, str]) -> TokenRequest:
        """Return the request that has the statement."""
        statement = self._sign(secrets["key"])
        fields = {"grant_type": _GRANT, "assertion": statement, **self.params}
        if self.scope is not None:
            fields["scope"] = self.scope
        return TokenRequest(self.token_url, fields, secrets=(statement, statement.rpartition(".")[2]))

    def _sign(self, key: str) -> str:
        from joserfc import errors, jwt  # noqa: PLC0415 - takes 100 ms, and few pipelines sign
        from joserfc.jwk import ECKey, RSAKey  # noqa: PLC0415 - the same

        now = int(time.time())
        claims: dict[str, JsonValue] = {**self.claims, "iss": self.issuer, "aud": self.audience or self.token_url}
        claims |= {"iat": now, "exp": now + _LASTS_S, "jti": uuid.uuid4().hex}
        if self.subject is not None:
            claims["sub"] = self.subject
        header = {"alg": self.algorithm, **({"kid": self.key_id} if self.key_id else {})}
        try:
            imported = (RSAKey if self.algorithm == "RS256" else ECKey).import_key(key)
            return jwt.encode(header, claims, imported)
        except (ValueError, errors.JoseError):
            raise ValueError(
                f"key: is none that {self.algorithm} signs with, {_KEYS[self.algorithm]} in PEM; "
                "put such a one there, or correct auth.algorithm"
            ) from None
