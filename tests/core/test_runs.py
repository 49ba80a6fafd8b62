"""What a data folder knows of its runs: which of them was killed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from flows.cli.resume import resume_run
from tasks.core.errors import ConfigError
from tasks.core.runs import Asked, BegunRun, End, alive, end_run, find_killed, find_run, is_killed, keep_run
from tasks.core.storage import DataFolder


def begun(folder: DataFolder, flow_run_id: str, pipeline: str = "shop", end: End | None = None) -> BegunRun:
    """Return a run of which the folder knows."""
    run = replace(BegunRun.here(flow_run_id, pipeline, Asked("/nowhere/pipeline.yaml")), end=end)
    folder.run(flow_run_id).mkdir(parents=True)
    keep_run(folder, run)
    return run


def test_a_run_whose_process_is_gone_was_killed(tmp_path: Path) -> None:
    """One that lives, and one of another machine, is none; neither is one that has ended since it was read."""
    folder = DataFolder.at(tmp_path)
    killed, lives, ends = (begun(folder, name) for name in ("a", "b", "c"))
    elsewhere = replace(killed, flow_run_id="d", host="elsewhere")
    folder.run("d").mkdir()
    keep_run(folder, elsewhere)

    with alive(folder, lives):
        end_run(folder, ends, "completed")

        assert find_killed(folder) == [killed]
        assert [is_killed(folder, run) for run in (lives, ends, elsewhere)] == [False, False, True]


def test_a_run_of_another_machine_that_holds_its_lock_goes_on(tmp_path: Path) -> None:
    """It is not said to be killed, and is not begun a second time."""
    folder = DataFolder.at(tmp_path)
    elsewhere = replace(begun(folder, "a"), host="elsewhere")

    with alive(folder, elsewhere), pytest.raises(ConfigError, match="goes on; wait until it has ended"):
        resume_run("a", tmp_path, verbose=False, strict=False)


def test_a_process_may_have_the_number_of_an_earlier_one(tmp_path: Path) -> None:
    """What it began is found, and nothing where it came to no run: in a container each process has the same number."""
    folder = DataFolder.at(tmp_path)
    earlier = begun(folder, "a")
    since = datetime.now(UTC)

    assert find_run(folder, earlier.pid, since) is None
    assert find_run(folder, earlier.pid, datetime.fromisoformat(earlier.began)) == earlier
    own = begun(folder, "b")
    assert find_run(folder, own.pid, since) == own


def test_the_beginning_of_several_ids_names_none(tmp_path: Path) -> None:
    """They are listed; the name of a pipeline comes before ids that begin like it, and means its last run that was not skipped."""
    folder = DataFolder.at(tmp_path)
    begun(folder, "abc1", pipeline="other", end="failed")
    begun(folder, "abd2", pipeline="ab", end="completed")
    begun(folder, "abd3", pipeline="ab", end="skipped")

    with pytest.raises(ConfigError, match="a: begins the ids of 3 runs; give more of one: abd3"):
        resume_run("a", tmp_path, verbose=False, strict=False)
    with pytest.raises(ConfigError, match=r"run abd2 of ab.* completed"):
        resume_run("ab", tmp_path, verbose=False, strict=False)
    with pytest.raises(ConfigError, match=r"/nowhere/pipeline\.yaml"):
        resume_run("abc", tmp_path, verbose=False, strict=False)
