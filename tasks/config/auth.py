"""How requests prove who asks: kinds of authentication, and where their secrets come from."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from tasks.config.base import ConfigModel, NonEmpty
from tasks.config.http import check_header_name, check_url

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


class BearerAuth(ConfigModel):
    """A bearer token in the Authorization header."""

    kind: Literal["bearer"] = "bearer"
    """Kind of authentication."""
    token: SecretReference
    """Where the token is held: {env: NAME} or {secret_block: name}."""


class BasicAuth(ConfigModel):
    """A name and a password in the Authorization header."""

    kind: Literal["basic"] = "basic"
    """Kind of authentication."""
    username: str
    """The name; it is not kept secret."""
    password: SecretReference
    """Where the password is held: {env: NAME} or {secret_block: name}."""

    @field_validator("username")
    @classmethod
    def _has_no_colon(cls, username: str) -> str:
        if ":" in username:
            raise ValueError(f"{username!r} has a colon, at which the name would end (RFC 7617); take it out")
        return username


class ApiKeyAuth(ConfigModel):
    """A key in a header, a query parameter or the JSON body."""

    kind: Literal["api_key"] = "api_key"
    """Kind of authentication."""
    name: NonEmpty
    """Name of the header, the query parameter or the key of the body, e.g. X-Api-Key."""
    place: Literal["header", "query", "body"] = "header"
    """Where the key is sent."""
    key: SecretReference
    """Where the key is held: {env: NAME} or {secret_block: name}."""

    @model_validator(mode="after")
    def _has_a_name(self) -> ApiKeyAuth:
        if self.place == "header":
            check_header_name(self.name)
        return self


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


Auth = Annotated[BearerAuth | BasicAuth | ApiKeyAuth | OAuth2Auth, Field(discriminator="kind")]


def secret_references(auth: Auth) -> Iterator[tuple[str, SecretReference]]:
    """Yield the key and the place of each secret that an auth needs."""
    for name in type(auth).model_fields:
        value = getattr(auth, name)
        if isinstance(value, SecretReference):
            yield name, value
