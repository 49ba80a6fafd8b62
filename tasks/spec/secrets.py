"""Where a secret comes from: the pipeline file names it and never holds it."""

from __future__ import annotations

from pydantic import model_validator

from tasks.spec.base import Part


class SecretReference(Part):
    """Where a secret is held: an environment variable or a Prefect Secret block."""

    env: str | None = None
    """Name of the environment variable that holds it."""
    secret_block: str | None = None
    """Name of the Prefect Secret block that holds it."""

    @model_validator(mode="after")
    def _is_one(self) -> SecretReference:
        if bool(self.env) == bool(self.secret_block):
            raise ValueError("name one place where the secret is held: {env: NAME} or {secret_block: name}")
        return self
