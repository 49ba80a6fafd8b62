"""The commands of the command line, and their options.

Imports nothing heavy: worker processes import this module again.
"""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import App, Parameter, validators

from flows.cli.model_commands import models
from flows.cli.options import Data, Named, PipelineFile, Verbose

_FILES = "COMPREPLY=( $(compgen -f "  # in the completion script for bash


class _CompletedApp(App):
    """An app whose completion in bash goes on within a folder, where the library's ends the word."""

    def generate_completion(self, **how: Any) -> str:
        """Return the completion script of a shell."""
        script: str = super().generate_completion(**how)
        return script.replace(_FILES, f"compopt -o filenames 2>/dev/null; {_FILES}")


app = _CompletedApp(
    name="tidemill",
    help="""From APIs, web pages and files to Parquet to trained models, as async Prefect flows.

    A pipeline file says where rows come from and which models to compare; see
    deployments/flights/pipeline.yaml. Work that is done is not done again:
    run a pipeline twice and the second run only looks.

    Start with `demo`, then let `new` propose a pipeline file, `check` it, and `run` it.
    """,
    version=lambda: version("tidemill"),
    help_format="plaintext",  # Markdown takes a third of the time that help takes
    result_action="return_value",
    suppress_keyboard_interrupt=False,
)
app.register_install_completion_command(help="Have this shell complete commands, options and files (bash, zsh, fish).")


@app.command
def demo(*, data: Data = Path("data"), verbose: Verbose = False) -> int:
    """Run the flights pipeline on real data, served by a sample site on this machine.

    336,776 flights of 2013, with the weather from an API and airports and
    airlines from web pages; which of them arrive 15 minutes late or more?
    """
    from flows.cli.demo import run_demo  # noqa: PLC0415 - heavy

    return run_demo(data, verbose=verbose)


@app.command
def run(  # noqa: PLR0913 - the options of a command
    pipeline: PipelineFile,
    *,
    data: Data = Path("data"),
    only: Annotated[
        Literal["ingest", "convert", "tables", "train", "export"] | None,
        Parameter(help="Run one stage on what the stages before left."),
    ] = None,
    fresh: Annotated[bool, Parameter(negative="", help="Do again what is already done.")] = False,
    partitions: Annotated[
        list[str] | None,
        Parameter(negative="", help="Fetch these partitions alone, e.g. month=3..5 or origin=EWR,JFK; repeatable."),
    ] = None,
    limit: Annotated[
        int | None,
        Parameter(
            validator=validators.Number(gte=1),
            help="A look first: this many pages of each partition and files of each source, in a folder of its own.",
        ),
    ] = None,
    strict: Annotated[bool, Parameter(negative="", help="Exit with 1 also where the run only has warnings.")] = False,
    verbose: Verbose = False,
) -> int:
    """Run a pipeline: fetch its sources, convert them to tables, train on these.

    A slice of it, fetched again though it is there:

        tidemill run deployments/flights/pipeline.yaml --partitions month=3..5 --partitions origin=EWR,JFK --fresh

    Conditions must all hold. Sources that have none of the names run as ever,
    and what is landed beside the slice stays in the tables.
    """
    from flows.cli.run import run_pipeline  # noqa: PLC0415 - heavy
    from flows.summary import RunOptions  # noqa: PLC0415 - heavy

    choice = RunOptions(only, fresh, " ".join(partitions) if partitions is not None else None, limit)
    return run_pipeline(pipeline, data, choice, verbose=verbose, strict=strict)


@app.command
def resume(
    run: Annotated[
        str | None, Parameter(help="Id of a run, or its beginning, or the name of a pipeline: its last run.")
    ] = None,
    *,
    data: Data = Path("data"),
    strict: Annotated[bool, Parameter(negative="", help="Exit with 1 also where the run only has warnings.")] = False,
    verbose: Verbose = False,
) -> int:
    """Go on with the last run that was killed, failed or was interrupted: the same pipeline file, with the same options.

    What is done is not done again, and is told first.
    """
    from flows.cli.resume import resume_run  # noqa: PLC0415 - heavy

    return resume_run(run, data, verbose=verbose, strict=strict)


@app.command
def check(
    pipeline: PipelineFile,
    *,
    data: Data = Path("data"),
    ask: Annotated[
        bool, Parameter(negative="", help="Make the first request of each source, and show what came.")
    ] = False,
) -> int:
    """Validate a pipeline file and print what a run would do, without doing it.

    With --ask each source is asked once: status, rows, how its pages go on
    against what is declared, rate limits, and whether its auth was taken.
    """
    from flows.cli.run import check_pipeline  # noqa: PLC0415 - heavy

    return check_pipeline(pipeline, data, ask=ask)


