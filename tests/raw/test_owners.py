"""Two pipelines in one data folder: a table is the one's that made it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from flows.cli.mistakes import find_mistakes
from flows.summary import RunOptions
from tasks.config import Pipeline
from tasks.convert.table.commit import commit_table
from tasks.convert.table.conversion import draft_table
from tasks.convert.table.damage import restore_table
from tasks.convert.table.job import make_job
from tasks.convert.table.state import find_changed, open_table
from tasks.convert.tasks import convert_files
from tasks.core.errors import ConfigError, TableError
from tasks.core.storage import DataFolder
from tasks.raw.owners import refuse_foreign
from tests.convert.conftest import files_source, read_rows, write_files


def pipeline(name: str) -> Pipeline:
    """Return a pipeline of one source."""
    return Pipeline(name=name, sources={"rows": files_source()})


def make(root: Path, owner: str) -> None:
    """Make the table of a pipeline as its run does."""
    job = make_job("rows", files_source(), DataFolder(root), allow_partial=False, pipeline=owner)
    manifest = open_table(job, fresh=False)
    if changed := find_changed(job, manifest):
        commit_table(asyncio.run(draft_table(job, manifest, changed, convert_files.fn)))


def test_a_table_is_not_replaced_by_another_pipeline(tmp_path: Path) -> None:
    """The second pipeline with a source of the name is refused, in a check as in a run, and told what to do."""
    write_files(tmp_path, a_csv="x\n1\n")
    make(tmp_path, "first")
    told = r"sources\.rows: the table rows in .* is that of the pipeline 'first'; give it another name, or this"

    with pytest.raises(ConfigError, match=told):
        refuse_foreign(pipeline("second"), DataFolder(tmp_path))

    assert [
        told.startswith("sources.rows: the table") for told in find_mistakes(pipeline("second"), tmp_path, RunOptions())
    ]
    assert find_mistakes(pipeline("first"), tmp_path, RunOptions()) == []
    refuse_foreign(pipeline("first"), DataFolder(tmp_path))


def test_a_table_is_handed_over(tmp_path: Path) -> None:
    """Where the copy of the manifest is deleted, as the message says, the next pipeline takes the table as it is."""
    write_files(tmp_path, a_csv="x\n1\n")
    make(tmp_path, "first")
    (tmp_path / "inbox" / "a.csv").unlink()
    write_files(tmp_path, b_csv="x\n2\n")

    DataFolder(tmp_path).manifest("rows").unlink()
    refuse_foreign(pipeline("second"), DataFolder(tmp_path))
    make(tmp_path, "second")

    assert read_rows(tmp_path) == [{"x": 1}, {"x": 2}]
    with pytest.raises(ConfigError, match="the pipeline 'second'"):
        refuse_foreign(pipeline("first"), DataFolder(tmp_path))


def test_a_table_of_an_earlier_version_is_taken_over(tmp_path: Path) -> None:
    """A table of which nobody knows whose it is belongs to the pipeline that finds it, also where nothing is new."""
    write_files(tmp_path, a_csv="x\n1\n")
    make(tmp_path, "")

    refuse_foreign(pipeline("first"), DataFolder(tmp_path))
    job = make_job("rows", files_source(), DataFolder(tmp_path), allow_partial=False, pipeline="first")
    restore_table(job)

    with pytest.raises(ConfigError, match="the pipeline 'first'"):
        refuse_foreign(pipeline("second"), DataFolder(tmp_path))


def test_a_table_made_since_the_check_is_not_taken(tmp_path: Path) -> None:
    """Where both pipelines were checked before either had made the table, the one that comes second to it is refused."""
    write_files(tmp_path, a_csv="x\n1\n")
    refuse_foreign(pipeline("second"), DataFolder(tmp_path))
    make(tmp_path, "first")
    write_files(tmp_path, a_csv="x\n2\n")

    with pytest.raises(TableError, match=r"the table rows in .* is that of the pipeline 'first'; give it"):
        make(tmp_path, "second")

    assert read_rows(tmp_path) == [{"x": 1}]
    refuse_foreign(pipeline("first"), DataFolder(tmp_path))
