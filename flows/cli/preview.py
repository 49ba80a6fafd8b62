"""The command `preview`: how the head of each source would stand in its table, before anything runs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from flows.cli.console import make_console, print_line
from tasks.config import (
    ApiSource,
    ElementsSource,
    FilesSource,
    PagesSource,
    PartedSource,
    Pipeline,
    Source,
    SqlSource,
    load_pipeline,
)
from tasks.convert.head import Head, read_head, read_lines
from tasks.convert.schema.blocks import Guess
from tasks.convert.schema.types import NULL_TEXTS
from tasks.convert.table.inputs import find_file, list_files, list_raw
from tasks.core.errors import ConfigError, SourceError, TidemillError
from tasks.core.escaping import count
from tasks.core.redaction import redact
from tasks.core.scratch import scratch
from tasks.core.storage import DataFolder
from tasks.core.suggestions import did_you_mean
from tasks.raw.children import with_kept_children
from tasks.raw.partitions import Partition, list_partitions

_ADDRESSES = 3
_REJECTS = 5
_CHARACTERS = 28
_DETECTED = ("delimiter", "quote", "escape", "decimal", "header", "skipped", "footer")


def preview_pipeline(path: Path, source: str | None, data: Path, *, rows: int, ask: bool) -> int:
    """Print the head of a pipeline's sources, or of one, as rows of their tables; return 1 where one cannot be shown.

    Raises:
        ConfigError: the file is wrong, or makes no such table.

    """
    config = load_pipeline(path)
    names = list(config.converted) if source is None else [_known(source, config)]
    folder, console, failed = DataFolder.at(data), make_console(), False
    first_pages = _FirstPages() if ask else None
    for name in names:
        try:
            for line in _lines(name, config.converted[name], folder, rows, first_pages):
                print_line(console, line)
        except TidemillError as error:
            failed = True
            for line in str(error).splitlines():
                print_line(console, f"  error: {redact(line)}")
        print_line(console, "")
    return 1 if failed else 0


def _known(source: str, config: Pipeline) -> str:
    if source not in config.converted:
        raise ConfigError(f"{source}: is no table of {config.name}; {did_you_mean(source, config.converted)}")
    return source


class _FirstPages:
    """The first pages of sources, each asked for once, however many tables are made of it."""

    def __init__(self) -> None:
        self._found: dict[str, Sequence[bytes]] = {}

    def of(self, name: str, source: ApiSource | PagesSource, warn: Callable[[str], None]) -> Sequence[bytes]:
        """Return the records of a source's first page."""
        from tasks.ingest.first_page import fetch_first_page  # noqa: PLC0415 - of requests alone is aiohttp wanted

        if name not in self._found:
            self._found[name] = asyncio.run(fetch_first_page(source, warn))
        return self._found[name]


def _lines(name: str, source: Source, folder: DataFolder, rows: int, first_pages: _FirstPages | None) -> Iterator[str]:
    if isinstance(source, FilesSource):
        files = list_files(source.path, folder.root, source.allow_hosts)
        size = sum(file.size for file in files)
        what = f"{source.explode} of {source.of}, " if isinstance(source, ElementsSource) else ""
        yield f"{name}: {what}{count(len(files), 'file')}, {count(size, 'byte')}, of {redact(', '.join(source.path))}"
        yield from _shown(read_head(name, source, files[0], folder), rows)
        return
    fetched = source.of if isinstance(source, ElementsSource) else name
    source = _known_partitions(source, folder.raw(fetched))
    partitions = list_partitions(source)
    landed = list_raw(source, folder.raw(fetched), folder.root)
    what = {"api": "API", "pages": "pages", "sql": "query"}[source.kind]
    of = f"{source.explode} of {fetched}, " if isinstance(source, ElementsSource) else ""
    yield f"{name}: {of}{what}, {count(len(partitions), 'partition')}, {len(landed.missing)} of them not landed"
    yield from _requests(source)
    if first_pages is not None and isinstance(source, SqlSource):
        yield from _shown(_first_rows(name, source, folder, rows), rows)
    elif first_pages is not None and not isinstance(source, SqlSource):
        warned: list[str] = []
        lines = first_pages.of(fetched, source, warned.append)
        if isinstance(source, PagesSource) and source.levels:
            yield "  the first of the pages that links lead to:"
        yield from (f"  warning: {sentence}" for sentence in warned)
        yield from _shown(read_lines(name, source, lines, folder), rows)
    elif landed.files:
        yield from _shown(read_head(name, source, landed.files[0], folder), rows)
    else:
        yield "  nothing of it is landed; --ask makes its first request, and shows what comes"


