"""What a worker must have to do a run's work: the run's packages and code, and its data folder."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from uuid import uuid4

from tasks.core.bucket.opened import CACHE, bucket_of
from tasks.core.errors import RunnerError
from tasks.runners.environment import Environment

_ASKED = "asked"
_FOR_WORKERS = ".workers-"


@dataclass(frozen=True)
class Expected:
    """What is asked of each worker: whether it is as the run is, and sees this folder of the run, which lies in the data folder.

    Where no folder is told, what is to be read comes through a store. `cure` is what has it seen.
    """

    environment: Environment
    folder: Path | None = None
    root: Path = Path()
    cure: str = ""


def this_worker() -> str:
    """Return how this process is called as a worker."""
    return f"the worker {socket.gethostname()} (process {os.getpid()})"


def tell_differences(expected: Environment) -> str:
    """Return in what this process is not as the run is, in a sentence; nothing where it is."""
    told = expected.differences(Environment.here(expected.modules))
    return f"{this_worker()} has {', and has '.join(found)}" if (found := list(told)) else ""


def tell_mistakes(expected: Expected) -> str:
    """Return what is wrong with this process as a worker, in a sentence; nothing where nothing is."""
    if told := tell_differences(expected.environment):
        return told
    if expected.folder is None:
        return ""
    name = f"{socket.gethostname()}-{os.getpid()}"
    try:
        (expected.folder / _ASKED).read_bytes()
        (expected.folder / name).write_bytes(b"")
    except OSError as error:
        return unreached(expected.root, error, expected.cure)
    return ""


def make_own_folder(place: Path) -> Path:
    """Return a new folder of this process's, in a folder that a run has for what its workers make.

    Another attempt at the same task, of a worker that was taken for dead, has another one.

    Raises:
        RunnerError: the folder is not there, as this process does not see it, or the run has ended.

    """
    try:
        own = Path(mkdtemp(prefix=f"{socket.gethostname()}-{os.getpid()}-", dir=place))
    except OSError as error:
        raise RunnerError(f"runner: {unreached(place, error)}, unless the run has ended") from None
    own.chmod(0o777)  # the run moves what is made here
    return own


def check_run(place: Path) -> None:
    """Raise RunnerError on a worker where its run has ended, which has then removed the folder in which it waited."""
    try:
        place.stat()
    except FileNotFoundError:
        raise RunnerError(f"{this_worker()}: its run has ended") from None
    except OSError:  # storage that does not answer for a moment is no run that has ended
        return


@contextmanager
def place_for_workers(home: Path, *, held: bool = True) -> Iterator[Path]:
    """Yield a new folder in which workers make what the run then takes; one that a killed run left, the next one removes that holds `home`.

    Where no run holds `home`, its name tells whose it is, for `clean` on this machine to remove it once that process is gone.
    """
    place = home / f"{_FOR_WORKERS}{uuid4().hex[:8]}{'' if held else f'.{os.getpid()}.part'}"
    place.mkdir(parents=True)
    place.chmod(0o777)  # workers may be of another user
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


@contextmanager
def only_place_for_workers(home: Path) -> Iterator[Path]:
    """Yield the same where no other run has one: that of a killed run is removed, so that what it had workers do ends."""
    remove_places(home)
    with place_for_workers(home) as place:
        yield place


def remove_places(home: Path) -> None:
    """Remove the folders that runs which have ended had for their workers."""
    for place in home.glob(f"{_FOR_WORKERS}*"):
        shutil.rmtree(place, ignore_errors=True)


_SHARED = "put it on storage that every worker mounts at the same path, and may write to"


def unreached(path: Path, error: OSError, cure: str = _SHARED) -> str:
    """Return the sentence for a path of the run's that this process does not reach."""
    return f"{path}: {this_worker()} cannot reach it ({error.strerror}); {cure}"


def cure_of(root: Path) -> str:
    """Return what has workers see a data folder, which may be the mirror of a bucket."""
    if not (address := bucket_of(root, ".")):
        return _SHARED
    return (
        f"it is the mirror of {address}: set {CACHE} to a folder on storage that every worker mounts at the same path, "
        "and may write to"
    )


@contextmanager
def expected_of_workers(root: Path | None, extensions: Iterable[str] = ()) -> Iterator[Expected]:
    """Yield what workers are asked, for as long as they are; the folder is there for each of them to see, and to write to."""
    environment = Environment.here(extensions)
    if root is None:
        yield Expected(environment)
        return
    with place_for_workers(root, held=False) as folder:
        (folder / _ASKED).write_bytes(b"")
        yield Expected(environment, folder, root, cure_of(root))
