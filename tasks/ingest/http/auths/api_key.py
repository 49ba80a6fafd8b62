"""A key in a header, a query parameter or the JSON body."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import ConfigDict, Field, model_validator

from tasks.config.auth import Proof, SecretReference, SigningAuth, Unsigned
from tasks.config.base import NonEmpty
from tasks.config.http import check_header_name


class ApiKeyAuth(SigningAuth):
    """A key in a header, a query parameter or the JSON body."""

    # Of a model with an attribute `keys`, dict() would call it, as Prefect does.
    model_config = ConfigDict(serialize_by_alias=True, validate_by_name=True, validate_by_alias=True)
    in_turn: ClassVar[tuple[str, str] | None] = ("keys_", "key")
    kind: Literal["api_key"] = "api_key"
    """Kind of authentication."""
    name: NonEmpty
    """Name of the header, the query parameter or the key of the body, e.g. X-Api-Key."""
    place: Literal["header", "query", "body"] = "header"
    """Where the key is sent."""
    key: SecretReference | None = None
    """Where the key is held: {env: NAME} or {secret_block: name}."""
    keys_: Annotated[tuple[SecretReference, ...], Field(alias="keys")] = ()
    """Where each of several keys is held, in place of key: requests go to the one whose budget allows it, and one that is used up does not stop the others, e.g. [{env: KEY_1}, {env: KEY_2}]."""

    @model_validator(mode="after")
    def _has_a_name(self) -> ApiKeyAuth:
        if self.place == "header":
            check_header_name(self.name)
        return self

    @property
    def secret_params(self) -> Collection[str]:
        """Return the query parameter that holds the key."""
        return (self.name,) if self.place == "query" else ()

    def proofs(self, secrets: Mapping[str, str], request: Unsigned) -> Iterable[Proof]:  # noqa: ARG002 - the same for all
        """Return the key in its place."""
        return [Proof(self.place, self.name, secrets["key"])]
