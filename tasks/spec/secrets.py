"""Where a secret comes from: the pipeline file names it and never holds it."""

from __future__ import annotations

import re

from pydantic import field_validator, model_validator

from tasks.spec.base import Part

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class SecretReference(Part):
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
