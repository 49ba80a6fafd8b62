"""Calls that end in all the ways a fit can end; tests run them in a process of their own."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tasks.train.evaluation.results import FoldResult


def add(one: int, other: int) -> int:
    """Return a sum."""
    return one + other


def hang_in_c() -> None:
    """Stay in one call of a numeric library."""
    np.linalg.svd(np.ones((4000, 4000)))


def eat_memory() -> None:
    """Take memory until there is none."""
    kept = []
    while True:
        kept.append(np.ones(2_000_000))


def ask_for_everything() -> None:
    """Take a terabyte at once."""
    np.ones((2**20, 2**17))


def crash() -> None:
    """Read where there is nothing."""
    ctypes.string_at(0)


def leave() -> None:
    """End without a word."""
    os._exit(3)


def count_slowly(seconds: float, last: str) -> Iterator[tuple[int, int]]:
    """Yield 0, 1 and 2 with this process's number, each after some time, and then end as `last` does."""
    for number in range(3):
        time.sleep(seconds)
        yield number, os.getpid()
    if last:
        globals()[last]()


def fail() -> None:
    """Raise an error."""
    raise ValueError("no such luck")


def start_another() -> int:
    """Start a process that would outlive this one."""
    return subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]).pid


def count_threads() -> tuple[int, set[int]]:
    """Return how many threads this process has while it fits, and how many the numeric libraries would use."""
    from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier  # noqa: PLC0415 - as in a fit
    from threadpoolctl import threadpool_info  # noqa: PLC0415 - the same

    x = np.random.default_rng(0).random((3000, 10))
    HistGradientBoostingClassifier(max_iter=5).fit(x, x[:, 0] > 0.5)
    RandomForestClassifier(n_estimators=5).fit(x, x[:, 0] > 0.5)
    np.linalg.svd(x)
    return len(os.listdir("/proc/self/task")), {pool["num_threads"] for pool in threadpool_info()}  # noqa: PTH208 - names only


def tell_pid_and_wait(path: str) -> None:
    """Write this process's number to a file and stay."""
    with open(path, "w") as file:  # noqa: PTH123 - two lines
        file.write(str(os.getpid()))
    time.sleep(60)


def wait_the_first_time(path: str) -> str:
    """Write this process's number to a file and stay; a later one returns at once what it finds there."""
    if Path(path).is_file():
        return Path(path).read_text()
    tell_pid_and_wait(path)
    return ""


_kept: list[object] = []


def keep_memory(_job: object, folds: tuple[int, ...]) -> Iterator[FoldResult]:
    """Yield results of folds, of which each leaves 80 MB with this process."""
    for fold in folds:
        _kept.append(np.ones(10_000_000))
        time.sleep(0.2)  # the watch looks every 50 ms
        yield FoldResult(fold, "")


def die_after_all(_job: object, folds: tuple[int, ...]) -> Iterator[FoldResult]:
    """Yield results of folds, and then crash."""
    yield from (FoldResult(fold, "") for fold in folds)
    crash()
