"""Training: the rows to learn from, how they are split, the candidates, and where they are fitted."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, field_validator, model_validator

from tasks.config.base import ConfigModel, Duration, Name, NonEmpty, Query, mistake_at
from tasks.config.decision import DecisionRule
from tasks.config.ensembles import Stack, Vote
from tasks.config.labels import Label, ParamValue, write_label
from tasks.config.limit import MemoryLimit, TimeLimit
from tasks.config.runners import DeclaredRunner
from tasks.config.slices import DeclaredSlicing, Slicing
from tasks.config.trusted import check_trusted
from tasks.core.suggestions import did_you_mean

TestFraction = Annotated[float, Field(gt=0, lt=1)]
Folds = Annotated[int, Field(ge=2, le=50)]
# Left out of a dump where it says nothing: what is known by the dump of a split stays known.
Repeats = Annotated[int, Field(ge=1, le=50, exclude_if=lambda repeats: repeats == 1)]
Gap = Annotated[Annotated[Duration, Field(gt=timedelta(0))] | None, Field(exclude_if=lambda gap: gap is None)]


class RandomSplit(ConfigModel):
    """Rows are held out at random."""

    by: Literal["random"] = "random"
    """Kind of split."""
    test_fraction: TestFraction = 0.2
    """Share of the rows held out for the test."""
    stratify: bool = True
    """Keep the shares of the classes the same in the hold-out and in every fold."""
    folds: Folds = 5
    """Parts of the training rows; each is judged once by a model fitted on the others."""
    repeats: Repeats = 1
    """How often the training rows are parted into folds, each time shuffled anew: more fits, and narrower intervals."""


class TimeSplit(ConfigModel):
    """The latest rows are held out; rows of one moment stay on one side."""

    by: Literal["time"] = "time"
    """Kind of split."""
    column: str
    """Column of the training set that tells the time; it is not a feature."""
    test_fraction: TestFraction = 0.2
    """Share of the rows held out for the test."""
    folds: Folds = 5
    """Spans of the training rows; each is judged by a model fitted on all that came before it."""
    gap: Gap = None
    """Time before what is tested of which no row is trained on, e.g. 7d where a target is known a week later; in the hold-out, the folds and a search alike."""


class GroupSplit(ConfigModel):
    """Whole groups are held out, so that no group is on both sides: patients, shops, machines."""

    by: Literal["group"] = "group"
    """Kind of split."""
    column: str
    """Column of the training set that names the group; it is not a feature."""
    test_fraction: TestFraction = 0.2
    """Share of the groups held out for the test."""
    folds: Folds = 5
    """Parts of the training groups; each is judged once by a model fitted on the others."""
    repeats: Repeats = 1
    """How often the training groups are parted into folds, each time shuffled anew, above 1 without regard to classes."""


class OwnSplit(ConfigModel):
    """Rows are held out and parted into folds by a splitter of one's own: the test rows of its last pair are held out, and of those that train there it makes the folds."""

    by: Literal["own"] = "own"
    """Kind of split."""
    splitter: str
    """Import path of a splitter of a package that `trusted` names, e.g. my_package.splits.Blocks."""
    params: dict[str, ParamValue] = {}
    """Parameters of the splitter; a random_state is the seed unless it is set."""
    columns: Annotated[tuple[NonEmpty, ...], Field(min_length=1)]
    """Columns of the training set that it is given, as a frame; they are no features."""


Split = Annotated[RandomSplit | TimeSplit | GroupSplit | OwnSplit, Field(discriminator="by")]


class GridSearch(ConfigModel):
    """Every combination of the values, narrowed down by successive halving."""

    by: Literal["grid"] = "grid"
    """Kind of search."""
    space: Annotated[dict[str, Annotated[list[ParamValue], Field(min_length=1)]], Field(min_length=1)]
    """Values to try, by parameter of the estimator."""


class Between(ConfigModel):
    """Numbers drawn between two bounds."""

    low: float
    """Smallest number."""
    high: float
    """Largest number."""
    log: bool = False
    """Draw evenly over orders of magnitude; both bounds are then above zero."""
    whole: bool = False
    """Draw whole numbers only, both bounds included."""

    @model_validator(mode="after")
    def _ascend(self) -> Between:
        if self.low >= self.high:
            raise ValueError(f"low {self.low:g} is not below high {self.high:g}; write the smaller number first")
        if self.whole and (self.low % 1 or self.high % 1):
            raise ValueError(f"whole needs whole bounds, not {self.low:g} and {self.high:g}; round them")
        if self.log and self.low <= 0:
            raise ValueError(f"log needs bounds above zero, and low is {self.low:g}; raise it, or take log out")
        return self


