"""How requests prove who asks: kinds of authentication, and where their secrets come from."""

from __future__ import annotations

import math
import re
from abc import abstractmethod
from collections.abc import Collection, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, Protocol, Self

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

    in_turn: ClassVar[tuple[str, str] | None] = None
    """Keys of a list of secrets that are sent in turn, and of the one that may stand in its place, as (tokens, token)."""
    kind: str
    """Kind of authentication."""

    @model_validator(mode="after")
    def _has_one_or_several(self) -> Self:
        if self.in_turn is None:
            return self
        many, one = self.in_turn
        several: tuple[SecretReference, ...] = getattr(self, many)
        many = _written(self, many)
        if (getattr(self, one) is not None) == bool(several):
            both = f"{one} and {many} are both there; leave one of them out"
            raise ValueError(
                both if several else f"{one} is missing; add it, or {many}, of which each has its own budget"
            )
        if len({each.model_dump_json() for each in several}) < len(several):
            raise ValueError(f"{many} has one place of a secret twice; name each once")
        return self

    @property
    def several(self) -> str | None:
        """Return the key of the secrets that are sent in turn; None where there is but one."""
        return _written(self, self.in_turn[0]) if self.in_turn and getattr(self, self.in_turn[0]) else None

    def turns(self, secrets: Mapping[str, str]) -> dict[str, Mapping[str, str]]:
        """Return the secrets of each turn, in the place of the one, by the keys that they are held under."""
        if self.in_turn is None or self.several is None:
            return {}
        held = (f"{self.several}.{place}" for place in range(len(getattr(self, self.in_turn[0]))))
        return {key: {self.in_turn[1]: secrets[key]} for key in held}

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


def _written(auth: Authentication, name: str) -> str:
    """Return the key of a field as it stands in a pipeline file."""
    return type(auth).model_fields[name].alias or name


def secret_references(auth: Authentication) -> Iterator[tuple[str, SecretReference]]:
    """Yield the key and the place of each secret that an auth needs; of several under one key, with the name or the place of each."""
    for name in type(auth).model_fields:
        value, key = getattr(auth, name), _written(auth, name)
        match value:
            case SecretReference():
                yield key, value
            case dict():
                yield from ((f"{key}.{of}", each) for of, each in value.items() if isinstance(each, SecretReference))
            case tuple():
                yield from ((f"{key}.{at}", each) for at, each in enumerate(value) if isinstance(each, SecretReference))
