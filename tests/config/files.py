"""Pipeline files as texts, and what is wrong with them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tasks.config import load_pipeline
from tasks.core.errors import ConfigError


def mistakes_of(file: Path, text: str | bytes) -> list[str]:
    """Return the mistakes of a pipeline file with this text, without its path."""
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ConfigError) as caught:
        load_pipeline(file)
    assert all(mistake.startswith(str(file)) for mistake in caught.value.mistakes)
    return [mistake.removeprefix(str(file)).removeprefix(": ") for mistake in caught.value.mistakes]


def api(keys: str) -> str:
    """Return the text of a pipeline file with one API source, rows, that has these keys beside its url."""
    return f"name: small\nsources:\n  rows: {{kind: api, url: 'http://127.0.0.1/items', {keys}}}\n"


def pages(keys: str) -> str:
    """Return the text of a pipeline file with one pages source, rows, that has these keys beside start and rows."""
    return f"name: small\nsources:\n  rows: {{kind: pages, start: 'http://127.0.0.1/items', rows: tr, {keys}}}\n"


MINIMAL = """\
name: small
sources:
  rows:
    kind: api
    url: http://127.0.0.1/{x}
    partitions: {x: [a], y: {range: [1, 3]}}
    pagination: {kind: page}
    auth: {kind: bearer, token: {env: TOKEN}}
    columns: {a: int, b: {type: float}}
    requests: {attempts: 3}
  site: {kind: pages, start: "http://127.0.0.1", rows: tr, columns: {a: td, b: {select: td}}}
  inbox: {kind: files, path: "x/*.csv"}
training:
  query: SELECT 1
  target: t
  split: {by: time, column: c}
  candidates: {one: {estimator: a.B}}
"""