Choices = Annotated[
    Annotated[list[ParamValue], Field(min_length=1), Tag("list")] | Annotated[Between, Tag("between")],
    Discriminator(lambda value: "between" if isinstance(value, dict | Between) else "list"),
]


class RandomSearch(ConfigModel):
    """Combinations drawn at random, narrowed down by successive halving."""

    by: Literal["random"] = "random"
    """Kind of search."""
    n: Annotated[int, Field(ge=2, le=1000)] = 20
    """Combinations to draw."""
    space: Annotated[dict[str, Choices], Field(min_length=1)]
    """Values to draw from, by parameter of the estimator: a list, or {low, high, log, whole}."""


Search = Annotated[GridSearch | RandomSearch, Field(discriminator="by")]


class Transformer(ConfigModel):
    """A transformer of one's own, which makes features of columns."""

    transformer: str
    """Import path of a transformer of a package that `trusted` names, e.g. my_package.features.Ratio."""
    params: dict[str, ParamValue] = {}
    """Parameters of the transformer."""
    columns: Annotated[tuple[NonEmpty, ...], Field(min_length=1)]
    """Columns that it is given, as a frame: numbers, times and truths as numbers, texts as texts, NaN where one is missing; a model sees of them what it makes, and nothing else."""


class Preprocessing(ConfigModel):
    """How columns become numbers; what is not said is chosen by column type and estimator."""

    numbers: Literal["auto", "impute", "scale", "none"] = "auto"
    """impute: the median for what is missing; scale: that, and mean 0 and variance 1; none: as they are."""
    texts: Literal["auto", "one_hot", "codes", "words", "drop"] = "auto"
    """one_hot: a column a category; codes: a number a category, native where the estimator knows categories; words: TF-IDF of the words, as auto takes for long texts; drop: leave texts out."""
    times: Literal["auto", "seconds", "parts", "drop"] = "auto"
    """seconds: since 1970; parts: year, month, day, weekday and hour; auto: both; drop: leave times out."""
    min_frequency: Annotated[float, Field(ge=0, lt=1)] = 0.001
    """Categories rarer than this share of the rows are one category together."""
    transformers: Annotated[tuple[Transformer, ...], Field(exclude_if=lambda own: not own)] = ()
    """Transformers of your own for some of the columns, each given once at most; the others are treated as ever."""

    @field_validator("transformers")
    @classmethod
    def _take_a_column_once(cls, transformers: tuple[Transformer, ...]) -> tuple[Transformer, ...]:
        taken = [name for each in transformers for name in each.columns]
        if twice := next((name for name in taken if taken.count(name) > 1), None):
            raise ValueError(f"transformers take {twice!r} twice; take it out of one, or name it twice in the query")
        return transformers


class EarlyStopping(ConfigModel):
    """Boosting that ends where it no longer gains on rows that it does not learn from."""

    fraction: TestFraction = 0.1
    """Share of the rows of each fit that is held back for it, in the way of the split: the latest, whole groups, or at random."""
    rounds: Annotated[int, Field(ge=1, le=10_000)] = 10
    """Rounds without a gain after which it ends."""


def _name_of_preprocessing(value: Any) -> str:
    return "parts" if isinstance(value, dict | Preprocessing) else "word"


