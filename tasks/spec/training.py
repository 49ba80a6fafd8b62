"""Training: the rows to learn from, how they are split, and the candidates."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, JsonValue

from tasks.spec.base import Name, Part

TestFraction = Annotated[float, Field(gt=0, lt=1)]


class RandomSplit(Part):
    """Rows are held out at random."""

    by: Literal["random"] = "random"
    """Kind of split."""
    test_fraction: TestFraction = 0.2
    """Share of the rows held out for the test."""
    stratify: bool = True
    """Keep the shares of the classes the same on both sides."""


class TimeSplit(Part):
    """The latest rows are held out; rows of one moment stay on one side."""

    by: Literal["time"] = "time"
    """Kind of split."""
    column: str
    """Column of the training set that tells the time; it is not a feature."""
    test_fraction: TestFraction = 0.2
    """Share of the rows held out for the test."""


Split = Annotated[RandomSplit | TimeSplit, Field(discriminator="by")]


class Candidate(Part):
    """One model to be trained and judged."""

    estimator: str
    """Import path of a scikit-learn estimator, e.g. sklearn.linear_model.LogisticRegression."""
    params: dict[str, JsonValue] = {}
    """Parameters of the estimator."""
    preprocessing: Literal["auto", "none"] = "auto"
    """auto: impute, scale and encode as the columns and the estimator need; none: numbers as they are."""


class Training(Part):
    """How to train on the pipeline's tables."""

    query: Annotated[str, Field(min_length=1)]
    """SQL (DuckDB) over the tables, named as their sources; in a pipeline file, the name of a .sql file beside it."""
    target: str
    """Column of the query's result to be predicted."""
    metric: str = "accuracy"
    """scikit-learn scorer that ranks the candidates, e.g. roc_auc, accuracy, neg_log_loss, r2."""
    split: Split = RandomSplit()
    """How rows are held out for the test."""
    sample_rows: Annotated[int, Field(ge=10)] | None = None
    """Learn from at most this many rows, drawn with the seed; without it, from all."""
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 42
    """Seed of the sample, the split and every candidate that takes a random_state."""
    workers: Annotated[int, Field(ge=1, le=256)] | None = None
    """Processes that train at once; without it, one a core."""
    candidates: Annotated[dict[Name, Candidate], Field(min_length=1)]
    """The models to compare; a dummy baseline is always added."""
