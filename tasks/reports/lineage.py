"""What a model, a training set, a table or a part was made of: found by its name in a data folder, described, and shown."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from prefect.artifacts import acreate_markdown_artifact

from tasks.core.errors import ConfigError
from tasks.core.escaping import count
from tasks.core.storage import DataFolder, hash_file
from tasks.core.suggestions import did_you_mean
from tasks.lineage.drawing import draw
from tasks.lineage.records import (
    LINEAGE,
    Made,
    TableRecord,
    TrainingRecord,
    Upstream,
    read_table_record,
    read_training_record,
    read_upstream,
)
from tasks.lineage.remains import DataNow
from tasks.reports.artifacts import key_of, never_ends_a_run
from tasks.train.registry import Version, list_versions, read_champion
from tasks.train.registry.version import ENVIRONMENT, read_environment

Kind = Literal["model", "training set", "truth", "table", "part"]


@dataclass(frozen=True)
class Subject:
    """What is asked for, and what it was made of; `upstream` is None where nothing was kept of that."""

    kind: Kind
    name: str
    upstream: Upstream | None
    training: TrainingRecord | None = None
    version: Version | None = None
    serves: bool = False
    part: str = ""

    @property
    def drawing(self) -> str:
        """Return the drawing of what made it, as a block of Markdown."""
        ends = [("training set", f"{count(self.training.rows, 'row')}")] if self.training else []
        if self.version:
            ends.append((f"{self.version.pipeline} {self.version.candidate}", self.version.name))
        return draw(self.upstream or Upstream(), ends)


def find_subject(folder: DataFolder, asked: str) -> Subject:
    """Return what a name stands for: a pipeline for its champion, a version, a table, or a part as table/part.

    Before names that are both, or to be plain, stands the folder: models/,
    training/, tables/, or truth/ of what a pipeline's past predictions have come to.

    Raises:
        ConfigError: nothing has the name, or a manifest cannot be read.

    """
    asked = asked.strip("/")
    first, _, rest = asked.partition("/")
    if first in _SECTIONS and rest:
        return _SECTIONS[first](folder, rest)
    tables, versions = folder.table_names(), _list_versions(folder, first)
    if versions and not (rest and first in tables and not _named(rest, versions)):
        return _find_model(folder, asked)
    if first in tables:
        return _find_table(folder, asked)
    models = _list_models(folder)
    if asked and (owners := [each for each, versions in models.items() if _named(asked, versions)]):
        return _find_model(folder, f"{owners[0]}/{asked}")
    known = [*models, *tables, *(version.name for versions in models.values() for version in versions)]
    if not known:
        raise ConfigError(f"{folder.shown} has no tables and no models yet; run a pipeline first, or name its --data")
    raise ConfigError(f"{asked!r} is no model, table or part in {folder.shown}; {did_you_mean(asked, known)}")


def _list_models(folder: DataFolder) -> dict[str, list[Version]]:
    found = {name: list_versions(folder.models(name)) for name in folder.model_names()}
    return {name: versions for name, versions in found.items() if versions}


def _list_versions(folder: DataFolder, pipeline: str) -> list[Version]:
    """Return the versions of a pipeline's models, of a bucket those of this one being fetched; none of what is no pipeline's name."""
    return list_versions(folder.models(pipeline)) if pipeline in folder.model_names() else []


def _named(name: str, versions: Iterable[Version]) -> list[Version]:
    """Return the versions whose name begins so."""
    return [version for version in versions if version.name.startswith(name)]


def _find_model(folder: DataFolder, asked: str) -> Subject:
    pipeline, _, name = asked.partition("/")
    versions = _list_versions(folder, pipeline)
    if not versions:
        raise ConfigError(
            f"no version of {pipeline!r} is in {folder.shown}; {did_you_mean(pipeline, _list_models(folder))}"
        )
    champion = read_champion(folder.models(pipeline))
    serving = champion.version if champion else versions[-1].name
    exact = [version for version in versions if version.name == (name or serving)]
    found = exact or _named(name or serving, versions)
    if len(found) != 1:
        names = [version.name for version in versions]
        there = did_you_mean(name, names) if not found else f"there are {', '.join(each.name for each in found)}"
        raise ConfigError(f"{name or serving!r} is not one version of {pipeline}; {there}")
    version = found[0]
    record = read_training_record(folder.models(pipeline) / version.name / LINEAGE)
    serves = champion is not None and champion.version == version.name
    upstream = record.upstream if record else None
    return Subject("model", f"{pipeline}/{version.name}", upstream, record, version, serves)


def _find_training(folder: DataFolder, pipeline: str) -> Subject:
    record = read_training_record(folder.training(pipeline) / LINEAGE)
    if record is None:
        there = sorted(path.parent.name for path in folder.training("x").parent.glob(f"*/{LINEAGE}"))
        cure = did_you_mean(pipeline, there) if there else "run its pipeline first"
        raise ConfigError(f"no training set of {pipeline!r} is in {folder.shown}; {cure}")
    return Subject("training set", pipeline, record.upstream, record)


def _find_truth(folder: DataFolder, pipeline: str) -> Subject:
    record = read_training_record(folder.truth(pipeline) / LINEAGE)
    if record is None:
        raise ConfigError(f"no scores of past predictions of {pipeline!r} are in {folder.shown}; run truth first")
    return Subject("truth", pipeline, record.upstream, record)


def _find_table(folder: DataFolder, asked: str) -> Subject:
    table, _, part = asked.partition("/")
    tables = folder.tables([table])
    if table not in tables:
        names = folder.table_names()
        cure = did_you_mean(table, names) if names else "run its pipeline first"
        raise ConfigError(f"no table {table!r} is in {folder.shown}; {cure}")
    record = read_table_record(tables[table])
    if record is None:
        raise ConfigError(f"{tables[table]}: its manifest is gone or cannot be read; run its pipeline again")
    before = read_upstream(tables[table], record).tables if record.inputs else ()
    upstream = Upstream({table: record.rows}, (record, *before))
    if not part:
        return Subject("table", table, upstream)
    found = [name for name in record.parts if name == part] or [name for name in record.parts if name.startswith(part)]
    if len(found) != 1:
        there = did_you_mean(part, record.parts) if not found else f"it begins {len(found)} names; write more of it"
        raise ConfigError(f"{part!r} is not one part of {table}; {there}")
    rows = record.parts[found[0]].rows
    files = {name: each for name, each in record.files.items() if name in rows}
    alone = replace(record, parts={found[0]: record.parts[found[0]]}, files=files)
    inputs = {table: alone.rows}
    return Subject("part", f"{table}/{found[0]}", Upstream(inputs, (alone, *before)), part=found[0])


_SECTIONS: dict[str, Callable[[DataFolder, str], Subject]] = {
    "models": _find_model,
    "training": _find_training,
    "tables": _find_table,
    "truth": _find_truth,
}


def describe(subject: Subject, now: DataNow, folder: DataFolder) -> dict[str, Any]:
    """Return all that is known of what something was made of, and what is left of it now, as JSON-able data."""
    told: dict[str, Any] = {"kind": subject.kind, "name": subject.name}
    if subject.version is not None:
        told["model"] = _describe_model(subject, subject.version, folder)
    if subject.training is not None:
        record = subject.training
        told["truth" if subject.kind == "truth" else "training_set"] = {
            "rows": record.rows,
            "sha256": record.fingerprint,
            **_describe_made(record.made),
            "inputs": record.upstream.inputs,
        }
    upstream = subject.upstream
    told["inputs"] = upstream.inputs if upstream else None
    told["tables"] = [_describe_table(table, now) for table in upstream.tables] if upstream else []
    return told


def _describe_model(subject: Subject, version: Version, folder: DataFolder) -> dict[str, Any]:
    environment = read_environment(folder.models(version.pipeline) / version.name / ENVIRONMENT)
    packages = {name: number for name, number in environment.packages.items() if number} if environment else {}
    return {
        "pipeline": version.pipeline,
        "version": version.name,
        "candidate": version.candidate,
        "estimator": version.declared.made_by,
        "serves": subject.serves,
        "made_at": version.created,
        "flow_run": version.flow_run,
        "fingerprint": version.fingerprint,
        "python": environment.python if environment else None,
        "packages": packages,
    }


def _describe_made(made: Made) -> dict[str, Any]:
    return {
        "made_at": made.at,
        "flow_run": made.flow_run,
        "made_by": made.kind,
        "of": list(made.of),
        "query": made.query,
        "query_sha256": made.query_hash,
    }


def _describe_table(table: TableRecord, now: DataNow) -> dict[str, Any]:
    current = now.table(table.name)
    stands = current is not None and current.number == table.number and current.checksums == table.checksums
    return {
        "name": table.name,
        "version": table.number,
        "stands": stands,
        "version_now": current.number if current else None,
        "pipeline": table.pipeline,
        "rows": table.total,
        "fingerprint": table.rows,
        **_describe_made(table.made),
        "code": {path: {"sha256": known, "now": _state_of(Path(path), known)} for path, known in table.texts.items()},
        "inputs": table.inputs,
        "columns": table.types,
        "parts": [
            {
                "name": name,
                "rows": sum(part.rows.values()),
                "size": known.size if (known := table.checksum(name)) else None,
                "xxh3_128": known.digest if known else "",
                "now": now.part(table, name),
                "files": part.rows if table.files else {},
            }
            for name, part in table.parts.items()
        ],
        "files": [
            {
                "name": name,
                "rows_received": file.rows_received,
                "rows_rejected": file.rows_rejected,
                "rows_duplicate": file.rows_duplicate,
                "size": file.size,
                "time": _time_of(file.mtime_ns),
                "xxh3_128": file.hash(name),
                "tag": file.tag(name),
                "now": now.file(name, file),
            }
            for name, file in table.files.items()
        ],
    }


def _state_of(path: Path, known: str) -> str:
    if not path.is_file():
        return "gone"
    return "as it was" if hash_file(path) == known else "changed since"


def _time_of(mtime_ns: int) -> str:
    return datetime.fromtimestamp(mtime_ns / 1e9, UTC).isoformat(timespec="seconds") if mtime_ns else ""


@never_ends_a_run
async def report_lineage(pipeline: str, models: Path, version: Version) -> None:
    """Show what a version was made of, as a drawing."""
    record = await asyncio.to_thread(read_training_record, models / version.name / LINEAGE)
    if record is None:
        return
    subject = Subject("model", f"{pipeline}/{version.name}", record.upstream, record, version)
    told = f"{subject.drawing}\n\n`tidemill lineage models/{subject.name}` names each file with its hash."
    description = f"What {version.name} of {pipeline} was made of."
    await acreate_markdown_artifact(markdown=told, key=key_of(f"{pipeline}-lineage"), description=description)