class Candidate(ConfigModel):
    """One model to be trained and judged."""

    estimator: str
    """Import path of an estimator of scikit-learn, xgboost, lightgbm, catboost or a package that `trusted` names, e.g. sklearn.linear_model.LogisticRegression."""
    params: dict[str, ParamValue] = {}
    """Parameters of the estimator; classes are written as the target has them, e.g. class_weight: {0: 1, 1: 10}."""
    search: Search | None = None
    """Parameters to be tuned, within each fit and on its training rows only."""
    early_stopping: Annotated[EarlyStopping | None, Field(exclude_if=lambda told: told is None)] = None
    """Of boosting: when it ends, by rows of its own fit; without it, as the library does, which may hold back rows at random."""
    preprocessing: Annotated[
        Annotated[Literal["auto", "none"], Tag("word")] | Annotated[Preprocessing, Tag("parts")],
        Discriminator(_name_of_preprocessing),
    ] = "auto"
    """auto: impute, scale and encode as the columns and the estimator need; none: numbers as they are; or {numbers, texts, times}."""
    calibrate: Literal["sigmoid", "isotonic"] | None = None
    """How its probabilities are corrected to mean what they say, within each fit, which then takes five more (by time one less): sigmoid for few rows, isotonic for thousands."""
    time_limit_s: TimeLimit = 3600
    """Seconds that one fit may take, its scoring included; a longer one is killed, and the candidate has failed."""
    memory_limit_mb: MemoryLimit = None
    """Memory that one fit may use, in MiB, its share of the training set included; without it, what the machine has."""

    @property
    def members(self) -> tuple[str, ...]:
        """Return the candidates that it is made of: it is one by itself."""
        return ()

    @property
    def words(self) -> str:
        """Return what it is in a few words."""
        parameters = ", ".join(f"{key}={value}" for key, value in self.params.items())
        return f"{self.estimator.rsplit('.', 1)[-1]}({parameters})"

    @property
    def transformers(self) -> tuple[Transformer, ...]:
        """Return its transformers of the user's own."""
        return self.preprocessing.transformers if isinstance(self.preprocessing, Preprocessing) else ()


def _kind_of_candidate(value: Any) -> str:
    keys = value if isinstance(value, dict) else type(value).model_fields if isinstance(value, ConfigModel) else ()
    return next((kind for kind in ("vote", "stack") if kind in keys), "estimator")


AnyCandidate = Candidate | Vote | Stack
DeclaredCandidate = Annotated[
    Annotated[Candidate, Tag("estimator")] | Annotated[Vote, Tag("vote")] | Annotated[Stack, Tag("stack")],
    Discriminator(_kind_of_candidate),
]


class Promotion(ConfigModel):
    """When the best candidate takes the champion's place."""

    when: Literal["better", "always", "never"] = "better"
    """better: when it beats the champion on the same hold-out by more than noise; always; never: by `models promote` only."""
    confidence: Annotated[float, Field(gt=0.5, lt=1)] = 0.95
    """How sure it must be that the difference is no noise."""


class QueryLimits(ConfigModel):
    """What the query of a training may take; a prediction's query has the same limits."""

    time_limit_s: TimeLimit = 3600
    """Seconds; a query that takes longer is ended, and the stage with it."""
    memory_limit_mb: MemoryLimit = None
    """Memory in MiB, beyond which it spills to the data folder's disk; without it, half of what the machine has."""


