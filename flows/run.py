"""A run from Python, in a script or a notebook: the command line's own, in a process of its own, and its summary as a value."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryFile

from flows.summary import RunOptions, RunSummary, Stage, read_summary
from tasks.core.child_process import exit_with_parent, start_child, stop_child
from tasks.core.errors import ConfigError, SkippedError, StageError
from tasks.core.runs import find_run

_ERROR = "error: "
_WRONG, _SKIPPED, _INTERRUPTED = 2, 3, 130  # as the command line exits


def run(  # noqa: PLR0913 - the options of a run
    pipeline: Path | str,
    data: Path | str = "data",
    *,
    only: Stage | None = None,
    fresh: bool = False,
    partitions: Sequence[str] = (),
    limit: int | None = None,
    strict: bool = False,
) -> RunSummary:
    """Run the pipeline of a file as `python -m flows run` does, print its progress, and return its summary.

    It has the Prefect API that is configured, or a temporary server, and runs in a process of its own: a loop that
    runs here, as a notebook's, is no matter, and neither is what has been imported. An interrupt ends it.

    Args:
        pipeline: Path of the pipeline file.
        data: Folder for everything the run reads and writes.
        only: The one stage to run.
        fresh: Whether to do again what is already done.
        partitions: The partitions to fetch alone, e.g. ["month=3..5"].
        limit: How many pages of each partition and files of each source are taken, into a folder of their own.
        strict: Whether a warning is a failure.

    Raises:
        ConfigError: the pipeline file, or what it names, is wrong; nothing has run.
        SkippedError: another run goes on, and the pipeline file says overlap: skip.
        StageError: a stage, or a part of one, failed; its `outcome` is the summary, where the run came so far as to have one.

    """
    folder = RunOptions(limit=limit).folder(Path(data))
    options = ["--only", only] if only else []
    options += [text for each in partitions for text in ("--partitions", each)]
    options += ["--limit", str(limit)] if limit is not None else []
    options += [f"--{name}" for name, is_set in (("fresh", fresh), ("strict", strict)) if is_set]
    since = datetime.now(UTC)
    code, errors, pid = _run_command("run", str(pipeline), "--data", str(data), *options)
    if code == _INTERRUPTED:
        raise KeyboardInterrupt
    if code == _WRONG:
        raise ConfigError(errors)
    if code == _SKIPPED:
        raise SkippedError("\n".join(errors))
    own = find_run(folder, pid, since)
    summary = read_summary(folder, own.flow_run_id) if own else None
    if code or summary is None:
        raise StageError("\n".join(errors) or f"the run ended with exit code {code}; run it again", summary)
    return summary


def _run_command(*arguments: str) -> tuple[int, list[str], int]:
    """Run a command of the command line and print what it prints; return its exit code, its errors and its process id."""
    with TemporaryFile() as said:
        child = start_child(__name__, *arguments, stderr=said)
        try:
            _print_output(child)
        except KeyboardInterrupt:
            child.send_signal(signal.SIGINT)
            _print_output(child)
            raise
        finally:
            stop_child(child)
        said.seek(0)
        lines = said.read().decode(errors="replace").splitlines()
    for line in lines:
        if not line.startswith(_ERROR):
            print(line, file=sys.stderr)
    return child.returncode, [line.removeprefix(_ERROR) for line in lines if line.startswith(_ERROR)], child.pid


def _print_output(child: subprocess.Popen[bytes]) -> None:
    """Print what a child prints, to its end: standard output may be a notebook's, and no file."""
    assert child.stdout
    for line in child.stdout:
        print(line.decode(errors="replace"), end="", flush=True)
    child.wait()


if __name__ == "__main__":
    exit_with_parent()
    from flows.cli.main import main  # which imports nothing heavy, and ends the process with its exit code

    main()