def _known_partitions(source: PartedSource, raw: Path) -> PartedSource:
    """Return a source with the partitions that it was fetched with, where tables tell of them.

    Raises:
        SourceError: it was not fetched yet.

    """
    known = with_kept_children(source, raw)
    if known is None:
        tables = ", ".join(parent.from_ for parent in source.parents.values())
        raise SourceError(
            f"its partitions are rows of {tables}, and which there are is known after a run; preview {tables}"
        )
    return known


def _first_rows(name: str, source: SqlSource, folder: DataFolder, rows: int) -> Head:
    """Return the first rows of a query's first partition, as rows of its table."""
    from tasks.ingest.sql.batches import as_frame  # noqa: PLC0415 - of databases alone is Arrow wanted
    from tasks.ingest.sql.opening import read_first_rows  # noqa: PLC0415 - the same

    with scratch("preview") as place:
        path = place / "first rows.arrows"
        found = read_first_rows(source, list_partitions(source)[0], folder.root, rows)
        path.write_bytes(b"".join(map(as_frame, found)))
        return read_head(name, source, find_file(path, path.parent), folder)


def _requests(source: PartedSource) -> Iterator[str]:
    if isinstance(source, SqlSource):
        yield f"  SELECT {source.database}"
        return
    method = "POST" if isinstance(source, ApiSource) and source.is_posted else "GET"
    partitions = list_partitions(source)
    for partition in partitions[:_ADDRESSES]:
        for url in _first_urls(source, partition)[:_ADDRESSES]:
            yield f"  {method} {redact(url)}"
    if len(partitions) > _ADDRESSES:
        yield f"  … and the first pages of {count(len(partitions) - _ADDRESSES, 'partition')} more"


def _first_urls(source: ApiSource | PagesSource, partition: Partition) -> list[str]:
    """Return the addresses that a partition begins with, without what auth and pagination add."""
    if isinstance(source, PagesSource):
        return [partition.fill(url) for url in source.addresses]
    from tasks.ingest.api.urls import first_request  # noqa: PLC0415 - of an API alone is httpx wanted

    return [str(first_request(source, partition).url)]


def _shown(head: Head, rows: int) -> Iterator[str]:
    """Yield what is seen of a head: how it was read, its columns with their types and first values, and its rejects."""
    part = "all" if head.is_whole else "the head"
    yield f"  {part} of {head.file}: {count(head.received, 'row')}, {count(len(head.misfits), 'reject')}"
    if head.guess is not None:
        yield f"  read as {_words(head.guess)}"
        yield f"  null beside the empty text: {', '.join(filter(None, NULL_TEXTS))}"
    first = head.rows.slice(0, rows)
    columns = [(name, str(kind), *map(_cell, first[name].to_pylist())) for name, kind in head.types.items()]
    table = [("column", "type", *(f"row {number + 1}" for number in range(first.num_rows))), *columns]
    widths = [max(len(line[place]) for line in table) for place in range(len(table[0]))]
    for line in table:
        yield "  " + "  ".join(f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True)).rstrip()
    for misfit in head.misfits.slice(0, _REJECTS).to_pylist():
        yield f"  reject: line {misfit['line']}: {misfit['reason']}: {_cut(misfit['raw'], 80)}"
    if len(head.misfits) > _REJECTS:
        yield f"  … and {count(len(head.misfits) - _REJECTS, 'reject')} more"
    yield from (f"  warning: {sentence}" for sentence in head.warnings)


def _words(guess: Guess) -> str:
    """Return what was detected of a file, or declared."""
    known = {field.name: getattr(guess, field.name) for field in fields(guess)}
    said = [f"{key} {known[key]!r}" for key in _DETECTED if known[key] not in ("", None, 0) or known[key] is False]
    said += [f"units {', '.join(f'{name} {unit}' for name, unit in guess.units)}"] if guess.units else []
    return ", ".join(filter(None, (guess.format, guess.encoding, *said)))


def _cell(value: Any) -> str:
    return "null" if value is None else _cut(str(value), _CHARACTERS)


def _cut(text: str, characters: int) -> str:
    return text if len(text) <= characters else f"{text[: characters - 1]}…"
