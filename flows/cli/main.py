"""The command line: `python -m flows`, or `tidemill`: how a command ends.

Imports nothing heavy: worker processes import this module again.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from cyclopts import CycloptsError

from flows.cli.app import app
from tasks.core.bucket.opened import commit_opened
from tasks.core.errors import ConfigError, LostServerError, SkippedError, TidemillError
from tasks.core.escaping import printable
from tasks.core.garbage_collection import collect_seldom, exit_with
from tasks.core.imports import NO_FORM

EXIT_FAILED = 1  # the run failed
EXIT_WRONG = 2  # the command, the pipeline file or what it names is wrong: nothing ran
EXIT_SKIPPED = 3  # another run goes on, and the pipeline file says overlap: skip
EXIT_INTERRUPTED = 130
_WITH_FORMS = {"deploy", "schema", "serve"}


def main() -> None:
    """Run the command line and exit with its code."""
    collect_seldom()
    exit_with(_run)


def _run() -> int:
    if _WITH_FORMS.isdisjoint(sys.argv[1:2]):
        os.environ[NO_FORM] = "true"
    else:
        os.environ.pop(NO_FORM, None)  # of another command that has started this one
    code = run_command(sys.argv[1:])
    if code == EXIT_INTERRUPTED:
        _end_at_once(code)  # Python would wait for threads that no Ctrl-C ends, as of a workbook's reader
    return code


def run_command(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code; every error is one sentence a line on standard error."""
    try:
        code: int | None = app(arguments, exit_on_error=False)
        commit_opened()
    except CycloptsError:
        code = EXIT_WRONG  # cyclopts has said what is wrong
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nobody reads on: say no more, nor at exit
        code = EXIT_FAILED
    except LostServerError as error:
        _end_at_once(_fail(error))
    except (TidemillError, OSError, KeyboardInterrupt) as error:
        code = _fail(error)
    return code or 0


def _end_at_once(code: int) -> NoReturn:
    """End this process without what was to be done and waited for at its end: Prefect's would wait for a lost server."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _fail(error: BaseException) -> int:
    """Print what ended a command, and return its exit code."""
    match error:
        case ConfigError():
            said, code = str(error), EXIT_WRONG
        case SkippedError():
            said, code = str(error), EXIT_SKIPPED
        case TidemillError():
            said, code = str(error), EXIT_FAILED
        case OSError():
            said, code = f"{error}; check the path, its permissions and the space on its disk", EXIT_FAILED
        case _:
            said, code = "interrupted; what is finished is kept, run the command again to go on", EXIT_INTERRUPTED
    for line in filter(None, said.split("\n")):
        print(f"error: {printable(line)}", file=sys.stderr)
    return code


if __name__ == "__main__":
    main()
