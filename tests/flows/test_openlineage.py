"""OpenLineage events of a run, taken by a receiver on this machine, and written to a file by the client's own transport."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

import pytest

from flows.openlineage import begin_events
from flows.pipeline import pipeline
from tasks.config import Pipeline
from tasks.core.errors import StageError
from tasks.core.storage import DataFolder
from tasks.lineage.records import LINEAGE, read_table_record, read_training_record
from tests.flows.scheduling import free_port
from tests.hosting import receiving

pytestmark = [pytest.mark.flow, pytest.mark.usefixtures("prefect_server")]

DOUBLED = "SELECT x * 2 AS doubled, y FROM rows"
ADDED = ("_producer", "_schemaURL", "eventTime", "producer", "schemaURL", "tags")
LEARNT = "SELECT doubled, y FROM twice"


def make_pipeline(data: Path, name: str = "catalogued", query: str = DOUBLED, *, learns: bool = True) -> Pipeline:
    """Return a pipeline of a file, a table that is made of it, and a training on that."""
    (data / "inbox").mkdir(parents=True, exist_ok=True)
    rows = [json.dumps({"x": x, "y": "ab"[x > 30]}) for x in range(60)]
    (data / "inbox" / "rows.jsonl").write_text("\n".join([*rows, ""]))
    said: dict[str, Any] = {
        "name": name,
        "sources": {"rows": {"kind": "files", "path": "inbox/rows.jsonl"}},
        "tables": {"twice": {"query": query}},
    }
    if learns:
        said["training"] = {
            "query": LEARNT,
            "target": "y",
            "learning_curve": False,
            "split": {"by": "random", "folds": 2},
            "candidates": {"tree": {"estimator": "sklearn.tree.DecisionTreeClassifier"}},
        }
    return Pipeline.model_validate(said)


def bare(value: Any) -> Any:
    """Return what an event says, without what is empty, what the client adds, and where the schemas of its parts are."""
    if isinstance(value, list):
        return [bare(each) for each in value]
    if not isinstance(value, dict):
        return value
    said = {name: bare(each) for name, each in value.items() if name not in ADDED}
    return {name: each for name, each in said.items() if each not in ({}, [])}


def expect_children(data: Path, run: str, champion: str) -> list[Any]:
    """Return the events of what a run made: the end of the job's name, its facets, the inputs and the output."""
    folder = DataFolder.at(data)
    rows, twice = read_table_record(folder.table("rows")), read_table_record(folder.table("twice"))
    training = read_training_record(folder.training("catalogued") / LINEAGE)
    assert rows is not None
    assert twice is not None
    assert training is not None
    learnt, models = folder.training("catalogued") / "training_set.arrow", folder.models("catalogued")

    def version(of: str) -> dict[str, Any]:
        return {"version": {"datasetVersion": of}}

    def table(record: Any, **types: str) -> dict[str, Any]:
        fields = [{"name": name, "type": kind} for name, kind in types.items()]
        schema = {"schema": {"fields": fields}} if types else {}
        return {"namespace": "file", "name": str(folder.table(record.name)), "facets": version(record.rows) | schema}

    counted = {"outputFacets": {"outputStatistics": {"rowCount": 60}}}
    made: list[Any] = [
        (
            "tables.rows",
            {},
            [{"namespace": "file", "name": str(data / "inbox" / "rows.jsonl")}],
            table(rows, **rows.types) | counted,
        ),
        (
            "tables.twice",
            {"sql": {"query": DOUBLED, "dialect": "duckdb"}},
            [table(rows)],
            table(twice, **twice.types) | counted,
        ),
        (
            "training",
            {"sql": {"query": LEARNT, "dialect": "duckdb"}},
            [table(twice)],
            {"namespace": "file", "name": str(learnt), "facets": version(training.fingerprint)} | counted,
        ),
        (
            "model",
            {},
            [{"namespace": "file", "name": str(learnt), "facets": version(training.fingerprint)}],
            {"namespace": "file", "name": str(models), "facets": version(champion)},
        ),
    ]
    parent = {"run": {"runId": run}, "job": {"namespace": "tidemill", "name": "catalogued"}}
    return [
        {
            "eventType": "COMPLETE",
            "run": {"runId": str(uuid5(UUID(run), name)), "facets": {"parent": parent}},
            "job": {"namespace": "tidemill", "name": f"catalogued.{name}", "facets": facets},
            "inputs": inputs,
            "outputs": [output],
        }
        for name, facets, inputs, output in made
    ]


