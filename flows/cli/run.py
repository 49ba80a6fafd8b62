"""What the commands `run` and `check` do."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from flows.cli.console import ProgressView, make_console, print_line, print_summary
from flows.cli.prefect_api import PrefectApi, link_to_run, prefect_api
from flows.summary import RunOptions
from tasks.core.errors import ConfigError, SourceError, StageError
from tasks.core.isolation.client import stop_call_server
from tasks.core.storage import DataFolder

if TYPE_CHECKING:
    from tasks.config import Pipeline


def run_pipeline(path: Path, data: Path, choice: RunOptions, *, verbose: bool, strict: bool = False) -> int:
    """Run the pipeline of a file and print its summary; return the exit code.

    Raises:
        ConfigError: the file, or what it names, is wrong; nothing has run.
        TidemillError: a stage, or a part of one, failed, or the run is `strict` and has a warning.

    """
    console = make_console()
    with (
        _calls_ended(),
        ThreadPoolExecutor(1) as thread,
        _started(thread.submit(_checked, path, data, choice), verbose) as (config, api),
    ):
        _print_api(console, api)
        _print_limit(console, choice, data)
        from flows.cli.execution import execute  # noqa: PLC0415 - imports Prefect while the server starts

        api.wait_until_ready()
        view = ProgressView(console)
        with view.shown():
            ended = execute(path, config, data, choice, api=api, listener=view.show)
        summary = ended.summary
        ui = link_to_run(str(summary.flow_run_id), temporary=api.server is not None) if summary else ""
    if summary:
        print_summary(console, summary, choice.folder(data).root if choice.limit else data, ui)
    if ended.error:
        raise ended.error
    if summary and summary.failures:
        raise StageError("\n".join(summary.failures))
    if summary and strict and summary.warnings:
        raise StageError(
            f"--strict: there are warnings ({len(summary.warnings)}), as above; mend their causes, or leave --strict out"
        )
    return 0


@contextmanager
def _calls_ended() -> Iterator[None]:
    """End with the block the process that looks at the functions of tables, and calls them where the run comes so far."""
    try:
        yield
    finally:
        stop_call_server()


@contextmanager
def _started(checked: Future[Pipeline], verbose: bool) -> Iterator[tuple[Pipeline, PrefectApi]]:
    """Yield a pipeline that is checked while the server starts, which takes longer."""
    with prefect_api(verbose=verbose) as api:
        yield checked.result(), api


def check_pipeline(path: Path, data: Path, *, ask: bool = False) -> int:
    """Validate a pipeline file and print its plan, and with `ask` what each source answers; return the exit code.

    Raises:
        ConfigError: the file, or what it names, is wrong.

    """
    from flows.cli.estimates import print_estimates  # noqa: PLC0415 - as in _checked
    from flows.cli.plan import plan_rows  # noqa: PLC0415 - the same
    from flows.schedules import warn_of_file  # noqa: PLC0415 - the same
    from tasks.estimate.pipeline import estimate_pipeline  # noqa: PLC0415 - the same

    with _calls_ended():
        config = _checked(path, data, RunOptions(), in_tables=True)
    console = make_console()
    print_line(console, f"{path} is right: {config.description or config.name}")
    rows = [("stage", "part", "what a run does"), *plan_rows(config, data)]
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    for stage, part, what in rows:
        print_line(console, f"{stage:<{widths[0]}}  {part:<{widths[1]}}  {what}")
    print_estimates(console, estimate_pipeline(config, DataFolder.at(data), RunOptions().runs, in_stores=True))
    for warning in warn_of_file(path, config):
        print_line(console, f"warning: {warning}")
    return _ask(config, data, console) if ask else 0


def _ask(config: Pipeline, data: Path, console: Console) -> int:
    from flows.cli.ask import AskedSources  # noqa: PLC0415 - of requests alone is aiohttp wanted

    asked = AskedSources(config, data)
    for line in asked.lines():
        print_line(console, line)
    if asked.failed:
        raise SourceError(f"--ask: {', '.join(asked.failed)} gave no rows as declared, for the reasons above")
    return 0


def _checked(path: Path, data: Path, choice: RunOptions, *, in_tables: bool = False) -> Pipeline:
    from flows.cli.mistakes import find_mistakes  # noqa: PLC0415 - imports for a second, while a run's server starts
    from tasks.config import examine_pipeline  # noqa: PLC0415 - the same

    examined = examine_pipeline(path)
    config, mistakes = examined.pipeline, [*examined.mistakes]
    if config is not None:
        mistakes += find_mistakes(config, data, choice, in_tables=in_tables, doubtful=examined.doubtful)
    if config is None or mistakes:
        raise ConfigError([f"{path}: {mistake}" for mistake in dict.fromkeys(mistakes)])
    return config


def _print_limit(console: Console, choice: RunOptions, data: Path) -> None:
    number = choice.limit
    if number:
        taken = (
            "the first page of a partition, the first file"
            if number == 1
            else f"the first {number} pages of a partition, the first {number} files"
        )
        print_line(
            console, f"limit: {taken} of a source; nothing is exported; all of it goes to {choice.folder(data).root}"
        )


def _print_api(console: Console, api: PrefectApi) -> None:
    if api.server is not None:
        print_line(console, f"Prefect: started a temporary server at {api.ui} for this run")
    else:
        print_line(console, f"Prefect: using the configured API{f' at {api.url}' if api.url else ''}")
