"""What a run would do, seen before it runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import assert_never

from tasks.config import ApiSource, FilesSource, PagesSource, PartedSource, Pipeline, SqlSource, write_duration
from tasks.convert.table.inputs import list_files
from tasks.core.escaping import count
from tasks.core.redaction import redact
from tasks.core.storage import DataFolder
from tasks.raw.partitions import list_partitions


def plan_rows(config: Pipeline, data: Path) -> Iterator[tuple[str, str, str]]:
    """Yield stage, part and what a run does, for every part of a pipeline."""
    folder = DataFolder.at(data)
    for name, fetched in config.parted.items():
        what, first = _origin(fetched)
        yield "ingest", name, f"{what}: {_partitions(fetched, 'partition')} of {first}{_how(fetched)}"
    for name, source in config.converted.items():
        if isinstance(source, FilesSource):
            files = list_files(source.path, source.root(folder.root), source.allow_hosts)
            what = f"{count(len(files), 'file')} of {redact(', '.join(source.path))}"
        else:
            what = _partitions(source, "raw file")
        yield "convert", name, f"{what} to {data / 'tables' / name}/"
    if config.tables:
        from tasks.tables.order import order_tables  # noqa: PLC0415 - of tables alone is DuckDB wanted

        for name, inputs in order_tables(config).items():
            how = config.tables[name].python or "SQL"
            yield "tables", name, f"{how} over {', '.join(inputs) or 'no table'} to {data / 'tables' / name}/"
    if config.training:
        for name, candidate in config.training.candidates.items():
            yield "train", name, candidate.words
        yield "train", "dummy", f"the baseline; all ranked by {config.training.metric}"
    for name, targets in config.export.items():
        for target in targets:
            inner = f", table {target.table}" if target.table else ""
            yield "export", name, f"to {target.to}{inner}"


def _origin(source: PartedSource) -> tuple[str, str]:
    """Return in a word what a source is fetched from, and where that is."""
    match source:
        case ApiSource():
            return "API", source.url
        case PagesSource():
            return "pages", source.addresses[0]
        case SqlSource():
            return "query", source.database
        case _:
            assert_never(source)


def _partitions(source: PartedSource, noun: str) -> str:
    """Return how many partitions, or files of them, a source has: of those that tables tell of, for each of what."""
    told = [f"{parent.column} of {parent.from_}" for parent in source.parents.values()]
    rest = {name: values for name, values in source.partitions.items() if name not in source.parents}
    number = count(len(list_partitions(source.model_copy(update={"partitions": rest}))), noun)
    return f"{number} for each {' and '.join(told)}" if told else number


def _how(source: PartedSource) -> str:
    """Return in a few words how a source's pages are found, what of it is asked for, and when again."""
    words = []
    if isinstance(source, ApiSource) and source.pagination.kind != "single":
        words.append(f"by {source.pagination.kind.replace('_', ' ')}")
    if not isinstance(source, PagesSource) and source.incremental:
        words.append(f"newer {source.incremental.field} only")
    if source.refresh:
        words.append(f"again after {write_duration(source.refresh.after)}")
    return "".join(f", {word}" for word in words)
