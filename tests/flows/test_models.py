"""The commands `models` and `predict`, on the models that a run of the tour has left."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tasks.train.registry import list_versions
from tests.flows.conftest import TOUR, Command, ToldRun

pytestmark = pytest.mark.flow


@pytest.fixture
def toured(tour_run: ToldRun, tmp_path: Path) -> Path:
    """Return a copy of the tour's models, with two versions of which the second serves."""
    models = tmp_path / "models" / "tour"
    shutil.copytree(tour_run.data / "models" / "tour", models)
    (first,) = list_versions(models)
    second = models / "v0002-0123abcd"
    shutil.copytree(models / first.name, second)
    (second / "metrics.json").write_text((second / "metrics.json").read_text().replace(first.name, second.name))
    return tmp_path


def test_versions_are_listed_promoted_and_rolled_back(toured: Path, command: Command) -> None:
    """The list says which serves; promote and rollback change it, and say so."""
    first, second = (version.name for version in list_versions(toured / "models" / "tour"))

    promoted = command("models", "promote", TOUR, second, "--data", toured)
    listed = command("models", "list", "tour", "--data", toured)
    back = command("models", "rollback", "tour", "--data", toured)

    assert promoted.stdout == f"{second} promoted by hand\n"
    assert [line.split()[0] for line in listed.stdout.splitlines() if line.rstrip().endswith("champion")] == [second]
    assert re.search(rf"^  {first} +\S+ +[\d.]+ +[\d.]+ to [\d.]+ +\d+ +20\d\d-", listed.stdout, re.MULTILINE)
    assert back.stdout == f"{first} rolled back from {second}\n"
    assert [promoted.code, listed.code, back.code] == [0, 0, 0]


def test_what_is_not_there_ends_with_2(toured: Path, command: Command, tmp_path: Path) -> None:
    """One sentence names what is wrong, and what is there."""
    where = ("--data", toured)

    for asked, said in (
        (("models", "promote", "tour", "v0009-00000000"), r"'v0009-00000000' is not a version of tour; it has v0001-"),
        (("models", "rollback", "tour"), r"no version of tour has served before v0001-\w+; name one to promote"),
        (("models", "list", "nothing"), r"'nothing' is neither a pipeline file nor a pipeline with models; .* of tour"),
        (("predict", "tour", "nothing"), r"'nothing' is neither a table, a file that is there, nor a query"),
        (("predict", "tour", str(tmp_path / "x.txt")), r"is neither a table, a file"),
    ):
        ended = command(*asked, *where)
        assert (ended.code, ended.stdout) == (2, "")
        assert re.fullmatch(rf"error: .*{said}.*\n", ended.stderr)


def test_the_champion_predicts_new_rows(command: Command, tour_run: ToldRun, tmp_path: Path) -> None:
    """A table is predicted to a file; the terminal says by which version, and how far the rows have drifted."""
    output = tmp_path / "out.parquet"

    ended = command("predict", TOUR, "iris", "--data", tour_run.data, "--output", output)

    assert ended.code == 0, ended.stderr
    (version,) = list_versions(tour_run.data / "models" / "tour")
    made = pq.read_table(output)
    assert made.column_names[-1] == "model_version"
    assert set(made["model_version"].to_pylist()) == {version.name}
    assert f"{made.num_rows} rows of table iris predicted by {version.name} ({version.candidate})" in ended.stdout
    assert "Drift from the rows learnt from" in ended.stdout