class Training(ConfigModel):
    """How to train on the pipeline's tables."""

    query: Query
    """SQL (DuckDB) over the tables, named as their sources, or the name of a table; in a pipeline file, the name of a .sql file beside it."""
    target: str
    """Column of the query's result to be predicted."""
    task: Literal["classification", "regression"] | None = None
    """What is predicted: a class or an amount; without it, the target's type and distinct values decide: texts, truths and up to 20 whole numbers are classes."""
    positive: Label | None = None
    """Of two classes the one that f1, precision, recall, average_precision and their like are of; without it, the rarer one."""
    query_limits: QueryLimits = QueryLimits()
    """What the query may take."""
    decision: DecisionRule | None = None
    """How predictions of two classes become decisions; without it, they stay probabilities."""
    metric: str = "accuracy"
    """What ranks the candidates: a scorer of scikit-learn, e.g. roc_auc, accuracy, neg_log_loss, r2, or a metric of an extension."""
    weights: str | None = None
    """Column of the query's result that says how much each row counts, above zero: in fits, and in every figure; it is no feature."""
    split: Split = RandomSplit()
    """How rows are held out for the test, and the others split into folds."""
    sample_rows: Annotated[int, Field(ge=10)] | None = None
    """Learn from at most this many rows, drawn with the seed; without it, from all."""
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 42
    """Seed of the sample, the split, the search and every candidate that takes a random_state."""
    runner: DeclaredRunner | None = None
    """Where candidates are fitted; without it, where the pipeline's `runner` says."""
    finalists: Annotated[int, Field(ge=1, le=20)] = 3
    """The best candidates by cross-validation, which alone are judged on the hold-out."""
    learning_curve: bool = True
    """Whether it is measured what the best candidate scores after learning from less, at as many shares of the rows as its `time_limit_s` holds, by what its folds took; it costs 1.2 to 1.7 times its folds, more where predicting is slow."""
    coverage: Annotated[float, Field(ge=0.5, lt=1)] | None = None
    """Share of rows whose truth is to lie between the ends of their intervals, or in their sets of classes, which predictions then have; without it, they have none."""
    slices: list[DeclaredSlicing] = []
    """Columns by whose values the best candidate's score on the hold-out is told apart: a name, or {column, bins, feature}."""
    trusted: Annotated[tuple[str, ...], Field(exclude_if=lambda names: not names)] = ()
    """Packages of your own, or modules in them, whose classes candidates may name, as my_package.models.Nearest; their code is run, which only a pipeline file on disk may ask for."""
    promotion: Promotion = Promotion()
    """The policy by which the best candidate takes the champion's place."""
    candidates: Annotated[dict[Name, DeclaredCandidate], Field(min_length=1)]
    """The models to compare; a dummy baseline is always added."""

    @model_validator(mode="before")
    @classmethod
    def _take_positive_of_decision(cls, value: Any) -> Any:
        """Return the section with the positive class where else it is looked for."""
        rule = value.get("decision") if isinstance(value, dict) else None
        told = rule.get("positive") if isinstance(rule, dict) else getattr(rule, "positive", None)
        return value if told is None or value.get("positive") is not None else {**value, "positive": told}

    @property
    def fitted(self) -> dict[str, Candidate]:
        """Return what is fitted by its key below candidates: those that are no ensembles, and the final models of stacks."""
        single = {name: each for name, each in self.candidates.items() if isinstance(each, Candidate)}
        finals = {name: each.final for name, each in self.candidates.items() if isinstance(each, Stack)}
        return single | {
            f"{name}.final": Candidate(estimator=final.estimator, params=final.params, preprocessing="none")
            for name, final in finals.items()
            if final is not None
        }

    @property
    def slicings(self) -> tuple[Slicing, ...]:
        """Return the columns of slices, each with what is said of it."""
        return tuple(each if isinstance(each, Slicing) else Slicing(column=each) for each in self.slices)

    @field_validator("slices")
    @classmethod
    def _name_a_column_once(cls, slices: list[str | Slicing]) -> list[str | Slicing]:
        names = [each.column if isinstance(each, Slicing) else each for each in slices]
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise ValueError(f"slices has {twice!r} twice; take one of them out")
        return slices

    @field_validator("trusted")
    @classmethod
    def _is_trusted_by_a_file(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        check_trusted(names)
        return names

    @field_validator("candidates")
    @classmethod
    def _know_members(cls, candidates: dict[str, AnyCandidate]) -> dict[str, AnyCandidate]:
        single = [name for name, candidate in candidates.items() if isinstance(candidate, Candidate)]
        ensembles = {name: each for name, each in candidates.items() if not isinstance(each, Candidate)}
        for name, candidate in ensembles.items():
            kind, members = candidate.kind, candidate.members
            for member in members:
                if member == name:
                    what = f"{name} is a member of itself; take it out"
                elif member in candidates and member not in single:
                    what = f"{member} is an ensemble itself; name its members"
                elif member not in candidates:
                    what = f"{member!r} is no candidate of this training; {did_you_mean(member, single)}"
                elif members.count(member) > 1:
                    what = f"{member} is there twice; take one out, or give it a greater weight"
                else:
                    continue
                raise mistake_at((name, kind, kind), what)
        return candidates

    @model_validator(mode="after")
    def _fits_the_task(self) -> Training:
        if self.positive is not None and self.task == "regression":
            raise ValueError(f"positive {write_label(self.positive)} is a class, and regression has none; take it out")
        if self.decision is not None and self.task == "regression":
            raise ValueError("decision is between two classes, and regression has none; take it out")
        named = self.decision.positive if self.decision is not None else None
        if named is not None and self.positive is not None and write_label(named) != write_label(self.positive):
            told = f"positive is {write_label(self.positive)}, and decision.positive is {write_label(named)}"
            raise ValueError(f"{told}; keep one of them")
        if self.weights == self.target:
            raise ValueError(f"weights and target are both {self.target!r}; name the column of weights")
        return self
