"""OpenLineage events of a run, for who has a catalogue: what it made of what, by the client's own configuration; else nothing is imported.

The run of a pipeline is a job, and each table, training set and model that it
makes is a job in it. A thread sends them, which the run awaits for a few seconds
at its end: a catalogue that is down is told of once, and ends nothing.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit
from uuid import UUID, uuid5

from tasks.core.storage import DataFolder
from tasks.lineage.records import (
    LINEAGE,
    Made,
    TableRecord,
    TrainingRecord,
    Upstream,
    read_table_record,
    read_training_record,
)
from tasks.train.registry import list_versions

if TYPE_CHECKING:
    from openlineage.client import OpenLineageClient
    from openlineage.client.event_v2 import InputDataset, RunEvent

_SETTINGS = ("OPENLINEAGE_URL", "OPENLINEAGE_CONFIG")
_TRANSPORT = "OPENLINEAGE__TRANSPORT"
_FILE = "openlineage.yml"
_TIMEOUT_S = 2.0
_MOST_SECONDS = 10.0
_LIBRARY = "openlineage"

_Send = Callable[[], Iterable["RunEvent"]]


def begin_events(pipeline: str, run: str, folder: DataFolder, warn: Callable[[str], None]) -> LineageEvents | None:
    """Tell that a run begins; None where the client is not configured, or is switched off."""
    if os.environ.get("OPENLINEAGE_DISABLED", "").strip().lower() == "true":
        return None
    is_set = any(os.environ.get(name) for name in _SETTINGS) or any(name.startswith(_TRANSPORT) for name in os.environ)
    return LineageEvents(pipeline, run, folder, warn) if is_set or Path(_FILE).is_file() else None


class LineageEvents:
    """The events of one run."""

    def __init__(self, pipeline: str, run: str, folder: DataFolder, warn: Callable[[str], None]) -> None:
        self._book = _Book(pipeline, run, folder)
        self._warn = warn
        self._sender = _Sender()
        began = datetime.now(UTC)
        self._sender.queue.put(lambda: [self._book.of_run("START", began)])
        self._sender.start()

    async def end(self, tables: Iterable[str], error: BaseException | None) -> None:
        """Tell what the run made, of all `tables` that it may have made, and how it ended."""
        ended = datetime.now(UTC)
        self._sender.queue.put(lambda: self._book.of_all(tables))
        self._sender.queue.put(lambda: [self._book.of_run(_name_end(error), ended, error)])
        self._sender.queue.put(None)
        await asyncio.to_thread(self._sender.join, _MOST_SECONDS)
        mistake = f"did not take them within {_MOST_SECONDS:.0f} s" if self._sender.is_alive() else self._sender.mistake
        if mistake:
            self._warn(f"the OpenLineage events of the run are not all sent: {mistake}")


def _name_end(error: BaseException | None) -> Literal["COMPLETE", "FAIL", "ABORT"]:
    """Return how a run ended; it is cancelled by what is no Exception."""
    if error is None:
        return "COMPLETE"
    return "FAIL" if isinstance(error, Exception) else "ABORT"


class _Sender(threading.Thread):
    """What sends events, one after the other, until one is not taken; an end of the process does not wait for it."""

    def __init__(self) -> None:
        super().__init__(name="openlineage", daemon=True)
        self.queue: SimpleQueue[_Send | None] = SimpleQueue()
        self.mistake = ""

    def run(self) -> None:
        try:
            client = _make_client()
        except ImportError as error:
            self.mistake = (
                f"{error.name} is not installed; pip install tidemill[openlineage], or set OPENLINEAGE_DISABLED=true"
            )
            return
        except Exception as error:  # noqa: BLE001 - whatever a configuration leads to
            self.mistake = f"the client cannot be made as it is configured: {error}; correct that, or set OPENLINEAGE_DISABLED=true"
            return
        try:
            while (make := self.queue.get()) is not None:
                for event in make():
                    client.emit(event)
            client.close(_TIMEOUT_S)
        except Exception as error:  # noqa: BLE001 - each transport has errors of its own
            self.mistake = (
                f"{error}; see that what the client is configured for takes them, or set OPENLINEAGE_DISABLED=true"
            )


def _make_client() -> OpenLineageClient:
    """Return the client as it is configured, but that it tries once, and not for long."""
    from openlineage.client import OpenLineageClient  # noqa: PLC0415 - an extra
    from openlineage.client.facet_v2 import set_producer  # noqa: PLC0415 - an extra
    from openlineage.client.transport.http import HttpTransport  # noqa: PLC0415 - an extra

    if not os.environ.get("OPENLINEAGE_CLIENT_LOGGING"):
        logging.getLogger(_LIBRARY).setLevel(logging.CRITICAL)  # told once, in our words
    set_producer(f"urn:tidemill:{version('tidemill')}")
    before = set(os.environ)
    client = OpenLineageClient()
    for name in [each for each in os.environ if each.startswith(_TRANSPORT) and each not in before]:
        del os.environ[name]  # the client writes there what it reads of OPENLINEAGE_URL, and would keep to it
    for transport in getattr(client.transport, "transports", [client.transport]):
        if isinstance(transport, HttpTransport):
            transport.timeout = min(transport.timeout, _TIMEOUT_S)
            transport.config.retry = {**transport.config.retry, "total": 0}
    return client


class _Book:
    """What events say of a run and of what it made."""

    def __init__(self, pipeline: str, run: str, folder: DataFolder) -> None:
        self._pipeline, self._run, self._folder = pipeline, run, folder
        self._namespace = os.environ.get("OPENLINEAGE_NAMESPACE") or "tidemill"

    def of_run(self, kind: str, at: datetime, error: BaseException | None = None) -> RunEvent:
        """Return an event of the run itself."""
        from openlineage.client.event_v2 import Job, Run, RunEvent, RunState  # noqa: PLC0415 - an extra
        from openlineage.client.facet_v2 import error_message_run  # noqa: PLC0415 - an extra

        said = {"errorMessage": error_message_run.ErrorMessageRunFacet(str(error), "python")} if error else {}
        return RunEvent(
            eventTime=at.isoformat(timespec="milliseconds"),
            eventType=RunState[kind],
            run=Run(self._run, dict(said)),
            job=Job(self._namespace, self._pipeline),
        )

    def of_all(self, tables: Iterable[str]) -> Iterator[RunEvent]:
        """Yield an event of each table, the training set and the model that the run made, in this order."""
        for name in tables:
            record = read_table_record(self._folder.table(name))
            if record is not None and record.made.flow_run == self._run:
                yield self._of_table(record)
        place = self._folder.training(self._pipeline)
        training = read_training_record(place / LINEAGE)
        if training is not None and training.made.flow_run == self._run:
            yield self._of_training_set(training)
        models = self._folder.models(self._pipeline)
        for each in list_versions(models):
            if each.flow_run == self._run:
                learnt = [self._set("input", self._training_set, each.training_set)]
                made = self._set("output", models, each.name)
                yield self._child("model", each.created, learnt, made)

    @property
    def _training_set(self) -> Path:
        return self._folder.training(self._pipeline) / "training_set.arrow"

    def _of_table(self, record: TableRecord) -> RunEvent:
        inputs = self._tables(Upstream(record.inputs))
        if not record.made.query and record.made.kind != "python":
            inputs = [*map(self._origin, record.made.of), *inputs]
        place = self._folder.table(record.name)
        made = self._set("output", place, record.rows, record.types, record.total)
        return self._child(f"tables.{record.name}", record.made.at, inputs, made, record.made)

    def _of_training_set(self, record: TrainingRecord) -> RunEvent:
        made = self._set("output", self._training_set, record.fingerprint, rows=record.rows)
        return self._child("training", record.made.at, self._tables(record.upstream), made, record.made)

    def _tables(self, upstream: Upstream) -> list[InputDataset]:
        return [self._set("input", self._folder.table(name), rows) for name, rows in upstream.inputs.items()]

    def _origin(self, declared: str) -> InputDataset:
        """Return what an address, a path or a variable, as it is declared, is called as a dataset."""
        from openlineage.client.event_v2 import InputDataset  # noqa: PLC0415 - an extra

        if "://" in declared:
            address = urlsplit(declared)
            host = address.netloc.rpartition("@")[2]
            return InputDataset(
                f"{address.scheme}://{host}", address.path + (f"?{address.query}" if address.query else "")
            )
        if declared.startswith("$"):
            return InputDataset(self._namespace, declared)
        return InputDataset("file", str(self._folder.root / declared))

    def _set(
        self,
        role: Literal["input", "output"],
        place: Path,
        known_by: str,
        types: Mapping[str, str] | None = None,
        rows: int | None = None,
    ) -> Any:
        """Return a dataset of the data folder, as it was or is made."""
        from openlineage.client.event_v2 import InputDataset, OutputDataset  # noqa: PLC0415 - an extra
        from openlineage.client.facet_v2 import (  # noqa: PLC0415 - an extra
            dataset_version_dataset,
            output_statistics_output_dataset,
            schema_dataset,
        )

        facets: dict[str, Any] = {"version": dataset_version_dataset.DatasetVersionDatasetFacet(known_by)}
        if types:
            fields = [schema_dataset.SchemaDatasetFacetFields(name, kind) for name, kind in types.items()]
            facets["schema"] = schema_dataset.SchemaDatasetFacet(fields)
        if role == "input":
            return InputDataset("file", str(place), facets=facets)
        counted: dict[str, Any] = {}
        if rows is not None:
            counted["outputStatistics"] = output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(rows)
        return OutputDataset("file", str(place), facets=facets, outputFacets=counted)

    def _child(self, name: str, at: str, inputs: list[InputDataset], made: Any, how: Made | None = None) -> RunEvent:
        """Return the event of something that the run made, as a job within the run."""
        from openlineage.client.event_v2 import Job, Run, RunEvent, RunState  # noqa: PLC0415 - an extra
        from openlineage.client.facet_v2 import parent_run, sql_job  # noqa: PLC0415 - an extra

        parent = parent_run.ParentRunFacet(parent_run.Run(self._run), parent_run.Job(self._namespace, self._pipeline))
        query: dict[str, Any] = (
            {"sql": sql_job.SQLJobFacet(how.query, "duckdb")} if how is not None and how.query else {}
        )
        run = Run(str(uuid5(UUID(self._run), name)), {"parent": parent})
        job = Job(self._namespace, f"{self._pipeline}.{name}", query)
        return RunEvent(eventTime=at, eventType=RunState.COMPLETE, run=run, job=job, inputs=inputs, outputs=[made])
