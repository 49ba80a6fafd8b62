"""A batch of files for a worker of whatever machine: what it reads and stages is named by paths from the data folder on."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from tasks.config.formats import FORMATS
from tasks.convert.parts.sample import Samples
from tasks.convert.staging.context import ColumnOrder, ConversionContext, ConversionResult, InputFile
from tasks.core.errors import ConfigError, RunnerError
from tasks.core.registry import add_extension
from tasks.runners.environment import Environment
from tasks.runners.worker_check import check_run, cure_of, make_own_folder, tell_differences, this_worker, unreached


class RemoteBatch:
    """Units of files that a worker is to convert, into a folder of its own within `place`.

    Every path is relative to `root`, the data folder as this machine has it; one of a file outside of it is not.
    No dataclass: Prefect would look for futures in each of its thousands of files.
    """

    def __init__(self, units: Sequence[Sequence[InputFile]], plan: ConversionContext, root: Path, place: Path) -> None:
        self.root = root
        self.place = place.relative_to(root)
        self.units = [[_moved(file, lambda path: _leave(path, root)) for file in unit] for unit in units]
        self.target = replace(plan.target, staged=Path())
        self.wanted = plan.wanted
        self.guesses = dict(plan.guesses)
        self.order = plan.order
        self.samples = plan.samples.begin() if plan.samples is not None else None
        self.extensions = tuple(FORMATS.outside().values())
        self.environment = Environment.here(self.extensions)
        self.cure = cure_of(root)

    @contextmanager
    def begun(self) -> Iterator[tuple[list[list[InputFile]], ConversionContext, Path]]:
        """Yield the units and how they are converted, as this process has them, and the folder they are staged in, from the data folder on.

        Where the work fails, the folder is removed.

        Raises:
            RunnerError: this process is not as the run is, does not reach its files, or the run has ended.

        """
        self._check()
        staged = make_own_folder(self.root / self.place)
        target = replace(self.target, staged=staged)
        plan = ConversionContext(
            target, self.wanted, self.samples, dict(self.guesses), order=ColumnOrder(self.order.names, self.order.first)
        )
        units = [[_moved(file, self.root.joinpath) for file in unit] for unit in self.units]
        try:
            yield units, plan, staged.relative_to(self.root)
        except BaseException:
            shutil.rmtree(staged, ignore_errors=True)
            raise

    def check_run(self) -> None:
        """Raise RunnerError where the run has ended, which has then removed what it waited for."""
        check_run(self.root / self.place)

    def _check(self) -> None:
        """Raise unless this process has the run's packages, code and kinds, and reaches the first of its files."""
        if told := tell_differences(self.environment):
            raise RunnerError(f"runner: {told}")
        try:
            for kind in self.extensions:
                add_extension(kind)
        except ConfigError as error:
            raise RunnerError(f"runner: {this_worker()}: {error}") from None
        first = next((file for unit in self.units for file in unit if file.is_local), None)
        if first is not None:
            path = self.root / (first.path if first.piece is None else first.piece.pack)
            try:
                path.stat()
            except OSError as error:
                raise RunnerError(f"runner: {unreached(path, error, self.cure)}") from None


class StagedElsewhere:
    """What a worker has made of a batch: what became of its files, in which folder of the data folder their parts are, and rows kept of them."""

    def __init__(self, results: Sequence[ConversionResult], folder: Path, samples: Samples | None) -> None:
        self.results = results
        self.folder = folder
        self.samples = samples

    def take(self, root: Path, plan: ConversionContext) -> Sequence[ConversionResult]:
        """Move what was staged to where the run stages its parts; return what became of the files."""
        folder = root / self.folder
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                target = plan.target.staged / path.relative_to(folder)
                target.parent.mkdir(parents=True, exist_ok=True)
                path.replace(target)
        shutil.rmtree(folder, ignore_errors=True)
        if plan.samples is not None and self.samples is not None:
            plan.samples.add(self.samples)
        return self.results


def _leave(path: Path, root: Path) -> Path:
    return path.relative_to(root) if path.is_relative_to(root) else path


def _moved(file: InputFile, move: Callable[[Path], Path]) -> InputFile:
    """Return a file whose path is another; one in a store is where it was."""
    piece = None if file.piece is None else file.piece._replace(pack=move(file.piece.pack))
    return replace(file, path=move(file.path) if isinstance(file.path, Path) else file.path, piece=piece)
