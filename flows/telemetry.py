"""Metrics and traces of a run by OpenTelemetry, for who has set an OTLP address; else nothing is imported.

Spans: the run, its stages, and in these sources, tables and candidates. They have
a parent of their own, as Prefect puts spans that are not recorded in between. What
is sent goes out after each stage and at the end, each time within a few seconds: a
collector that is down is told of once, and ends nothing.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, TypeVar

from flows.summary import RunSummary, SourceSummary
from tasks.core.progress import ProgressEvent, subscribed

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.trace import Span

Value = TypeVar("Value")

_ADDRESS = "OTEL_EXPORTER_OTLP_ENDPOINT"
_TIMEOUT_S = 2.0
_LIBRARY = "opentelemetry.exporter"

# Name, stage, unit, what it is, and the field of a source's summary: what the run did, and what stands after it.
_COUNTED = (
    ("tidemill.rows", "convert", "{row}", "Rows that the run read into tables.", "rows_new"),
    ("tidemill.requests", "ingest", "{request}", "Requests, those made again among them.", "requests"),
    ("tidemill.retries", "ingest", "{request}", "Requests made again.", "retries"),
    ("tidemill.received", "ingest", "By", "Bytes of bodies received.", "bytes_received"),
)
_STANDING = (
    ("tidemill.table.rows", "convert", "{row}", "Rows of the table.", "rows_table"),
    ("tidemill.table.rejects", "convert", "{row}", "Rows received that could not enter the table.", "rows_rejected"),
)

_of_run: ContextVar[Telemetry | None] = ContextVar("telemetry", default=None)
_parent: ContextVar[Span | None] = ContextVar("span", default=None)


def begin_telemetry(pipeline: str, run: str | None, warn: Callable[[str], None]) -> Telemetry | None:
    """Begin to record a run; None where no OTLP address is set."""
    if not os.environ.get(_ADDRESS):
        return None
    try:
        return Telemetry(pipeline, run, warn)
    except ImportError as error:
        warn(f"{_ADDRESS} is set, but {error.name} is not installed: nothing is sent; pip install tidemill[otel]")
    except ValueError as error:
        warn(f"{_ADDRESS} is set, but nothing is sent: {error}; mend that variable, or unset it")
    return None


async def in_span(name: str, attributes: Mapping[str, str], work: Awaitable[Value]) -> Value:
    """Return what some work returns, which is a span where the run is recorded."""
    with spanned(name, attributes):
        return await work


@contextmanager
def spanned(name: str, attributes: Mapping[str, str]) -> Iterator[None]:
    """Record what the block does as a span of the span that it is in; nothing where the run is not recorded."""
    telemetry = _of_run.get()
    if telemetry is None:
        yield
        return
    span, start = telemetry.start_span(name, attributes), time.monotonic()
    before = _parent.set(span)
    try:
        yield
    except BaseException as error:
        telemetry.fail(span, error)
        raise
    finally:
        _parent.reset(before)
        span.end()
        telemetry.note_seconds(attributes, time.monotonic() - start)


@contextmanager
def candidates_spanned() -> Iterator[None]:
    """Record a span for each candidate, from here until its last fold is told, while the block runs."""
    telemetry = _of_run.get()
    if telemetry is None:
        yield
        return
    start, told = time.time_ns(), set[str]()

    def hear(event: ProgressEvent) -> None:
        if event.stage == "train" and event.name not in told:
            told.add(event.name)
            telemetry.start_span("candidate", {"tidemill.candidate": event.name}, start).end()

    with subscribed(hear):
        yield


class Telemetry:
    """What is recorded of one run, until it is sent."""

    def __init__(self, pipeline: str, run: str | None, warn: Callable[[str], None]) -> None:
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter  # noqa: PLC0415 - an extra
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415 - an extra
        from opentelemetry.sdk.metrics import MeterProvider  # noqa: PLC0415 - an extra
        from opentelemetry.sdk.metrics.export import InMemoryMetricReader  # noqa: PLC0415 - an extra
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415 - an extra
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415 - an extra
        from opentelemetry.sdk.trace.export import SimpleSpanProcessor  # noqa: PLC0415 - an extra
        from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter  # noqa: PLC0415 - an extra

        logging.getLogger(_LIBRARY).setLevel(logging.CRITICAL)  # told once, in our words
        self._pipeline, self._warn, self._is_down = pipeline, warn, False
        self._seconds: list[tuple[Mapping[str, str], float]] = []
        about = {"service.name": "tidemill", "service.version": version("tidemill"), "service.instance.id": run or ""}
        if os.environ.get("OTEL_SERVICE_NAME"):
            del about["service.name"]
        resource = Resource.create(about)
        self._span_exporter = OTLPSpanExporter(timeout=_TIMEOUT_S)
        self._metric_exporter = OTLPMetricExporter(timeout=_TIMEOUT_S)
        self._spans = InMemorySpanExporter()
        traces = TracerProvider(resource=resource, shutdown_on_exit=False)
        traces.add_span_processor(SimpleSpanProcessor(self._spans))
        self._tracer = traces.get_tracer("tidemill")
        self._metrics = InMemoryMetricReader(self._metric_exporter._preferred_temporality)  # noqa: SLF001 - what its variable says
        self._meter = MeterProvider([self._metrics], resource, shutdown_on_exit=False).get_meter("tidemill")
        self._run = self.start_span("pipeline", {"tidemill.pipeline": pipeline, "tidemill.run.id": run or ""})
        self._before = _of_run.set(self), _parent.set(self._run)

    async def end(self, summary: RunSummary, error: BaseException | None) -> None:
        """End the run's span, and send all that has not been sent."""
        of_run, parent = self._before
        _of_run.reset(of_run)
        _parent.reset(parent)
        if error is not None:
            self.fail(self._run, error)
        self._run.end()
        await self.send_spans()
        self._measure(summary)
        await self._send(self._export_metrics)

    def start_span(self, name: str, attributes: Mapping[str, str], start: int | None = None) -> Span:
        """Start a span within the one that is under way; at `start`, in ns of the epoch, unless now."""
        from opentelemetry.context import Context  # noqa: PLC0415 - an extra
        from opentelemetry.trace import set_span_in_context  # noqa: PLC0415 - an extra

        parent = _parent.get()
        context = set_span_in_context(parent, Context()) if parent is not None else Context()
        return self._tracer.start_span(name, context, attributes=dict(attributes), start_time=start)

    def fail(self, span: Span, error: BaseException) -> None:
        """Mark a span as failed."""
        from opentelemetry.trace import StatusCode  # noqa: PLC0415 - an extra

        span.set_attribute("error.type", type(error).__name__)
        span.set_status(StatusCode.ERROR, str(error))

    async def send_spans(self) -> None:
        """Send the spans that have ended."""
        spans = self._spans.get_finished_spans()
        self._spans.clear()
        await self._send(self._export_spans, spans)

    def note_seconds(self, attributes: Mapping[str, str], seconds: float) -> None:
        """Note how long a part of a stage took."""
        self._seconds.append((attributes, seconds))

    def _export_spans(self, spans: Sequence[ReadableSpan]) -> bool:
        return not spans or self._span_exporter.export(spans).name == "SUCCESS"

    def _export_metrics(self) -> bool:
        data = self._metrics.get_metrics_data()
        return data is None or self._metric_exporter.export(data).name == "SUCCESS"

    async def _send(self, export: Callable[..., bool], *what: Any) -> None:
        """Send something; where it is not taken, say so, and send nothing more."""
        if self._is_down:
            return
        self._is_down = not await asyncio.to_thread(export, *what)
        if self._is_down:
            self._warn(
                f"the OpenTelemetry collector at {os.environ[_ADDRESS]} does not take the run's metrics and traces, and "
                f"no more are sent; see that it listens for OTLP over HTTP, or unset {_ADDRESS}"
            )

    def _measure(self, summary: RunSummary) -> None:
        for name, stage, unit, text, key in _COUNTED:
            counter = self._meter.create_counter(name, unit, text)
            for attributes, value in self._by_source(summary.sources, stage, key):
                counter.add(value, attributes)
        for name, stage, unit, text, key in _STANDING:
            gauge = self._meter.create_gauge(name, unit, text)
            for attributes, value in self._by_source(summary.sources, stage, key):
                gauge.set(value, attributes)
        durations = self._meter.create_gauge(
            "tidemill.duration", "s", "Wall-clock time of a stage, or of a source or table in it."
        )
        for given, seconds in self._seconds:
            durations.set(seconds, {"tidemill.pipeline": self._pipeline, **given})
        total = self._meter.create_gauge("tidemill.run.duration", "s", "Wall-clock time of the stages of the run.")
        total.set(
            sum(summary.seconds.values()), {"tidemill.pipeline": self._pipeline, "tidemill.run.status": summary.status}
        )

    def _by_source(
        self, sources: Mapping[str, SourceSummary], stage: str, key: str
    ) -> Iterator[tuple[dict[str, str], int]]:
        for name, source in sources.items():
            if (value := getattr(source, key)) is not None:
                yield {"tidemill.pipeline": self._pipeline, "tidemill.stage": stage, "tidemill.source": name}, value
