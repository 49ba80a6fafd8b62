"""Metrics and traces of a run, sent to a collector on this machine, which reads them as they were sent."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from flows.pipeline import pipeline
from flows.telemetry import begin_telemetry
from tasks.config import Pipeline
from tests.flows.scheduling import free_port
from tests.hosting import receiving
from tests.site.server import Sites

pytestmark = [pytest.mark.flow, pytest.mark.usefixtures("prefect_server")]


@dataclass
class Collector:
    """A collector of OTLP over HTTP: the spans and metrics that it was sent, and where it listens."""

    url: str = ""
    spans: list[Any] = field(default_factory=list)
    metrics: list[Any] = field(default_factory=list)
    services: set[str] = field(default_factory=set)

    def take(self, path: str, body: bytes) -> None:
        """Read what was sent."""
        if path == "/v1/traces":
            for traced in ExportTraceServiceRequest.FromString(body).resource_spans:
                self.services.add(said(traced.resource.attributes)["service.name"])
                self.spans += [span for scope in traced.scope_spans for span in scope.spans]
        else:
            assert path == "/v1/metrics"
            for measured in ExportMetricsServiceRequest.FromString(body).resource_metrics:
                self.metrics += [metric for scope in measured.scope_metrics for metric in scope.metrics]

    def value(self, name: str, **attributes: str) -> tuple[str, float]:
        """Return the unit of a metric, and its only value with these attributes."""
        (metric,) = [each for each in self.metrics if each.name == name]
        points = metric.sum.data_points if metric.HasField("sum") else metric.gauge.data_points
        wanted = {f"tidemill.{key}": value for key, value in attributes.items()}
        (point,) = [each for each in points if wanted.items() <= said(each.attributes).items()]
        return metric.unit, point.as_int if point.HasField("as_int") else point.as_double


def said(attributes: Any) -> dict[str, str]:
    """Return the attributes of something as texts."""
    return {each.key: each.value.string_value for each in attributes}


@pytest.fixture
def collector() -> Iterator[Collector]:
    """Yield a collector that listens."""
    collected = Collector()
    with receiving(collected.take) as collected.url:
        yield collected


def make_pipeline(data: Path, site: str) -> Pipeline:
    """Return a pipeline of an API that refuses each first request, and a file with a damaged row."""
    (data / "inbox").mkdir(parents=True)
    rows = [f'{{"x": {x}, "y": "{"ab"[x > 30]}"}}' for x in range(60)]
    (data / "inbox" / "rows.jsonl").write_text("\n".join([*rows, "{", ""]))
    said_of = {
        "name": "told",
        "sources": {
            "items": {"kind": "api", "url": f"{site}/429-once-retry-after-seconds", "records_at": "items"},
            "rows": {"kind": "files", "path": "inbox/rows.jsonl"},
        },
        "tables": {"counts": {"query": "SELECT count(*) AS n FROM rows"}},
        "training": {
            "query": "SELECT x, y FROM rows",
            "target": "y",
            "split": {"by": "random", "folds": 2},
            "candidates": {"tree": {"estimator": "sklearn.tree.DecisionTreeClassifier"}},
        },
    }
    return Pipeline.model_validate(said_of)


async def test_a_run_tells_a_collector_its_figures_and_spans(
    collector: Collector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows, bytes, requests, retries, rejects and seconds are those of the summary; each span has the right parent."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
    with Sites().serving() as sites:
        summary = await pipeline(make_pipeline(tmp_path, sites.add().url), tmp_path)

    items, rows = summary.sources["items"], summary.sources["rows"]
    assert (items.requests, items.retries, rows.rows_rejected) == (2, 1, 1)
    assert collector.value("tidemill.rows", source="rows", stage="convert") == ("{row}", rows.rows_new)
    assert collector.value("tidemill.requests", source="items", stage="ingest") == ("{request}", 2)
    assert collector.value("tidemill.retries", source="items") == ("{request}", 1)
    assert collector.value("tidemill.received", source="items") == ("By", items.bytes_received)
    assert collector.value("tidemill.table.rows", source="rows") == ("{row}", 60)
    assert collector.value("tidemill.table.rejects", source="rows") == ("{row}", 1)
    total = sum(summary.seconds.values())
    assert collector.value("tidemill.run.duration", pipeline="told") == ("s", total)
    unit, seconds = collector.value("tidemill.duration", stage="ingest", source="items")
    assert unit == "s"
    assert 0 < seconds <= summary.seconds["ingest"] + 0.01
    assert collector.services == {"tidemill"}
    assert tree(collector.spans) == {
        "pipeline": {"ingest", "convert", "tables", "train"},
        "ingest": {"source items"},
        "convert": {"source items", "source rows"},
        "tables": {"table counts"},
        "train": {"candidate tree", "candidate dummy"},
    }
    assert len({span.trace_id for span in collector.spans}) == 1


def tree(spans: list[Any]) -> dict[str, set[str]]:
    """Return the names of the spans in each span, with what each is of."""
    parents = {span.span_id: span.name for span in spans}
    found: dict[str, set[str]] = {}
    for span in spans:
        if span.parent_span_id:
            about = said(span.attributes)
            of = [about[f"tidemill.{kind}"] for kind in ("source", "table", "candidate") if f"tidemill.{kind}" in about]
            found.setdefault(parents[span.parent_span_id], set()).add(" ".join([span.name, *of]))
    return found


async def test_a_collector_that_is_down_is_told_once_and_ends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The run completes, held up by no more than the one attempt."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{free_port()}")
    (tmp_path / "inbox").mkdir()
    (tmp_path / "inbox" / "rows.jsonl").write_text(json.dumps({"x": 1}) + "\n")
    told = {"name": "told-alone", "sources": {"rows": {"kind": "files", "path": "inbox/rows.jsonl"}}}

    began = time.monotonic()
    summary = await pipeline(Pipeline.model_validate(told), tmp_path)
    overhead = time.monotonic() - began - sum(summary.seconds.values())

    assert summary.status == "completed"
    assert overhead < 10
    warnings = [each.getMessage() for each in caplog.records if "OpenTelemetry" in each.getMessage()]
    assert len(warnings) == 1
    assert "does not take the run's metrics and traces" in warnings[0]


def test_a_variable_that_is_no_number_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is sent, and the run goes on."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setenv("OTEL_ATTRIBUTE_COUNT_LIMIT", "many")
    told: list[str] = []

    assert begin_telemetry("shop", None, told.append) is None
    assert len(told) == 1
    assert "OTEL_ATTRIBUTE_COUNT_LIMIT" in told[0]
    assert "many; mend that variable" in told[0]


def test_an_extra_that_is_not_installed_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """In one sentence with what to do."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.metric_exporter", None)
    told: list[str] = []

    assert begin_telemetry("shop", None, told.append) is None
    (sentence,) = told
    assert sentence.startswith("OTEL_EXPORTER_OTLP_ENDPOINT is set, but opentelemetry.exporter.otlp.")
    assert sentence.endswith(" is not installed: nothing is sent; pip install tidemill[otel]")
