"""The whole pipeline."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from graphlib import CycleError, TopologicalSorter
from typing import Annotated, Literal, cast

from pydantic import Field, field_validator, model_validator

from tasks.config.alerts import Alerts
from tasks.config.base import ConfigModel, Name, mistake_at
from tasks.config.checks import as_warning
from tasks.config.exports import Exports, find_doubles
from tasks.config.kinds import check_added
from tasks.config.limit import Limit
from tasks.config.pages import PagesSource
from tasks.config.runners import RUNNERS, DeclaredRunner, Runner
from tasks.config.sources import ApiSource, ElementsSource, FilesSource, PartedSource, Source
from tasks.config.sql import SqlSource
from tasks.config.tables import MadeTable
from tasks.config.training import Training
from tasks.config.truth import Truth
from tasks.core.suggestions import did_you_mean


def _tables_of(source: Source) -> Collection[str]:
    """Return the names of the tables that are made of lists in a source's records."""
    return () if isinstance(source, PagesSource | SqlSource) else source.tables


class Pipeline(ConfigModel):
    """Everything a run needs to know: its sources, the tables made of them, and how to train on these."""

    name: Name
    """Name of the pipeline; its models lie under this name."""
    description: str = ""
    """What the pipeline is for, in a sentence."""
    sources: Annotated[dict[Name, Source], Field(min_length=1)]
    """Where rows come from; each becomes a table of the same name."""
    tables: dict[Name, MadeTable] = {}
    """Tables made of the sources' tables and of each other; a source and a table have different names."""
    runner: DeclaredRunner = cast("Runner", RUNNERS.get("processes")())
    """Where convert, the functions of tables, training and prediction do their work; processes of this machine are for training alone, and `training.runner` stands above it there."""
    training: Training | None = None
    """How to train on the tables; without it the run ends with the tables."""
    truth: Truth | None = None
    """How outcomes that become known later are joined with what was predicted, by `python -m flows truth`; without it, they are not."""
    export: dict[Name, Exports] = {}
    """Where tables are written for others to read, at the end of the run; by table one target or a list of them."""
    alerts: Alerts = ()
    """Who is told when a run fails, is late or stuck, or finds what is wrong: one mapping or a list of them; `python -m flows deploy` makes it so."""
    allow_partial: bool = False
    """Convert and train also when a part of a stage before failed."""
    overlap: Literal["wait", "skip", "fail"] = "wait"
    """What a run does that begins while another of the pipeline works in the same data folder: wait for its end, end as skipped, or fail."""
    extensions: tuple[str, ...] = ()
    """Kinds of your own, by their paths module:Class; they are imported, which only a pipeline file on disk may ask for."""

    @field_validator("extensions")
    @classmethod
    def _is_added(cls, paths: tuple[str, ...]) -> tuple[str, ...]:
        check_added(paths)
        return paths

    @model_validator(mode="after")
    def _names_each_table_once(self) -> Pipeline:
        names = [*self.sources]
        for source, name in ((s, n) for s, each in self.sources.items() for n in _tables_of(each)):
            if name in names:
                raise mistake_at(
                    ("sources", source, "tables", name), f"there is a table {name} already; choose another name"
                )
            names.append(name)
        if both := sorted({*names} & self.tables.keys()):
            raise mistake_at(("tables", both[0]), f"there is a source's table {both[0]} already; choose another name")
        return self

    @model_validator(mode="after")
    def _predicts_what_comes_true(self) -> Pipeline:
        if self.truth is None:
            return self
        if self.training is None:
            raise mistake_at(
                ("truth",), "is of predictions, and the pipeline trains nothing; add training, or take it out"
            )
        if self.training.target in self.truth.key:
            target = self.training.target
            raise mistake_at(
                ("truth", "key"),
                f"{target!r} is the target, which is not known when it is predicted; name what identifies a row",
            )
        return self

    @model_validator(mode="after")
    def _exports_its_tables_once(self) -> Pipeline:
        for name in self.export:
            if name not in self.table_names:
                cure = did_you_mean(name, sorted(self.table_names))
                raise mistake_at(("export", name), f"the pipeline makes no table {name!r}; {cure}")
        for name, mistake in find_doubles(self.export):
            raise mistake_at(("export", name), mistake)
        return self

    @model_validator(mode="after")
    def _finds_each_parent(self) -> Pipeline:
        for name, source in self.parted.items():
            for key, parent in source.parents.items():
                at = ("sources", name, source.kind, "partitions", key, "column", "from")
                if parent.from_ in self.tables:
                    raise mistake_at(
                        at, f"{parent.from_} is made of other tables once all is fetched; name the table of a source"
                    )
                if parent.from_ not in self.converted:
                    raise mistake_at(
                        at, f"no source has the table {parent.from_!r}; {did_you_mean(parent.from_, self.converted)}"
                    )
        try:
            TopologicalSorter(self.parents).prepare()
        except CycleError as error:
            first, *_ = circle = [*reversed(error.args[1])]
            raise mistake_at(
                ("sources", first, self.sources[first].kind, "partitions"),
                f"{' -> '.join(circle)} is a circle, in which each is fetched once the one before is; take one of them out",
            ) from None
        return self

    @property
    def training_runner(self) -> Runner:
        """Return where candidates are fitted."""
        declared = self.training.runner if self.training is not None else None
        return self.runner if declared is None else declared

    @property
    def parents(self) -> dict[str, set[str]]:
        """Return the sources that are fetched before each source, as their tables say which partitions it has."""
        return {
            name: {self.source_of(parent.from_) for parent in source.parents.values()}
            for name, source in self.parted.items()
        }

    def source_of(self, table: str) -> str:
        """Return the name of the source whose rows a table holds, or elements of them."""
        source = self.converted[table]
        return source.of if isinstance(source, ElementsSource) else table

    @property
    def converted(self) -> dict[str, Source]:
        """Return every table that is made of what was received, by its name, with the source of its rows."""
        found: dict[str, Source] = {}
        for name, source in self.sources.items():
            found |= {name: source, **({} if isinstance(source, PagesSource | SqlSource) else source.elements(name))}
        return found

    @property
    def table_names(self) -> tuple[str, ...]:
        """Return the names of all tables that runs make."""
        return (*self.converted, *self.tables)

    @property
    def parted(self) -> dict[str, PartedSource]:
        """Return the sources whose rows are landed, partition by partition: of APIs, web pages and databases."""
        return {name: s for name, s in self.sources.items() if not isinstance(s, FilesSource)}

    @property
    def fetched(self) -> dict[str, ApiSource | PagesSource]:
        """Return the sources that are fetched over HTTP."""
        return {name: s for name, s in self.parted.items() if not isinstance(s, SqlSource)}

    def until(self, now: datetime) -> Pipeline:
        """Return the same pipeline with each open end of its dates at a time, so that all of a run has the same partitions."""
        return self.model_copy(
            update={"sources": {**self.sources, **{n: s.until(now) for n, s in self.parted.items()}}}
        )

    def limited(self, limit: Limit) -> Pipeline:
        """Return the same pipeline of which a run takes little of each source, exports nothing, and tells nobody."""
        sources = {name: source.limited(limit) for name, source in self.sources.items()}
        tables = {
            name: table.model_copy(update={"checks": tuple(map(as_warning, table.checks))})
            for name, table in self.tables.items()
        }
        return self.model_copy(update={"sources": sources, "tables": tables, "truth": None, "export": {}, "alerts": ()})
