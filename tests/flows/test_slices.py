"""Slices of a pipeline: what is asked for alone is fetched, and fetched again; what lies beside it stays."""

from __future__ import annotations

from pathlib import Path

import pytest

from flows.pipeline import pipeline
from flows.summary import RunSummary
from tasks.config import Pipeline, load_pipeline
from tasks.core.errors import ConfigError, StageError
from tests.flows.conftest import TOUR, Command

pytestmark = [pytest.mark.flow, pytest.mark.usefixtures("prefect_server")]


@pytest.fixture
def config(sample_site: str, monkeypatch: pytest.MonkeyPatch) -> Pipeline:
    """Return a pipeline of two sources: users, five partitions, and articles, which has none."""
    monkeypatch.setenv("SAMPLE_SITE", sample_site)
    sources = load_pipeline(TOUR).fetched
    return Pipeline(name="sliced", sources={name: sources[name] for name in ("users", "articles")})


def landed(data: Path) -> list[str]:
    """Return the partitions of which something lies in the raw folder of users."""
    return sorted({path.name.split(".")[0] for path in (data / "raw" / "users").glob("user_id=*")})


def requests(summary: RunSummary) -> tuple[int, int]:
    """Return how many requests users and articles took."""
    users, articles = (summary.sources[name].requests or 0 for name in ("users", "articles"))
    return users, articles


async def test_a_slice_is_fetched_alone_and_again(config: Pipeline, tmp_path: Path) -> None:
    """Of users only the slice is asked for; fresh asks for the slice again, and for nothing that it does not name."""
    first = await pipeline(config, tmp_path, only="ingest", partitions="user_id=2..4")
    after_first = landed(tmp_path)
    again = await pipeline(config, tmp_path, only="ingest", partitions="user_id=2..4")
    fresh = await pipeline(config, tmp_path, fresh=True, only="ingest", partitions="user_id=3")
    wider = await pipeline(config, tmp_path, only="ingest", partitions="user_id=3..5")

    users, articles = requests(first)
    assert (users >= 3, articles > 0) == (True, True)
    assert after_first == ["user_id=2", "user_id=3", "user_id=4"]
    assert requests(again) == (0, 0)
    assert (requests(fresh)[0] in (1, 2), requests(fresh)[1]) == (True, 0)
    assert (requests(wider)[0] in (1, 2), requests(wider)[1]) == (True, 0)
    assert landed(tmp_path) == ["user_id=2", "user_id=3", "user_id=4", "user_id=5"]


async def test_a_slice_is_converted_with_what_else_is_landed(config: Pipeline, tmp_path: Path) -> None:
    """A table has all that is landed; partitions beside the slice may be missing, and those of the slice may not."""
    await pipeline(config, tmp_path, partitions="user_id=1..2")
    grown = await pipeline(config, tmp_path, partitions="user_id=5")

    with pytest.raises(
        StageError,
        match="source users: 2 of 5 partitions are not landed, 1 of which this run asks for, the first is user_id=4",
    ):
        await pipeline(config, tmp_path, only="convert", partitions="user_id=4..5")

    assert grown.sources["users"].rows_table == 3


async def test_a_slice_that_there_is_not_ends_a_run(config: Pipeline, tmp_path: Path) -> None:
    """A flow that is started from elsewhere than the command line checks its slice as well, before it asks anybody."""
    with pytest.raises(ConfigError, match="no source has the partition 'user'; did you mean user_id"):
        await pipeline(config, tmp_path, partitions="user=3")
    with pytest.raises(ConfigError, match="user_id=7: '7' selects nothing; there are 1, 2, 3, 4, 5"):
        await pipeline(config, tmp_path, only="convert", partitions="user_id=7")

    assert not (tmp_path / "raw").exists()


@pytest.mark.usefixtures("prefect_server")
def test_the_command_takes_a_slice(command: Command, tmp_path: Path) -> None:
    """Conditions of several options are one slice."""
    ended = command("run", TOUR, "--data", tmp_path, "--only", "ingest", "--partitions", "user_id=1,4..5", "--fresh")

    assert (ended.code, ended.stderr) == (0, "")
    assert landed(tmp_path) == ["user_id=1", "user_id=4", "user_id=5"]
