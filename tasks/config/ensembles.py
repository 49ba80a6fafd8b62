"""Ensembles: candidates that are made of other candidates of the same training."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from tasks.config.base import ConfigModel, Name
from tasks.config.labels import ParamValue
from tasks.config.limit import MemoryLimit, TimeLimit

Members = Annotated[list[Name], Field(min_length=2)]


class Vote(ConfigModel):
    """The mean of what other candidates say: of probabilities of classes, or of amounts; nothing more is fitted to rank it."""

    vote: Members
    """Other candidates of this training, by their names."""
    weights: list[Annotated[float, Field(ge=1e-9, le=1e9, strict=True)]] | None = None
    """How much each counts, in their order; without it, all alike."""
    time_limit_s: TimeLimit = 3600
    """Seconds that a fold, or its judgement on the hold-out, may take; its members have their own."""
    memory_limit_mb: MemoryLimit = None
    """Memory that the same may use, in MiB; without it, what the machine has."""

    @property
    def members(self) -> tuple[str, ...]:
        """Return the candidates that it is made of."""
        return tuple(self.vote)

    @property
    def kind(self) -> str:
        """Return the key that says what it is."""
        return "vote"

    @property
    def words(self) -> str:
        """Return what it is in a few words."""
        return f"vote of {', '.join(self.vote)}"

    @model_validator(mode="after")
    def _weigh_each(self) -> Vote:
        if self.weights is not None and len(self.weights) != len(self.vote):
            raise ValueError(
                f"weights has {len(self.weights)} and vote {len(self.vote)} entries; give one weight for each member"
            )
        return self


class FinalModel(ConfigModel):
    """What learns how much to trust each member of a stack."""

    estimator: str
    """Import path of an estimator, as of a candidate."""
    params: dict[str, ParamValue] = {}
    """Parameters of the estimator, as of a candidate."""


class Stack(ConfigModel):
    """A model over what other candidates say, fitted on what their folds said of rows that they had not learnt from; or shares that are."""

    stack: Members
    """Other candidates of this training, by their names."""
    final: FinalModel | None = None
    """What is fitted on what they say; without it, of classes the shares of a mean, of amounts scikit-learn's RidgeCV."""
    time_limit_s: TimeLimit = 3600
    """Seconds that a fold, or its judgement on the hold-out, may take; its members have their own."""
    memory_limit_mb: MemoryLimit = None
    """Memory that the same may use, in MiB; without it, what the machine has."""

    @property
    def members(self) -> tuple[str, ...]:
        """Return the candidates that it is made of."""
        return tuple(self.stack)

    @property
    def kind(self) -> str:
        """Return the key that says what it is."""
        return "stack"

    @property
    def words(self) -> str:
        """Return what it is in a few words."""
        return f"stack of {', '.join(self.stack)}"
