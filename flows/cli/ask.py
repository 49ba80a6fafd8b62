"""What `check --ask` does: one request a source, and a short block on what came."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from typing import assert_never

from flows.cli.new.text import write_value
from tasks.config import ApiSource, FilesSource, PagesSource, Pipeline, SqlSource
from tasks.convert.formats.registry import format_of
from tasks.convert.table.inputs import list_files
from tasks.core.errors import SourceError, TidemillError
from tasks.core.escaping import count
from tasks.core.redaction import redact
from tasks.core.storage import DataFolder
from tasks.ingest.first_page import MAKES_JOB
from tasks.ingest.look import Look, look_at
from tasks.ingest.sql.opening import read_first_rows
from tasks.raw.children import Kept, with_kept_children
from tasks.raw.partitions import list_partitions

_UNAUTHORIZED, _FORBIDDEN = 401, 403


class AskedSources:
    """The sources of a pipeline, each asked once; `failed` names those that cannot be asked, or answer an error."""

    def __init__(self, config: Pipeline, data: Path) -> None:
        self._config = config
        self._folder = DataFolder.at(data)
        self.failed: list[str] = []

    def lines(self) -> Iterator[str]:
        """Yield a block of lines for each source."""
        for name, source in self._config.sources.items():
            yield ""
            try:
                match source:
                    case FilesSource():
                        yield from _files(name, source, self._folder)
                    case ApiSource() | PagesSource():
                        yield from self._fetched(name, source)
                    case SqlSource():
                        yield from self._queried(name, source)
                    case _:
                        assert_never(source)
            except TidemillError as error:
                self.failed.append(name)
                yield f"{name}: not asked"
                yield from _failure(str(error))

    def _fetched(self, name: str, source: ApiSource | PagesSource) -> Iterator[str]:
        if isinstance(source, ApiSource) and source.job is not None:
            yield f"{name}: not asked, as {MAKES_JOB}"
            return
        source = self._with_partitions(name, source)
        partitions, warned = list_partitions(source), list[str]()
        look = asyncio.run(look_at(source, warned.append))
        of = f", the first of {len(partitions):,} partitions" if len(partitions) > 1 else ""
        yield f"{name}: {look.request or 'not asked'}{of}"
        yield from (f"  {line}" for line in _shown(look, source))
        yield from (f"  warning: {sentence}" for sentence in warned)
        if look.mistake:
            self.failed.append(name)
            yield from _failure(look.mistake)

    def _queried(self, name: str, source: SqlSource) -> Iterator[str]:
        source, began = self._with_partitions(name, source), time.monotonic()
        partitions = list_partitions(source)
        batch = read_first_rows(source, partitions[0], self._folder.root, 1)[0]
        of = f", the first of {len(partitions):,} partitions" if len(partitions) > 1 else ""
        yield f"{name}: a row of {source.database}{of}"
        yield f"  {count(len(batch), 'row')} in {(time.monotonic() - began) * 1000:,.0f} ms"
        yield f"  columns: {', '.join(f'{field.name} {field.type}' for field in batch.schema)}"

    def _with_partitions(self, name: str, source: Kept) -> Kept:
        known = with_kept_children(source, self._folder.raw(name))
        if known is None or not list_partitions(known):
            tables = ", ".join(parent.from_ for parent in source.parents.values())
            what = "has not told which there are: run the pipeline first" if known is None else "tells of none"
            raise SourceError(f"its partitions are rows of {tables}, which {what}")
        return known


def _failure(error: str) -> Iterator[str]:
    yield from (f"  error: {redact(line)}" for line in error.splitlines())


def _files(name: str, source: FilesSource, folder: DataFolder) -> Iterator[str]:
    files = list_files(source.path, source.root(folder.root), source.allow_hosts)
    size = sum(file.size for file in files)
    yield f"{name}: {count(len(files), 'file')}, {count(size, 'byte')}, of {redact(', '.join(source.path))}"
    first = files[0]
    kind = format_of(first.name, source.read).suffixes[0].removeprefix(".")
    yield f"  the first is {redact(first.name)}, {kind}, {count(first.size, 'byte')}"


def _shown(look: Look, source: ApiSource | PagesSource) -> Iterator[str]:
    if look.status is None:
        if look.rows:
            yield f"records: {look.rows}"
        return
    kind = look.content_type or "no content type"
    told = f"{look.status} {look.reason}".strip()
    yield f"{told} in {look.milliseconds:,.0f} ms, {kind}, {count(look.body_bytes, 'byte')}{_led(look)}"
    if look.rows:
        yield f"{'records' if isinstance(source, ApiSource) else 'rows'}: {look.rows}"
    if look.pages:
        yield f"{'pagination' if isinstance(source, ApiSource) else 'pages'}: {look.pages}"
    for word, keys in (("declare", look.proposed), ("perhaps", look.perhaps)):
        yield from (f"  {word}  {key}: {write_value(value)}" for key, value in keys.items())
    yield f"rate limit: {_rate_limit(look, source)}"
    if isinstance(source, PagesSource):
        yield "robots.txt: allows it" if source.robots == "obey" else "robots.txt: not asked, as robots: ignore says"
    yield from _auth(look, source)


def _led(look: Look) -> str:
    return f", from {look.led_to}" if look.led_to else ""


def _rate_limit(look: Look, source: ApiSource | PagesSource) -> str:
    asked = source.requests.shared
    told = ", ".join(f"{name}: {value}" for name, value in look.rate_limits.items()) or "no header tells of one"
    wait = f"; a run would wait {look.wait_s:,.0f} s now" if look.wait_s else ""
    rate = f", {asked.requests_per_s:g} a second at most" if asked.requests_per_s else ""
    return (
        f"{told}{wait}; a run begins with {count(min(asked.start_in_flight, asked.max_in_flight), 'request')} in flight "
        f"and goes up to {asked.max_in_flight}{rate}, as the host bears"
    )


def _auth(look: Look, source: ApiSource | PagesSource) -> Iterator[str]:
    """Yield whether the host took what proves who asks, and the cure where it did not."""
    is_refused = look.status in (_UNAUTHORIZED, _FORBIDDEN)
    if source.auth is not None:
        kind = source.auth.kind
        yield (
            f"auth: {kind} was refused; see that it is what this host wants, and has not ended"
            if is_refused
            else f"auth: {kind}, as declared"
        )
    elif is_refused:
        is_basic = look.challenge.lower().startswith("basic")
        cure = (
            "{kind: basic, username: NAME, password: {env: PASSWORD}}"
            if is_basic
            else "{kind: bearer, token: {env: TOKEN}}"
        )
        yield f"auth: none is declared, and the host asks who asks; add  auth: {cure}"
