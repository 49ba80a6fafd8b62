"""Whose a table is: two pipelines in one data folder do not replace each other's."""

from __future__ import annotations

from dataclasses import dataclass

from tasks.errors import SpecError
from tasks.spec import Pipeline
from tasks.store import DataFolder, json_reader


@dataclass(frozen=True)
class _Owner:
    """The pipeline that a table's manifest names."""

    pipeline: str = ""


_read = json_reader(_Owner)


def find_foreign(pipeline: Pipeline, folder: DataFolder) -> list[str]:
    """Return one sentence for each source of a pipeline whose table is another pipeline's."""
    owners = {name: _read(folder.manifest(name)) for name in pipeline.sources}
    return [
        f"sources.{name}: the table {name} in {folder.root} is that of the pipeline {owner.pipeline!r}; give this source "
        f"another name, or this pipeline another data folder, or delete {folder.manifest(name)} to hand the table over"
        for name, owner in owners.items()
        if owner is not None and owner.pipeline not in ("", pipeline.name)
    ]


def refuse_foreign(pipeline: Pipeline, folder: DataFolder) -> None:
    """Raise where a table of a pipeline's sources is another pipeline's.

    Raises:
        SpecError: it is; nothing has been touched.

    """
    if mistakes := find_foreign(pipeline, folder):
        raise SpecError(mistakes)