@app.command
def preview(
    pipeline: PipelineFile,
    source: Annotated[str | None, Parameter(help="One of its sources, or tables; without it, all.")] = None,
    *,
    data: Data = Path("data"),
    rows: Annotated[int, Parameter(help="How many rows of each to show.", validator=validators.Number(gte=1))] = 3,
    ask: Annotated[
        bool, Parameter(negative="", help="Make the first request of each API and web page source, and no other.")
    ] = False,
) -> int:
    """Show the first rows of each source as its table would have them, with types, rejects and what was detected.

    Reads the head of the files only, asks nothing of APIs and web pages without --ask, and writes nothing.
    """
    from flows.cli.preview import preview_pipeline  # noqa: PLC0415 - heavy

    return preview_pipeline(pipeline, source, data, rows=rows, ask=ask)


@app.command
def new(  # noqa: PLR0913 - the options of a command
    name: Annotated[str, Parameter(help="Name of the pipeline.")],
    *,
    origins: Annotated[
        list[str] | None,
        Parameter(
            name="--from",
            negative="",
            help="Address of an API or a web page, a file, a glob or a folder; repeatable. Asked for in a terminal.",
        ),
    ] = None,
    target: Annotated[str | None, Parameter(help="Column that models are to predict.")] = None,
    file: Annotated[
        Path | None,
        Parameter(
            help="File to write; without it pipelines/NAME.yaml, or deployments/NAME/pipeline.yaml where there is such a folder."
        ),
    ] = None,
    token_env: Annotated[
        str | None, Parameter(help="Environment variable with the token that addresses are asked with, as Bearer.")
    ] = None,
    api: Annotated[
        bool, Parameter(negative="", help="Take addresses for those of APIs, of which robots.txt is not asked.")
    ] = False,
    data: Data = Path("data"),
) -> int:
    """Propose a pipeline file from what its sources show, check it, and write it; what is there is not overwritten.

        tidemill new orders --from 'https://api.example.com/orders?limit=100' --target returned

    Makes one request of each address (and one of its robots.txt), or reads the
    heads of files. What is not certain stands in the file as a comment, with
    the reason.
    """
    from flows.cli.new.command import Wanted, propose_pipeline  # noqa: PLC0415 - heavy

    return propose_pipeline(Wanted(name, origins or (), target, file, token_env, api), data)


@app.command
def export(
    table: Annotated[str, Parameter(help="A table of the data folder.")],
    target: Annotated[
        str,
        Parameter(
            help="File to write: .csv, .jsonl (or with .gz), .parquet, .xlsx, .duckdb; database with a table to write: "
            ".sqlite, .db or postgresql://user@host/database; or delta:folder."
        ),
    ],
    *,
    name: Annotated[str | None, Parameter(help="Name of the table in a database; without it, the same.")] = None,
    overwrite: Annotated[bool, Parameter(negative="", help="Replace the file or table that is there.")] = False,
    data: Data = Path("data"),
) -> int:
    """Write a table to a file or a database, all of it or nothing; what is there is not replaced.

    The password of a database is taken from PGPASSWORD or ~/.pgpass.
    """
    from flows.cli.export import export_to_target  # noqa: PLC0415 - heavy

    return export_to_target(table, target, data, name=name, overwrite=overwrite)


@app.command
def schema(
    pipeline: Annotated[Path | None, Parameter(help="Pipeline file whose own kinds are to be known.")] = None,
) -> int:
    """Print the JSON Schema of pipeline files, by which editors complete keys and mark mistakes.

    Write it to a file, and name that in the first line of a pipeline file:

        # yaml-language-server: $schema=pipeline.schema.json
    """
    from flows.cli.schema import print_schema  # noqa: PLC0415 - heavy

    return print_schema(pipeline)


@app.command
def lineage(
    name: Annotated[
        str,
        Parameter(
            help="A pipeline (its champion), a version of its model, a table, or a part as TABLE/PART; models/, training/, tables/ or truth/ before it says which."
        ),
    ],
    *,
    data: Data = Path("data"),
    everything: Annotated[
        bool, Parameter(name="--all", negative="", help="List every part and file, with the whole of their hashes.")
    ] = False,
    verify: Annotated[
        bool, Parameter(negative="", help="Hash every file and part again, also where size and time are as they were.")
    ] = False,
    as_json: Annotated[bool, Parameter(name="--json", negative="", help="Print all of it as JSON.")] = False,
) -> int:
    """Tell what made what: from a model to its training set, its tables, their parts, and the files and partitions of these.

    Each with its rows, its hash, when it was made and by which flow run, and
    whether its bytes are there as they were. Reads the data folder alone.
    """
    from flows.cli.lineage import show_lineage  # noqa: PLC0415 - heavy

    return show_lineage(name, data, as_json=as_json, full=everything, hashes=verify)


