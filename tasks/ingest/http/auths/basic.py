"""A name and a password (RFC 7617)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

from pydantic import field_validator

from tasks.config.auth import Proof, SecretReference, SigningAuth, Unsigned
from tasks.core.redaction import basic_pair


class BasicAuth(SigningAuth):
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

    def proofs(self, secrets: Mapping[str, str], request: Unsigned) -> Iterable[Proof]:  # noqa: ARG002 - the same for all
        """Return the header with both."""
        return [Proof("header", "Authorization", f"Basic {basic_pair(self.username, secrets['password'])}")]

    def derived(self, secrets: Mapping[str, str]) -> Iterable[str]:
        """Return the form that the password has beside the name."""
        return [basic_pair(self.username, secrets["password"]).rstrip("=")]
