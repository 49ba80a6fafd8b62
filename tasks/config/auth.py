"""How requests prove who asks: kinds of authentication, and where their secrets come from."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Annotated, Literal, NamedTuple, Protocol

from pydantic import field_validator, model_validator

from tasks.config.base import ConfigModel
from tasks.config.http import check_url
from tasks.config.kinds import Kinds

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class SecretReference(ConfigModel):
    """Where a secret is held: an environment variable or a Prefect Secret block."""

    env: str | None = None
    """Name of the environment variable that holds it."""
    secret_block: str | None = None
    """Name of the Prefect Secret block that holds it."""

    @field_validator("env")
    @classmethod
    def _is_variable(cls, value: str | None) -> str | None:
        if value and not _VARIABLE.fullmatch(value):  # it may be the secret: it is not repeated
            raise ValueError(
                "is not the name of an environment variable; write one like API_TOKEN, which holds the secret"
            )
        return value

    @model_validator(mode="after")
    def _is_one(self) -> SecretReference:
        if bool(self.env) == bool(self.secret_block):
            raise ValueError("name one place where the secret is held: {env: NAME} or {secret_block: name}")
        return self


_KEYS_OF_THEIR_OWN = ("client_id", "client_secret", "scope")


class Unsigned(Protocol):
    """A request that is to prove who asks."""

    @property
    def method(self) -> str:
        """Return the method."""

    @property
    def address(self) -> str:
        """Return the address, with its query."""

    @property
    def body(self) -> bytes:
        """Return the body; empty where there is none."""


class Proof(NamedTuple):
    """What a request carries to prove who asks."""

    place: Literal["query", "header", "body"]
    """Where it is sent."""
    name: str
    """Name of the header, the query parameter or the key of the body."""
    value: str
    """What is sent there."""


class SigningAuth(ConfigModel):
    """Authentication that is made of secrets and of the request; a field `SecretReference` says where a secret is held."""

    kind: str
    """Kind of authentication."""

    @property
    def secret_params(self) -> Collection[str]:
        """Return the names of the query parameters that hold a secret."""
        return ()

    @abstractmethod
    def proofs(self, secrets: Mapping[str, str], request: Unsigned) -> Iterable[Proof]:
        """Return what a request carries; `secrets` are those of the fields, by their names."""

    def derived(self, secrets: Mapping[str, str]) -> Iterable[str]:  # noqa: ARG002 - for kinds that write them otherwise
        """Return what is as secret as the secrets of which it is made; nothing that is told shows it."""
        return ()


class OAuth2Auth(ConfigModel):
    """A token that the client asks for with its own credentials (RFC 6749, 4.4), renewed when it ends."""

    kind: Literal["oauth2"] = "oauth2"
    """Kind of authentication."""
    token_url: str
    """Address that gives tokens."""
    client_id: str
    """The client's name; it is not kept secret."""
    client_secret: SecretReference
    """Where the client's secret is held: {env: NAME} or {secret_block: name}."""
    scope: str | None = None
    """Scopes to ask for, separated by spaces."""
    params: dict[str, str] = {}
    """Further fields of the token request, e.g. {audience: https://api.example.com}."""
    send_as: Literal["basic", "body"] = "basic"
    """How the credentials are sent: in the Authorization header, or as fields of the token request."""

    @field_validator("token_url")
    @classmethod
    def _is_address(cls, value: str) -> str:
        if "{" in value:
            raise ValueError("there is one address for all partitions; write it without braces")
        check_url(value, ())
        return value

    @field_validator("params")
    @classmethod
    def _are_further_fields(cls, value: dict[str, str]) -> dict[str, str]:
        for name in _KEYS_OF_THEIR_OWN:
            if name in value:
                raise ValueError(f"{name} is a key of auth itself; write it there, not among params")
        return value


Authentication = SigningAuth | OAuth2Auth
"""What kinds are derived from: how the proof comes about."""

_KINDS = "tasks.ingest.http.auths"
AUTHS = Kinds(
    "tidemill.auths",
    "tasks.config.auth:Authentication",
    {
        "bearer": f"{_KINDS}.bearer:BearerAuth",
        "basic": f"{_KINDS}.basic:BasicAuth",
        "api_key": f"{_KINDS}.api_key:ApiKeyAuth",
        "oauth2": "tasks.config.auth:OAuth2Auth",
    },
)
Auth = Annotated[Authentication, AUTHS]


def secret_references(auth: Authentication) -> Iterator[tuple[str, SecretReference]]:
    """Yield the key and the place of each secret that an auth needs."""
    for name in type(auth).model_fields:
        value = getattr(auth, name)
        if isinstance(value, SecretReference):
            yield name, value
