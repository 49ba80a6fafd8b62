"""The command `resume`: it goes on with a run that was killed, crashed, failed or was interrupted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import cast

from flows.cli.console import make_console, print_line
from flows.cli.run import run_pipeline
from flows.summary import RunOptions, Stage
from tasks.config import Pipeline, load_pipeline
from tasks.core.errors import ConfigError
from tasks.core.escaping import count
from tasks.core.runs import BegunRun, is_killed, read_runs
from tasks.core.storage import DataFolder
from tasks.raw.files import suffix_of
from tasks.raw.folder import RawFolder
from tasks.raw.partitions import list_partitions

_LISTED = 5


def resume_run(named: str | None, data: Path, *, verbose: bool, strict: bool) -> int:
    """Run again what a run was asked for that did not complete, which goes on from there; return the exit code.

    Args:
        named: the id of the run, its beginning, or the name of its pipeline, of which the last run is meant; without it, the
            last run that did not complete and that no other of its pipeline has followed that did.
        data: the data folder.
        verbose: whether Prefect's log is shown.
        strict: whether a warning is a failure.

    Raises:
        ConfigError: there is no such run, it completed or goes on still, or it was given no pipeline file.
        TidemillError: as of `run_pipeline`.

    """
    run = _choose([*_runs(data)], named, data)
    asked = run.asked
    if asked.file is None:
        raise ConfigError(
            f"run {run} was given a pipeline and no file; run it again in the Prefect UI, or by prefect flow-run retry "
            f"{run.flow_run_id}"
        )
    choice = RunOptions(cast(Stage | None, asked.only), asked.fresh, asked.partitions, asked.limit)
    console = make_console()
    how = {"killed": "was killed", "interrupted": "was interrupted", "partial": "failed in part"}.get(
        str(run.end), "failed"
    )
    print_line(console, f"resume: run {run} {how}; {asked.file}{_options(choice)}")
    config, folder = choice.take(load_pipeline(Path(asked.file)), data)
    print_line(
        console, f"resume: {'--fresh, so that all is done again' if choice.fresh else ', '.join(_done(config, folder))}"
    )
    return run_pipeline(Path(asked.file), data, choice, verbose=verbose, strict=strict)


def _runs(data: Path) -> Iterator[BegunRun]:
    """Yield the runs of a data folder, and of those that took little of each source; one whose process lives has no end."""
    root = DataFolder.at(data)
    root.fetch_all("runs")
    for folder in (root, *(DataFolder(each) for each in root.root.glob("limit-*"))):
        for run in read_runs(folder):
            yield replace(run, end="killed") if is_killed(folder, run) else run


def _choose(runs: list[BegunRun], named: str | None, data: Path) -> BegunRun:
    """Return the run that is gone on with."""
    if not runs:
        raise ConfigError(f"--data: no run has left anything in {DataFolder.at(data).shown}; begin one by run")
    if named is not None:
        of_pipeline = [run for run in runs if run.pipeline == named and run.end != "skipped"]
        found = of_pipeline or [run for run in runs if run.flow_run_id.startswith(named)]
        if not found:
            last = "; ".join(map(str, runs[:_LISTED]))
            raise ConfigError(
                f"{named}: is the id of no run in {DataFolder.at(data).shown}, and no pipeline that ran there; the last runs: {last}"
            )
        if len(found) > 1 and not of_pipeline:
            raise ConfigError(
                f"{named}: begins the ids of {len(found)} runs; give more of one: {'; '.join(map(str, found[:_LISTED]))}"
            )
        _refuse(found[0])
        return found[0]
    last_runs: dict[str, BegunRun] = {}
    for run in runs:
        if run.end != "skipped":
            last_runs.setdefault(f"{run.pipeline} {run.asked.limit}", run)
    left = [run for run in last_runs.values() if run.end not in (None, "completed")]
    if not left:
        _refuse(runs[0])
    return left[0]


def _refuse(run: BegunRun) -> None:
    """Raise where there is nothing to go on with."""
    if run.end is None:
        raise ConfigError(f"run {run} goes on; wait until it has ended")
    if run.end in ("completed", "skipped"):
        asked = f", as {run.asked.only} alone was asked for; the other stages take" if run.asked.only else "; begin"
        raise ConfigError(
            f"run {run} {'completed' if run.end == 'completed' else 'was skipped'}: "
            f"nothing of it is left to do{asked} another by run"
        )


def _options(choice: RunOptions) -> str:
    """Return the options of a run as they are typed."""
    given = (("--only", choice.only), ("--partitions", choice.partitions), ("--limit", choice.limit))
    return "".join(
        [*(f" {name} {value}" for name, value in given if value is not None), *([" --fresh"] if choice.fresh else [])]
    )


def _done(config: Pipeline, folder: DataFolder) -> Iterator[str]:
    """Yield what is there already of each source that is fetched, and which tables are."""
    for name, source in config.parted.items():
        landed = len(RawFolder(folder.raw(name), suffix_of(source)).partitions)
        whole = "" if source.parents else f" of {len(list_partitions(source))}"
        yield f"{name}: {landed}{whole} landed"
    there = folder.tables(config.table_names)
    tables = [name for name in config.table_names if name in there]
    yield f"{len(tables)} of {count(len(config.table_names), 'table')} are there"