async def test_a_run_tells_a_catalogue_what_it_made_of_what(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Events are of the run, and in it of each table, the training set and the model, with inputs and outputs; none of what stood."""
    sent: list[tuple[str, Any]] = []
    with receiving(lambda path, body: sent.append((path, json.loads(body)))) as url:
        monkeypatch.setenv("OPENLINEAGE_URL", url)
        summary = await pipeline(make_pipeline(tmp_path), tmp_path)
        events = [event for _, event in sent]
        sent.clear()
        await pipeline(make_pipeline(tmp_path), tmp_path)

    assert [event["eventType"] for _, event in sent] == ["START", "COMPLETE"]
    assert {path for path, _ in sent} == {"/api/v1/lineage"}
    assert summary.champion is not None
    run = str(summary.flow_run_id)
    told = bare(events)
    job = {"namespace": "tidemill", "name": "catalogued"}
    assert told[0] == {"eventType": "START", "run": {"runId": run}, "job": job}
    assert told[1:-1] == bare(await asyncio.to_thread(expect_children, tmp_path, run, summary.champion.version))
    assert told[-1] == told[0] | {"eventType": "COMPLETE"}


async def test_a_run_that_fails_says_why_in_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The transports are the client's: with openlineage.yml in the working folder events are lines of a file, unless they are switched off."""
    monkeypatch.chdir(tmp_path)
    transport = {"type": "file", "log_file_path": str(tmp_path / "events.jsonl"), "append": True}
    (tmp_path / "openlineage.yml").write_text(json.dumps({"transport": transport}))
    failing = make_pipeline(tmp_path, "failing", "SELECT error('out of tea') AS doubled FROM rows", learns=False)
    monkeypatch.setenv("OPENLINEAGE_NAMESPACE", "works")
    with pytest.raises(StageError):
        await pipeline(failing, tmp_path)
    monkeypatch.setenv("OPENLINEAGE_DISABLED", "true")
    with pytest.raises(StageError):
        await pipeline(failing, tmp_path)

    events = [json.loads(line) for line in (tmp_path / "events.jsonl").read_text().splitlines()]
    assert [(event["eventType"], event["job"]["namespace"], event["job"]["name"]) for event in events] == [
        ("START", "works", "failing"),
        ("COMPLETE", "works", "failing.tables.rows"),
        ("FAIL", "works", "failing"),
    ]
    assert "out of tea" in events[-1]["run"]["facets"]["errorMessage"]["message"]


async def test_a_catalogue_that_is_down_is_told_once_and_ends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The run completes, held up by no more than one attempt."""
    monkeypatch.setenv("OPENLINEAGE_URL", f"http://127.0.0.1:{free_port()}")
    began = time.monotonic()
    summary = await pipeline(make_pipeline(tmp_path, "unheard", learns=False), tmp_path)
    overhead = time.monotonic() - began - sum(summary.seconds.values())

    assert summary.status == "completed"
    assert overhead < 10
    warnings = [each.getMessage() for each in caplog.records if "OpenLineage" in each.getMessage()]
    assert len(warnings) == 1
    assert warnings[0].startswith("the OpenLineage events of the run are not all sent: ")
    assert not [
        each
        for each in caplog.records
        if each.name.startswith(("openlineage", "urllib3")) and each.levelname == "WARNING"
    ]


async def test_an_extra_that_is_not_installed_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In one sentence with what to do, and the run waits for nothing."""
    monkeypatch.setenv("OPENLINEAGE_URL", "http://127.0.0.1:1")
    monkeypatch.setitem(sys.modules, "openlineage.client", None)  # as Python has it of what cannot be imported
    told: list[str] = []

    events = begin_events("shop", str(uuid5(NAMESPACE_URL, "run")), DataFolder.at(tmp_path), told.append)
    assert events is not None
    await events.end(["rows"], None)

    assert told == [
        "the OpenLineage events of the run are not all sent: openlineage.client is not installed; "
        "pip install tidemill[openlineage], or set OPENLINEAGE_DISABLED=true"
    ]