app.command(models)


@app.command
def predict(
    pipeline: Named,
    rows: Annotated[
        str,
        Parameter(
            name="--input",
            help="The rows: a table's name, a file of any format that sources read, a .sql file, or SQL.",
        ),
    ],
    *,
    data: Data = Path("data"),
    output: Annotated[
        Path | None, Parameter(help="Parquet file to write; without it, one in data/predictions/.")
    ] = None,
    overwrite: Annotated[
        bool, Parameter(negative="", help="Write the file of --output also where one is there.")
    ] = False,
    verbose: Verbose = False,
) -> int:
    """Predict new rows by the champion, and tell how far they have moved from those it learnt from."""
    from flows.cli.models import print_predictions  # noqa: PLC0415 - heavy

    return print_predictions(pipeline, rows, data, output, overwrite=overwrite, verbose=verbose)


@app.command
def truth(
    pipeline: PipelineFile,
    *,
    data: Data = Path("data"),
    fresh: Annotated[bool, Parameter(negative="", help="Score also what is as it was.")] = False,
    verbose: Verbose = False,
) -> int:
    """Join outcomes that have become known with what was predicted, and score it by week and version.

    The pipeline file says where they are found, in its section `truth`. A
    week whose score is surely worse than on the hold-out is told.
    """
    from flows.cli.truth import print_truth  # noqa: PLC0415 - heavy

    return print_truth(pipeline, data, fresh=fresh, verbose=verbose)


@app.command
def score(  # noqa: PLR0913 - the options of a command
    pipeline: Named,
    *,
    host: Annotated[str, Parameter(help="Address to listen at; 0.0.0.0 is all of this machine's.")] = "127.0.0.1",
    port: Annotated[int, Parameter(help="Port to listen at; 0 is any free one.")] = 8766,
    data: Data = Path("data"),
    max_rows: Annotated[int, Parameter(validator=validators.Number(gte=1), help="Rows of a request.")] = 10_000,
    max_body_mb: Annotated[int, Parameter(validator=validators.Number(gte=1), help="MiB of a request.")] = 8,
    max_requests: Annotated[int, Parameter(validator=validators.Number(gte=1), help="Requests under way.")] = 64,
) -> int:
    """Answer by the champion over HTTP until interrupted; another champion takes over as soon as it serves.

    POST /predict takes a JSON list of rows. GET /openapi.json describes them,
    /drift tells how far they have moved, /health which version answers.
    """
    from flows.cli.score import score_rows  # noqa: PLC0415 - heavy
    from tasks.train.scoring.endpoint import EndpointLimits  # noqa: PLC0415 - heavy

    limits = EndpointLimits(max_body_mb * 2**20, max_requests)
    return score_rows(pipeline, data, (host, port), limits, max_rows)


@app.command
def serve(*, verbose: Verbose = False) -> int:
    """Schedule the deployments of prefect.yaml and run them here, without a worker, until interrupted."""
    from flows.cli.serve import serve_deployments  # noqa: PLC0415 - heavy

    return serve_deployments(verbose=verbose)


@app.command
def deploy() -> int:
    """Deploy all of prefect.yaml to the Prefect server, and make the alerts of its pipeline files; twice changes nothing."""
    from flows.cli.deploy import deploy_all  # noqa: PLC0415 - heavy

    return deploy_all()


@app.command
def doctor(
    *,
    data: Data = Path("data"),
    mend: Annotated[
        bool,
        Parameter(
            negative="", help="First set runs that were killed to Crashed, and remove what they left in the folder."
        ),
    ] = False,
) -> int:
    """Look at the installed packages, the Prefect server with its schedules and workers, and the data folder.

    One line each, with its cure; exit code 1 where something is wrong.
    """
    from flows.cli.doctor.command import look_at_all  # noqa: PLC0415 - heavy

    return look_at_all(data, mend=mend)


@app.command
def clean(
    *,
    data: Data = Path("data"),
    older_than: Annotated[str, Parameter(help="Age from which things go, e.g. 30d, 12h or 2w.")] = "30d",
    raw: Annotated[
        bool,
        Parameter(
            negative="", help="Also raw that tables are, or may be, made of: the next run fetches its partitions again."
        ),
    ] = False,
    dry_run: Annotated[bool, Parameter(negative="", help="Tell what would go, and remove nothing.")] = False,
    verbose: Verbose = False,
) -> int:
    """Remove what nothing needs any longer from the data folder, and the history of its runs from Prefect; sizes come first.

    What the champion or a current table needs stays, and what a run holds. See
    docs/operate.md for what goes and what does not.
    """
    from flows.cli.clean import clean_folder  # noqa: PLC0415 - heavy

    return clean_folder(data, older_than, raw=raw, dry_run=dry_run, verbose=verbose)
