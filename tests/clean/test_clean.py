"""What goes and what stays after many runs, and that all of it still reads, wherever the cleaning is killed."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from filelock import FileLock
from prefect import flow, get_client
from prefect.artifacts import Artifact, acreate_markdown_artifact
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey, FlowRunFilter, FlowRunFilterId

from flows import history
from flows.clean import clean
from flows.convert import convert
from flows.history import find_history
from tasks.clean.item import HELD, remove, survey
from tasks.clean.survey import find_places, moment_before, summarize
from tasks.core.errors import ConfigError
from tasks.core.runs import Asked, BegunRun, keep_run
from tasks.core.storage import DataFolder
from tasks.train.registry import load_model, read_champion
from tests.clean.conftest import DAYS, ROWS, RUNS, TRAINED_EVERY, Worked, configure
from tests.flows.conftest import Tidemill
from tests.thorough import KILLS

pytestmark = pytest.mark.flow


def what_reads(root: Path) -> dict[str, Any]:
    """Return what whoever uses a data folder finds there: tables, rejects, the model that serves, and what it predicted."""
    folder = DataFolder.at(root)
    champion = read_champion(folder.models("kept"))
    assert champion is not None
    load_model(folder.models("kept") / champion.model)
    return {
        **{name: len(pd.read_parquet(path.resolve())) for name, path in folder.tables().items()},
        "rejects": len(pd.read_parquet(folder.rejects("rows").resolve())),
        "champion": champion.version,
        "predicted": len(pd.read_parquet(folder.predictions("kept") / f"{RUNS - 1}.parquet")),
    }


def files_of(root: Path) -> list[str]:
    """Return the names of all files of a data folder but for locks."""
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file() and "lock" not in path.name)


READS = {"rows": RUNS * ROWS, "reports": 6, "rejects": RUNS, "predicted": 5}


def test_what_goes_is_what_nothing_needs(worked: Worked, tmp_path: Path) -> None:
    """Superseded raw, versions, predictions and models go; what is younger stays, and the next run makes nothing anew."""
    root = tmp_path / "data"
    shutil.copytree(worked.root, root, symlinks=True)
    folder, now = DataFolder.at(root), datetime.now(UTC)
    before = what_reads(root)

    young = summarize(survey(find_places(folder, now - timedelta(days=1))))
    gone = remove(find_places(folder, now))
    left = summarize(survey(find_places(folder, now)))

    assert [line.goes for line in young] == [0] * len(young)
    assert [item.name for item in gone if item.kind in ("raw", "table versions", "predictions")] == [
        f"raw/reports/day={DAYS[0]}.jsonl.zst",
        ".tables/reports/000001",
        f".tables/rows/{RUNS - 2:06d}",
        *sorted(f"predictions/kept/{last - 1}.parquet" for last in (TRAINED_EVERY, 2 * TRAINED_EVERY)),
    ]
    assert [item.name[:17] for item in gone if item.kind == "model versions"] == ["models/kept/v0001"]
    assert [item.kind for item in gone].count("run summaries") == 2
    assert all(item.bytes > 0 for item in gone)
    assert {line.kind: (line.goes, line.because) for line in left} == {
        "raw": (0, "a table is made of it (2)"),
        "table versions": (0, "it is the table (2)"),
        "predictions": (0, "the version that serves made it (1)"),
        "model versions": (0, "a rollback leads to it (1); it serves (1)"),
        "run summaries": (0, "the last of its pipeline (1)"),
    }
    assert what_reads(root) == before == {**before, **READS}
    again = asyncio.run(convert(configure(worked.site, DAYS[1:], 4), root))
    assert [table.files_read for table in again] == [0, 0]  # type: ignore[union-attr]


@pytest.mark.parametrize("older_than", ["", "-1d", "30", "999999999d"])
def test_an_age_that_is_none_is_refused(older_than: str) -> None:
    """With what was typed, also where it leads to before the first year."""
    with pytest.raises(ConfigError, match=f"--older-than: '?{older_than}"):
        moment_before(older_than)


def test_summaries_of_runs_and_limited_folders_go(tmp_path: Path) -> None:
    """That of a pipeline's last run stays: one that a link leads to, or, where no run was on this machine, that of the last to begin."""
    for name in ("old", "last"):
        (tmp_path / "runs" / name).mkdir(parents=True)
        (tmp_path / "runs" / name / "summary.json").write_text("{}")
    (tmp_path / "runs" / "kept.json").symlink_to("last/summary.json")
    (tmp_path / "limit-3" / ".tables" / "rows").mkdir(parents=True)
    places = find_places(DataFolder.at(tmp_path), datetime.now(UTC) + timedelta(seconds=1))

    with FileLock(tmp_path / "limit-3" / ".tables" / "rows" / ".lock"):
        held = [item.name for item in remove(places)]
    gone = [item.name for item in remove(find_places(DataFolder.at(tmp_path), datetime.now(UTC)))]

    assert (held, gone) == (["runs/old"], ["limit-3"])
    assert [path.name for path in sorted(tmp_path.rglob("*"))] == ["runs", "kept.json", "last", "summary.json"]


def test_the_last_run_of_a_pipeline_stays_where_no_link_leads_to_it(tmp_path: Path) -> None:
    """As on a machine that has fetched the runs of a bucket: no link is in it."""
    folder = DataFolder.at(tmp_path)
    for number, name in enumerate(("old", "last")):
        keep_run(folder, BegunRun(name, "shop", Asked(None), "elsewhere", 1, f"2026-01-0{number + 1}T00:00:00+00:00"))
        folder.run_summary(name).write_text("{}")

    gone = [item.name for item in remove(find_places(folder, datetime.now(UTC) + timedelta(seconds=1)))]

    assert gone == ["runs/old"]


