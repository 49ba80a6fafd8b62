"""Output that nobody reads any longer, as behind `| head -1`: the work goes on without it."""

from __future__ import annotations

import os
from typing import IO

from rich.console import Console


def end_output(file: IO[str]) -> None:
    """Have what is still written to a file that nobody reads go nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), file.fileno())


def let_consoles_end() -> None:
    """Have every console of this process, Prefect's log too, fall silent where nobody reads it.

    Rich's own way is SystemExit in whatever thread it is that prints: a pool of which
    a worker, or the thread that hears them, ends so waits for ever.
    """
    Console.on_broken_pipe = _fall_silent  # type: ignore[method-assign, assignment]


def _fall_silent(console: Console) -> None:
    console.quiet = True
    end_output(console.file)
