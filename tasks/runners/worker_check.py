"""What a worker must have to do a run's work: the run's packages, and its data folder."""

from __future__ import annotations

import os
import platform
import shutil
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from tempfile import mkdtemp
from uuid import uuid4

from tasks.core.errors import RunnerError

_PACKAGES = ("tidemill", "pyarrow", "numpy", "pandas")
"""What the bytes of a part depend on, beside Python."""
_ASKED = "asked"
FOR_WORKERS = ".workers-"
"""How the names of folders begin in which workers make what a run then takes."""


@dataclass(frozen=True)
class Expected:
    """What is asked of each worker: whether it has these versions, and sees this folder of the run, which lies in the data folder."""

    versions: Mapping[str, str]
    root: Path
    folder: Path


def versions_here() -> dict[str, str]:
    """Return the versions that this process has of what the bytes of a part depend on."""
    return {"python": ".".join(platform.python_version_tuple()[:2])} | {name: version(name) for name in _PACKAGES}


def this_worker() -> str:
    """Return how this process is called as a worker."""
    return f"the worker {socket.gethostname()} (process {os.getpid()})"


def tell_versions(versions: Mapping[str, str]) -> str:
    """Return what is wrong with this process, in a sentence, where it has other versions; nothing where it has these."""
    here = versions_here()
    other = [name for name, there in versions.items() if here.get(name) != there]
    told = ", ".join(f"{name} {here.get(name)} instead of {versions[name]}" for name in other)
    return f"{this_worker()} has {told}; install there what the run has, or its parts differ" if told else ""


def tell_mistakes(expected: Expected) -> str:
    """Return what is wrong with this process as a worker, in a sentence; nothing where nothing is."""
    if told := tell_versions(expected.versions):
        return told
    name = f"{socket.gethostname()}-{os.getpid()}"
    try:
        (expected.folder / _ASKED).read_bytes()
        (expected.folder / name).write_bytes(b"")
    except OSError as error:
        return unreached(expected.root, error)
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


@contextmanager
def place_for_workers(home: Path) -> Iterator[Path]:
    """Yield a new folder in which workers make what the run then takes; one that a killed run left is removed by the next."""
    place = home / f"{FOR_WORKERS}{uuid4().hex[:8]}.{os.getpid()}.part"
    place.mkdir(parents=True)
    place.chmod(0o777)  # workers may be of another user
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


def unreached(path: Path, error: OSError) -> str:
    """Return the sentence for a path of the run's that this process does not reach."""
    return (
        f"{path}: {this_worker()} cannot reach it ({error.strerror}); put it on storage that every worker mounts at "
        "the same path, and may write to"
    )


@contextmanager
def expected_of_workers(root: Path) -> Iterator[Expected]:
    """Yield what workers are asked, for as long as they are; its folder is there for each of them to see, and to write to."""
    with place_for_workers(root) as folder:
        (folder / _ASKED).write_bytes(b"")
        yield Expected(versions_here(), root, folder)
