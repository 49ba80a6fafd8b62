"""What the command `lineage` does: the words in which it is told what made what."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from flows.cli.console import make_console, print_line
from tasks.core.escaping import count
from tasks.core.storage import DataFolder
from tasks.lineage.remains import DataNow
from tasks.reports.lineage import describe, find_subject

_SHOWN = 40  # of a list, unless all is asked for
_HASH = 16  # characters of a hash, unless all is asked for
_STEP = "  "


def show_lineage(asked: str, data: Path, *, as_json: bool, full: bool, hashes: bool) -> int:
    """Print what made a model, a training set, a table or a part; return the exit code.

    Raises:
        ConfigError: nothing has that name.

    """
    folder = DataFolder.at(data)
    subject = find_subject(folder, asked)
    told = describe(subject, DataNow(folder, hashes=hashes), folder)
    if as_json:
        print(json.dumps(told, indent=1, ensure_ascii=False))
        return 0
    console = make_console()
    for line in _Page(told, full=full).lines():
        print_line(console, line)
    if subject.kind == "model" and "/" not in asked.strip("/") and asked in folder.table_names():
        print_line(console, f"{asked} is a table as well: name it as tables/{asked}")
    return 0


class _Page:
    """The lines of what is told; each table stands where it is met first."""

    def __init__(self, told: Mapping[str, Any], *, full: bool) -> None:
        self._told = told
        self._tables = {(table["name"], table["fingerprint"]): table for table in told["tables"]}
        self._met: set[tuple[str, str]] = set()
        self._full = full

    def lines(self) -> Iterator[str]:
        depth = 0
        if model := self._told.get("model"):
            yield _model_line(model)
            packages = ", ".join(f"{name} {number}" for name, number in model["packages"].items())
            yield f"{_STEP}with Python {model['python'] or 'unknown'}, {packages or 'unknown packages'}"
            depth = 1
        if made := self._told.get("training_set"):
            yield f"{_STEP * depth}training set: {count(made['rows'], 'row')}, SHA-256 {self._hash(made['sha256'])}{_made(made)}"
            yield from self._query(made, depth + 1)
            depth += 1
        if made := self._told.get("truth"):
            figures, predictions = count(made["rows"], "figure"), count(len(made["of"]), "kept prediction file")
            yield f"truth: {figures} of {predictions}, SHA-256 {self._hash(made['sha256'])}{_made(made)}"
            yield from self._query(made, 1)
            depth = 1
        if self._told["inputs"] is None:
            yield f"{_STEP * depth}what it was made of was not kept by the version of Tidemill that made it, or is damaged; train again"
            return
        for name, rows in self._told["inputs"].items():
            yield from self._table(name, rows, depth)

    def _table(self, name: str, rows: str, depth: int) -> Iterator[str]:
        indent, table = _STEP * depth, self._tables.get((name, rows))
        if table is None:
            yield f"{indent}table {name}: of its rows of then (fingerprint {self._hash(rows)}) nothing is known"
            return
        yield f"{indent}table {name}, version {table['version']}: {count(table['rows'], 'row')} in {count(len(table['parts']), 'part')}{_made(table)}; {_stands(table)}"
        if (name, rows) in self._met:
            yield f"{indent}{_STEP}as above"
            return
        self._met.add((name, rows))
        if table["of"]:
            yield f"{indent}{_STEP}{table['made_by']}: {', '.join(table['of'])}"
        yield from self._query(table, depth + 1)
        for path, code in self._cut(table["code"].items()):
            yield f"{indent}{_STEP}{path}: SHA-256 {self._hash(code['sha256'])}, {code['now']}"
        if self._full or table["files"]:
            yield from self._parts(table, depth + 1)
        for before, fingerprint in table["inputs"].items():
            yield from self._table(before, fingerprint, depth + 1)

    def _parts(self, table: Mapping[str, Any], depth: int) -> Iterator[str]:
        files = {file["name"]: file for file in table["files"]}
        left = [file for name, file in files.items() if not any(name in part["files"] for part in table["parts"])]
        for part in self._cut(table["parts"], "parts", depth):
            if isinstance(part, str):
                yield part
                continue
            yield f"{_STEP * depth}part {part['name']}: {count(part['rows'], 'row')}, XXH3-128 {self._hash(part['xxh3_128'])}, {part['now']}"
            for name in self._cut(part["files"], "files", depth + 1):
                yield name if name not in files else self._file(files[name], depth + 1)
        yield from (self._file(file, depth) for file in left)

    def _file(self, file: Mapping[str, Any], depth: int) -> str:
        lost = "".join(f", {file[f'rows_{key}']:,} {word}" for key, word in _LOST.items() if file[f"rows_{key}"])
        time = f" of {file['time']}" if file["time"] else ""
        return (
            f"{_STEP * depth}{file['name']}: {count(file['rows_received'], 'row')}{lost}, "
            f"{count(file['size'], 'byte')}{time}, XXH3-128 {self._hash(file['xxh3_128'])}, {file['now']}"
        )

    def _query(self, made: Mapping[str, Any], depth: int) -> Iterator[str]:
        if made["query"]:
            yield f"{_STEP * depth}SQL, SHA-256 {self._hash(made['query_sha256'])}:"
            lines = made["query"].strip().splitlines()
            yield from (f"{_STEP * (depth + 1)}{line}" for line in lines)

    def _cut(self, values: Any, noun: str = "", depth: int = 0) -> Iterator[Any]:
        """Yield so many of a list, and a line on those that are left out."""
        listed = list(values)
        yield from listed if self._full else listed[:_SHOWN]
        if noun and len(listed) > _SHOWN and not self._full:
            yield f"{_STEP * depth}and {len(listed) - _SHOWN:,} more {noun}; --all lists them"

    def _hash(self, value: str) -> str:
        return (value if self._full else value[:_HASH]) or "unknown"


_LOST = {"rejected": "rejected", "duplicate": "dropped as duplicates"}


def _model_line(model: Mapping[str, Any]) -> str:
    serves = ", which serves" if model["serves"] else ""
    run = f" by flow run {model['flow_run']}" if model["flow_run"] else ""
    return f"model {model['pipeline']} {model['version']} ({model['candidate']}){serves}: made {model['made_at']}{run}"


def _made(made: Mapping[str, Any]) -> str:
    at = f"; made {made['made_at']}" if made["made_at"] else ""
    return f"{at} by flow run {made['flow_run']}" if made["flow_run"] else at


def _stands(table: Mapping[str, Any]) -> str:
    if table["stands"]:
        return "the table as it stands"
    return f"version {table['version_now']} has taken its place" if table["version_now"] else "the table is gone"
