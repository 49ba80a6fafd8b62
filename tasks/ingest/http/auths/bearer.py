"""A bearer token (RFC 6750)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import ClassVar, Literal

from tasks.config.auth import Proof, SecretReference, SigningAuth, Unsigned


class BearerAuth(SigningAuth):
    """A bearer token in the Authorization header."""

    in_turn: ClassVar[tuple[str, str] | None] = ("tokens", "token")
    kind: Literal["bearer"] = "bearer"
    """Kind of authentication."""
    token: SecretReference | None = None
    """Where the token is held: {env: NAME} or {secret_block: name}."""
    tokens: tuple[SecretReference, ...] = ()
    """Where each of several tokens is held, in place of token: requests go to the one whose budget allows it, and one that is used up does not stop the others, e.g. [{env: TOKEN_1}, {env: TOKEN_2}]."""

    def proofs(self, secrets: Mapping[str, str], request: Unsigned) -> Iterable[Proof]:  # noqa: ARG002 - the same for all
        """Return the header with the token."""
        return [Proof("header", "Authorization", f"Bearer {secrets['token']}")]
