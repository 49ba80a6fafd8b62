"""A bearer token (RFC 6750)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

from tasks.config.auth import Proof, SecretReference, SigningAuth, Unsigned


class BearerAuth(SigningAuth):
    """A bearer token in the Authorization header."""

    kind: Literal["bearer"] = "bearer"
    """Kind of authentication."""
    token: SecretReference
    """Where the token is held: {env: NAME} or {secret_block: name}."""

    def proofs(self, secrets: Mapping[str, str], request: Unsigned) -> Iterable[Proof]:  # noqa: ARG002 - the same for all
        """Return the header with the token."""
        return [Proof("header", "Authorization", f"Bearer {secrets['token']}")]
