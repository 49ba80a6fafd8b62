"""How requests prove who asks: kinds of authentication, and where their secrets come from."""

from __future__ import annotations

import math
import re
from abc import abstractmethod
from collections.abc import Collection, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Annotated, Any, Literal, NamedTuple, Protocol

from pydantic import field_validator, model_validator

from tasks.config.base import ConfigModel
from tasks.config.kinds import Kinds

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PEM = re.compile(r"-----BEGIN ((?:[A-Z]+ )?)PRIVATE KEY-----\n")


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

    def usable(self, secret: str) -> str:
        """Return a secret as it is sent; raise ValueError where it is what no header can carry."""
        if not secret or not (secret.isascii() and secret.isprintable()):
            raise ValueError("holds nothing that a header can carry; put the secret there")
        return secret

    def parts(self, secret: str) -> Iterable[str]:
        """Return what of the secret nothing that is told may show."""
        return (secret,)


class KeyReference(SecretReference):
    """Where a private key in PEM is held: an environment variable or a Prefect Secret block."""

    def usable(self, secret: str) -> str:
        r"""Return the key; its line breaks may be written as \n, as in a variable of one line.

        Raises:
            ValueError: it is none, or its own password would be needed.

        """
        key = secret.replace("\\n", "\n").strip()
        kind = _PEM.match(key)
        if kind is None:
            raise ValueError(
                "holds no private key in PEM; put one there, which begins with -----BEGIN PRIVATE KEY-----"
            )
        if kind[1] == "ENCRYPTED ":
            raise ValueError("holds a key that is encrypted; put it there as it is without its password")
        return key

    def parts(self, secret: str) -> Iterable[str]:
        """Return the lines of the key: each is a secret, however they are broken."""
        return (line for line in secret.splitlines() if not line.startswith("-----"))


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

    place: Literal["query", "header", "body", "cookie"]
    """Where it is sent."""
    name: str
    """Name of the header, the query parameter, the key of the body or the cookie."""
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


class TokenRequest(NamedTuple):
    """A request for a token, as an OAuth2 server, or a login, has it."""

    url: str
    """Address that gives tokens."""
    fields: Mapping[str, Any]
    """What is sent in the body; with a GET, in the address."""
    method: Literal["POST", "PUT", "GET"] = "POST"
    """Method of the request."""
    is_form: bool = True
    """Whether the body is a form; otherwise it is JSON."""
    headers: Mapping[str, str] = MappingProxyType({})
    """Further headers."""
    secrets: tuple[str, ...] = ()
    """What of it is as secret as the secrets of which it is made."""


class TokenAnswer(NamedTuple):
    """What a server answered to the request for a token."""

    is_success: bool
    """Whether its status is one of success, or for a login one that leads on."""
    value: Any
    """The JSON value of the body; None where it is none."""
    cookies: Mapping[str, str]
    """The cookies that it sets."""


class Token(NamedTuple):
    """What a server gave."""

    proofs: tuple[Proof, ...]
    """What each request carries from then on."""
    lasts_s: float = math.inf
    """Seconds for which it is good; without an end where the server does not say."""
    secrets: tuple[str, ...] = ()
    """What of it nothing that is told may show, beside the proofs."""
    replaced: Mapping[str, str] = MappingProxyType({})
    """Secrets that the server gave in place of those it was sent, by their keys."""


class TokenAuth(ConfigModel):
    """Authentication by what a server gives on request, and takes back or ends: a token, or a session."""

    kind: str
    """Kind of authentication."""

    @property
    @abstractmethod
    def address(self) -> str:
        """Return the address of what gives tokens."""

    @property
    @abstractmethod
    def cure(self) -> str:
        """Return what to check where no token is given, e.g. auth.client_id."""

    @property
    def wanted(self) -> str:
        """Return what an answer has to have."""
        return "access_token"

    def check(self, secrets: Mapping[str, str]) -> None:
        """Raise ValueError where no request can be made of the secrets."""

    @property
    def rotating(self) -> Collection[str]:
        """Return the keys of secrets that the server may replace."""
        return ()

    @abstractmethod
    def token_request(self, secrets: Mapping[str, str]) -> TokenRequest:
        """Return what is asked; `secrets` are those of the fields, by their names."""

    @abstractmethod
    def token(self, answer: TokenAnswer) -> Token | None:
        """Return what an answer gives; None where it gives none."""


Authentication = SigningAuth | TokenAuth
"""What kinds are derived from: how the proof comes about."""

_KINDS = "tasks.ingest.http.auths"
AUTHS = Kinds(
    "tidemill.auths",
    "tasks.config.auth:Authentication",
    {
        "bearer": f"{_KINDS}.bearer:BearerAuth",
        "basic": f"{_KINDS}.basic:BasicAuth",
        "api_key": f"{_KINDS}.api_key:ApiKeyAuth",
        "oauth2": f"{_KINDS}.oauth2:OAuth2Auth",
        "jwt_bearer": f"{_KINDS}.jwt_bearer:JwtBearerAuth",
        "login": f"{_KINDS}.login:LoginAuth",
    },
)
Auth = Annotated[Authentication, AUTHS]


def secret_references(auth: Authentication) -> Iterator[tuple[str, SecretReference]]:
    """Yield the key and the place of each secret that an auth needs."""
    for name in type(auth).model_fields:
        value = getattr(auth, name)
        if isinstance(value, SecretReference):
            yield name, value
        elif isinstance(value, dict):
            yield from ((f"{name}.{key}", each) for key, each in value.items() if isinstance(each, SecretReference))
