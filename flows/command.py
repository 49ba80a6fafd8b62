"""What the commands `run` and `check` do."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.table import Table

from flows.api import prefect_api
from flows.choice import Choice
from flows.console import ProgressView, make_console, print_summary
from flows.links import link_to_run
from flows.plan import find_mistakes, plan_rows
from tasks.errors import SpecError, StageError
from tasks.spec import Pipeline, load_pipeline


def run_pipeline(path: Path, data: Path, choice: Choice, *, verbose: bool, strict: bool = False) -> int:
    """Run the pipeline of a file and print its summary; return the exit code.

    Raises:
        SpecError: the file, or what it names, is wrong; nothing has run.
        TidemillError: a stage, or a part of one, failed, or the run is `strict` and has a warning.

    """
    spec = _checked(path, data, choice)
    console = make_console()
    with prefect_api(verbose=verbose) as api:
        _say_api(console, api.url, temporary=api.server is not None)
        from flows.execution import execute  # noqa: PLC0415 - imports Prefect while the server starts

        api.wait_until_ready()
        view = ProgressView(console)
        with view.shown():
            ended = execute(spec, data, choice, api=api, listener=view.show)
        summary = ended.summary
        ui = link_to_run(str(summary.flow_run_id), temporary=api.server is not None) if summary else ""
    if summary:
        print_summary(console, summary, data, ui)
    if ended.error:
        raise ended.error
    if summary and summary.failures:
        raise StageError("\n".join(summary.failures))
    if summary and strict and summary.warnings:
        raise StageError(
            f"--strict: there are warnings ({len(summary.warnings)}), as above; mend their causes, or leave --strict out"
        )
    return 0


def check_pipeline(path: Path, data: Path) -> int:
    """Validate a pipeline file and print its plan; return the exit code.

    Raises:
        SpecError: the file, or what it names, is wrong.

    """
    spec = _checked(path, data, Choice())
    console = make_console()
    console.print(f"{path} is right: {spec.description or spec.name}")
    table = Table(box=None, pad_edge=False)
    for title in ("stage", "part", "what a run does"):
        table.add_column(title)
    for row in plan_rows(spec, data):
        table.add_row(*row)
    console.print(table)
    return 0


def _checked(path: Path, data: Path, choice: Choice) -> Pipeline:
    spec = load_pipeline(path)
    mistakes = find_mistakes(spec, data, choice)
    if mistakes:
        raise SpecError([f"{path}: {mistake}" for mistake in mistakes])
    return spec


def _say_api(console: Console, url: str, *, temporary: bool) -> None:
    if temporary:
        console.print(f"Prefect: started a temporary server at {url.removesuffix('/api')} for this run")
    else:
        console.print(f"Prefect: using the configured API{f' at {url}' if url else ''}")
