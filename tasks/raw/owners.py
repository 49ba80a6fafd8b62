"""Whose a table is: two pipelines in one data folder do not replace each other's."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tasks.config import Pipeline
from tasks.core.errors import ConfigError
from tasks.core.storage import DataFolder, json_reader


@dataclass(frozen=True)
class _Owner:
    """The pipeline that a table's manifest names."""

    pipeline: str = ""


_read = json_reader(_Owner)


def find_foreign(pipeline: Pipeline, folder: DataFolder) -> list[str]:
    """Return one sentence for each table of a pipeline that is another pipeline's."""
    return [
        f"{section}.{name}: {said}"
        for section, names in (("sources", pipeline.converted), ("tables", pipeline.tables))
        for name in names
        if (said := explain_other_owner(name, pipeline.name, folder.root, folder.manifest(name)))
    ]


def explain_other_owner(table: str, pipeline: str, root: Path, manifest: Path) -> str | None:
    """Return that a table is another pipeline's, by the manifest that tells whose it is; None where it is not."""
    owner = _read(manifest)
    if owner is None or owner.pipeline in ("", pipeline):
        return None
    return (
        f"the table {table} in {root} is that of the pipeline {owner.pipeline!r}; give it "
        f"another name, or this pipeline another data folder, or delete {manifest} to hand the table over"
    )


def refuse_foreign(pipeline: Pipeline, folder: DataFolder) -> None:
    """Raise where a table of a pipeline's sources is another pipeline's.

    Raises:
        ConfigError: it is; nothing has been touched.

    """
    if mistakes := find_foreign(pipeline, folder):
        raise ConfigError(mistakes)
