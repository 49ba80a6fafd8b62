"""What the command `truth` does."""

from __future__ import annotations

from pathlib import Path

from flows.cli.console import ProgressView, make_console, print_line, print_table
from flows.cli.prefect_api import prefect_api
from tasks.config import load_pipeline
from tasks.core.errors import ConfigError
from tasks.core.escaping import count
from tasks.train.truth.scores import Judged, write_figure

_WEEKS_SHOWN = 26


def print_truth(pipeline: Path, data: Path, *, fresh: bool, verbose: bool) -> int:
    """Judge the past predictions of a pipeline file, and print what they have come to; return the exit code.

    Raises:
        TidemillError: the pipeline file, or what it names, is wrong.

    """
    config = load_pipeline(pipeline)
    if config.truth is None:
        raise ConfigError(f"{pipeline}: truth: is missing; add truth: {{query, key, delay}}")
    console = make_console()
    with prefect_api(verbose=verbose) as api:
        from flows.cli.execution import FlowExecution  # noqa: PLC0415 - imports Prefect while the server starts
        from flows.stage import shared_pipeline  # noqa: PLC0415 - as above
        from flows.truth import truth  # noqa: PLC0415 - as above

        api.wait_until_ready()
        view = ProgressView(console)
        with view.shown(), shared_pipeline(config, pipeline.absolute()) as given:
            judged = FlowExecution(api, view.show).run(truth, given, data, fresh)
    assert isinstance(judged, Judged)
    rows = [
        (
            str(week.week),
            week.version,
            f"{week.metric} {write_figure(week.score)}",
            "fell" if week.has_fallen else "" if week.number("over") else "goes on",
            write_figure(week.figures["hold-out"]),
            f"{week.number('scored'):,}",
            f"{week.number('waiting'):,}",
            f"{week.figures['drifted']['value']:.0%}",
        )
        for week in judged.weeks[-_WEEKS_SHOWN:]
    ]
    if rows:
        heads = ("week", "version", "score, 95 %", "", "hold-out, 95 %", "known", "waiting", "drifted")
        print_table(console, f"What came of predictions of {config.name}", heads, rows)
    for problem in judged.problems:
        print_line(console, f"warning: {problem}")
    is_new = f"{len(judged.scored)} scored anew" if judged.is_new else "nothing new"
    young = f"; {judged.young:,} of {count(judged.kept, 'prediction file')} too young to count" if judged.young else ""
    where = f", in {judged.path}" if judged.weeks else ""
    print_line(console, f"{count(len(judged.weeks), 'week')}, {is_new}{young}{where}")
    return 0
