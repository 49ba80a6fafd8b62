"""What kinds of authentication share whose tokens an OAuth2 server gives (RFC 6749)."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Any, ClassVar

from pydantic import field_validator

from tasks.config.auth import Proof, Token, TokenAnswer, TokenAuth
from tasks.config.http import check_url


def check_token_address(url: str) -> str:
    """Return the address of what gives tokens; raise ValueError where it is none."""
    if "{" in url:
        raise ValueError("there is one address for all partitions; write it without braces")
    check_url(url, ())
    return url


class TokenServerAuth(TokenAuth):
    """A token that an OAuth2 server gives, renewed when it ends."""

    own_fields: ClassVar[Collection[str]]
    """Fields of the token request that are keys of auth."""
    token_url: str
    """Address that gives tokens."""
    scope: str | None = None
    """Scopes to ask for, separated by spaces."""
    params: dict[str, str] = {}
    """Further fields of the token request, e.g. {audience: https://api.example.com}."""

    _is_address = field_validator("token_url")(check_token_address)

    @field_validator("params")
    @classmethod
    def _are_further_fields(cls, value: dict[str, str]) -> dict[str, str]:
        for name in ("grant_type", *cls.own_fields):
            if name in value:
                raise ValueError(f"{name} is a key of auth itself; write it there, not among params")
        return value

    @property
    def address(self) -> str:
        """Return the address of what gives tokens."""
        return self.token_url

    def token(self, answer: TokenAnswer) -> Token | None:
        """Return the access token of an answer."""
        value = answer.value if answer.is_success and isinstance(answer.value, dict) else {}
        access = value.get("access_token")
        if not isinstance(access, str) or not access or not (access.isascii() and access.isprintable()):
            return None
        proofs = (Proof("header", "Authorization", f"Bearer {access}"),)
        return Token(
            proofs, _read_seconds(value.get("expires_in")), (access, *self._given(value)), self.replaced(value)
        )

    def replaced(self, value: Mapping[str, Any]) -> Mapping[str, str]:  # noqa: ARG002 - for kinds whose secrets are replaced
        """Return the secrets that an answer has in place of those that were sent, by their keys."""
        return {}

    @staticmethod
    def _given(value: Mapping[str, Any]) -> list[str]:
        """Return what else of an answer is a secret."""
        return [text for name in ("refresh_token", "id_token") if isinstance(text := value.get(name), str)]


def _read_seconds(value: Any) -> float:
    """Return how long a token is good for; without a limit where the server does not say."""
    try:
        seconds = float(value)
    except (TypeError, ValueError, OverflowError):
        return math.inf
    return seconds if seconds > 0 else math.inf
