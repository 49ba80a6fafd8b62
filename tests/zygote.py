"""The process that stages to be killed are forked from, as a test sees it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.killed import Order
from tests.postgresql import PASSWORD


@dataclass
class Zygote:
    """The process that the stages are forked from."""

    process: subprocess.Popen[str]

    def start(self, order: Order) -> int:
        """Have an order carried out; return the number of the process, which leads a group of its own."""
        assert self.process.stdin
        self.process.stdin.write(order.line())
        self.process.stdin.flush()
        return int(self._read())

    def end(self) -> int:
        """Return how the last process ended: 0, or the signal below zero."""
        return int(self._read())

    def _read(self) -> str:
        assert self.process.stdout
        return self.process.stdout.readline()


@contextmanager
def zygote() -> Iterator[Zygote]:
    """Start the process that the stages are forked from; they know the password of the tests' PostgreSQL."""
    command, environment = [sys.executable, "-m", "tests.killed"], {**os.environ, "PGPASSWORD": PASSWORD}
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield Zygote(process)
        finally:
            assert process.stdin
            process.stdin.close()
            process.wait(10)
