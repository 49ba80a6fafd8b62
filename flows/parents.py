"""Sources whose partitions are rows of other sources' tables: fetched once these are made."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from tasks.config import ApiSource, Parent, PartedSource, Pipeline
from tasks.convert.table.state import CommittedTable
from tasks.core.errors import TidemillError
from tasks.core.outcome import Failed, Outcome
from tasks.core.storage import DataFolder
from tasks.ingest.early import EarlyChildren
from tasks.ingest.results import FailedPartition, LandedSource
from tasks.ingest.tasks import Ingest, land_source

Make = Callable[[str], Coroutine[Any, Any, Outcome[CommittedTable]]]


class ParentTables:
    """The sources of a run on their way, and the tables of those that others wait for.

    Such a table is made as soon as its source is landed, while others still are; `make` makes
    the table of a name. What convert finds of it later is as it was made here.
    """

    def __init__(self, pipeline: Pipeline, folder: DataFolder, make: Make) -> None:
        self._pipeline = pipeline
        self._folder = folder
        self._make = make
        self._landed = {name: asyncio.Event() for name in pipeline.parted}
        self._failed: set[str] = set()
        self._tables: dict[str, asyncio.Task[Outcome[CommittedTable]]] = {}
        self._early: defaultdict[str, list[EarlyChildren]] = defaultdict(list)
        """By the names of the sources whose records tell of them."""

    async def land(self, name: str, source: PartedSource, ingest: Ingest) -> LandedSource:
        """Return what became of a source's partitions, of which its parents' tables tell, if it has some."""
        self._failed.add(name)  # as long as it is not known to be whole
        try:
            landed = await self._land(name, source, ingest)
            if not landed.failures:
                self._failed.remove(name)
        except TidemillError as error:
            landed = LandedSource(name, [], [FailedPartition(str(error), "all")])
        finally:
            self._landed[name].set()
        return landed

    async def _land(self, name: str, source: PartedSource, ingest: Ingest) -> LandedSource:
        def watch(lines: Sequence[bytes]) -> None:
            for children in self._early[name]:
                children.see(lines)

        if not source.parents:
            return await land_source(name, source, self._folder.raw(name), ingest, watch=watch)
        from tasks.raw.parents import find_children  # noqa: PLC0415 - of parents alone is DuckDB wanted

        early = await self._begin_early(name, source, ingest)
        try:
            made = {parent.from_: await self._made(parent) for parent in source.parents.values()}
            known, told = await asyncio.to_thread(find_children, name, source, self._folder)
            raw, tables = self._folder.raw(name), [self._folder.table(each) for each in made]
            landed = await land_source(name, known, raw, ingest, watch=watch, early=early, parents=tables)
        finally:
            if early is not None:
                await early.close()
        landed.doubts = (*told, *landed.doubts)
        landed.rows_of_parents = {table: state.rows_new for table, state in made.items()}
        return landed

    async def _begin_early(self, name: str, source: PartedSource, ingest: Ingest) -> EarlyChildren | None:
        """Return the children that begin while their parent is fetched; None where its records may not tell of them."""
        tells = isinstance(source, ApiSource) and self._tells_early(source)
        if not tells or not isinstance(source, ApiSource):
            return None
        with ingest.warnings.for_source(name):
            early = EarlyChildren(name, source, self._folder.raw(name), ingest.client, ingest.robots)
            await early.open(ingest.part)
        (parent,) = source.parents.values()
        self._early[parent.from_].append(early)
        return early

    def _tells_early(self, source: ApiSource) -> bool:
        """Return whether the values of a source's only parent are plain members of records as its table has them."""
        (parent, *others) = source.parents.values()
        of = self._pipeline.parted.get(parent.from_)
        return (
            isinstance(of, ApiSource)
            and not (others or parent.where or parent.take)
            and source.auth is None
            and source.incremental is None
            and not any(each.requests.requests_per_s or each.limit for each in (source, of))
            and of.explode is None
            and of.privacy is source.privacy is None
            and of.answer.kind == "json"
            and not of.table.clean_names
            and parent.column not in of.columns
            and not any(parent.column == column.rename for column in of.columns.values())
        )

    async def _made(self, parent: Parent) -> CommittedTable:
        """Return what became of a parent's table, which is made once its source is landed.

        Raises:
            TidemillError: the source is not landed whole, or its table could not be made.

        """
        table, source = parent.from_, self._pipeline.source_of(parent.from_)
        if source in self._landed:
            await self._landed[source].wait()
        drops = parent.on_missing == "drop"
        if source in self._failed and (drops or not self._pipeline.allow_partial):
            lost = ", so that on_missing: drop would take out rows that are not gone" if drops else ""
            raise TidemillError(
                f"its parent {source} is not landed whole, and tells of too few partitions{lost}; mend that first"
            )
        if table not in self._tables:
            self._tables[table] = asyncio.create_task(self._make(table))
        outcome = await asyncio.shield(self._tables[table])
        if isinstance(outcome, Failed):
            raise TidemillError(f"its parent {table} has no table, as {outcome.message}")
        return outcome