def test_raw_that_a_table_is_made_of_goes_when_it_is_asked_for(worked: Worked, tmp_path: Path) -> None:
    """The tables read without it."""
    root = tmp_path / "data"
    shutil.copytree(worked.root, root, symlinks=True)
    before = what_reads(root)

    remove(find_places(DataFolder.at(root), datetime.now(UTC), raw=True))

    assert not list(root.glob("raw/*/[!.]*"))
    assert what_reads(root) == before


def test_what_a_run_holds_stays(worked: Worked, tmp_path: Path) -> None:
    """It is not waited for; the rest goes."""
    root = tmp_path / "data"
    shutil.copytree(worked.root, root, symlinks=True)
    places = find_places(DataFolder.at(root), datetime.now(UTC))

    with FileLock(root / ".tables" / "rows" / ".lock"), FileLock(root / "raw" / "reports" / ".lock"):
        kept = [item.name for item in survey(places) if item.kept == HELD]
        gone = {item.name for item in remove(places)}

    assert kept == [f"raw/reports/day={DAYS[0]}.jsonl.zst", f".tables/rows/{RUNS - 2:06d}"]
    assert gone.isdisjoint(kept)
    assert ".tables/reports/000001" in gone


def test_a_clean_that_is_killed_leaves_a_folder_that_reads(worked: Worked, tmp_path: Path) -> None:
    """At any of its steps; the next one comes to the same end."""
    whole, *roots = [tmp_path / str(number) for number in range(KILLS + 1)]
    for root in (whole, *roots):
        shutil.copytree(worked.root, root, symlinks=True)
    reads = what_reads(whole)

    command = [sys.executable, "-m", "tests.clean.killed", *map(str, (whole, *roots))]
    steps, *ended = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()

    assert int(steps) > KILLS
    assert ended == ["-9"] * KILLS
    assert [what_reads(root) for root in roots] == [reads] * KILLS
    for root in roots:
        remove(find_places(DataFolder.at(root), datetime.now(UTC)))
    assert [files_of(root) for root in roots] == [files_of(whole)] * KILLS


@flow(name="train", persist_result=False)
def _train_of_others(model: str) -> str:
    return model


async def _history(folder: DataFolder) -> tuple[int, int]:
    async with get_client() as client:
        found = await find_history(client, folder, datetime.now(UTC))
        return len(found.goes), len(found.artifacts)


@flow(name="predict", persist_result=False)
async def _show(rows: str, pipeline: str, data: Path) -> None:  # noqa: ARG001 - by which it is one of ours
    """Show something under a key, as a run of ours would in that data folder."""
    await acreate_markdown_artifact(markdown=rows, key=pipeline)


async def _shown(key: str) -> int:
    async with get_client() as client:
        alike = ArtifactFilter(key=ArtifactFilterKey(any_=[key]))
        return len(await client.read_artifacts(artifact_filter=alike))


async def _is_there(run: Any) -> bool:
    async with get_client() as client:
        return bool(await client.read_flow_runs(flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=[run]))))


def test_the_command_tells_sizes_and_cleans(worked: Worked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A dry run removes nothing, and what there is is found page by page; then what goes is gone, from the folder, from Prefect and from the temporary files, and nothing of others is."""
    temporary = tmp_path / "t"
    (temporary / ".tidemill-calls-x.999999999.part").mkdir(parents=True)
    tidemill = Tidemill({"TMPDIR": str(temporary)})
    reads, files, runs = what_reads(worked.root), files_of(worked.root), asyncio.run(_history(worked.folder))
    others = _train_of_others("theirs", return_state=True).state_details.flow_run_id
    command = ("clean", "--data", worked.root, "--older-than", "1s")

    with monkeypatch.context() as small:
        small.setattr(history, "_PAGE", 2)
        paged = asyncio.run(_history(worked.folder))
    dry = tidemill(*command, "--dry-run")
    files_after, runs_after = files_of(worked.root), asyncio.run(_history(worked.folder))
    done = tidemill(*command)

    assert (dry.returncode, done.returncode) == (0, 0), done.stderr
    assert (files_after, runs_after) == (files, runs)
    assert paged == runs
    assert runs[0] > RUNS
    assert runs[1] > RUNS
    assert "model versions: would go 1" in dry.stdout
    assert f"runs in Prefect, with their logs and artifacts: goes {runs[0]}" in done.stdout
    assert f"{runs[0]} runs in Prefect" in done.stdout
    assert what_reads(worked.root) == reads
    assert asyncio.run(_history(worked.folder)) == (0, 0)
    assert asyncio.run(_is_there(others))
    assert asyncio.run(Artifact.aget("kept-leaderboard")) is not None
    assert not list(temporary.iterdir())


def test_the_flow_cleans_too(worked: Worked) -> None:
    """Its own run is one of those that the next one removes, and so is what the one before has left as the last of its kind; that of a folder elsewhere, told from the working directory on, is none of them."""
    asyncio.run(_show("theirs", "kept-elsewhere", Path("elsewhere")))
    for shown in ("first", "second"):
        asyncio.run(_show(shown, "kept-shown", worked.root))
        lines = asyncio.run(clean(worked.root, older_than="0s"))

    assert lines[-1].kind.startswith("runs in Prefect")
    assert asyncio.run(_history(worked.folder))[0] == 1
    assert asyncio.run(_shown("kept-shown")) == 1
    assert asyncio.run(_shown("kept-elsewhere")) == 1
    assert what_reads(worked.root)["rows"] == RUNS * ROWS
