"""The data folder: its disk, its locks, what killed runs have left in it, and what is damaged."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from flows.cli.doctor.diagnosis import Diagnosis, listed
from tasks.core.errors import TrainingError
from tasks.core.escaping import count
from tasks.core.storage import DataFolder, list_leftovers
from tasks.core.tables import MANIFEST
from tasks.raw.files import fetch_again
from tasks.raw.folder import find_altered

LEAST_FREE_BYTES = 1024**3
_MB = 1_000_000
_CONVERT = "run its pipeline with --only convert: it makes it anew"


def look_at_folder(data: Path, least_free: int = LEAST_FREE_BYTES) -> Iterator[Diagnosis]:
    """Yield how a data folder is."""
    if data.exists() and not data.is_dir():
        yield Diagnosis("wrong", f"{data} is a file; name a folder by --data")
        return
    yield _look_at_disk(data.absolute(), least_free)
    if not data.is_dir():
        yield Diagnosis("ok", f"{data} is not there yet; the first run makes it")
        return
    found = [*_look_at_locks(data), *_look_at_leftovers(data), *_look_at_begun(data), *_look_at_damage(data)]
    yield from found
    if not any(diagnosis.level == "wrong" for diagnosis in found):
        yield Diagnosis("ok", f"{data} has nothing unfinished of killed runs")


def _look_at_disk(data: Path, least_free: int) -> Diagnosis:
    there = next(folder for folder in (data, *data.parents) if folder.is_dir())
    free = shutil.disk_usage(there).free
    said = f"{free / _MB:,.0f} MB are free on the disk of {data}"
    if free < least_free:
        return Diagnosis("wrong", f"{said}, and a run may need more than that; delete or move something")
    return Diagnosis("ok", said)


def _look_at_locks(data: Path) -> Iterator[Diagnosis]:
    """Yield a diagnosis of the folders that a run holds; a lock ends with its process, so a file that is left holds nothing."""
    for path in sorted(data.rglob(".lock")):
        lock = FileLock(path)
        try:
            lock.acquire(blocking=False)
        except Timeout:
            yield Diagnosis(
                "note", f"{path.parent} is held by a run that is under way; another one waits or is refused"
            )
        except OSError as error:
            yield Diagnosis("wrong", f"{path} cannot be held ({error}); let this user write there")
        else:
            lock.release()


def _look_at_leftovers(data: Path) -> Iterator[Diagnosis]:
    left = list_leftovers(data)
    if left:
        names = listed([str(path.relative_to(data)) for path in left], 3)
        size = sum(map(_size, left)) / _MB
        yield Diagnosis(
            "wrong",
            f"{data} has {count(len(left), 'unfinished file')} of killed runs, {size:,.1f} MB: {names}; "
            "run their pipelines again, or remove them by doctor --mend",
        )


def _look_at_begun(data: Path) -> Iterator[Diagnosis]:
    begun = sorted((data / "raw").rglob(".*.landing.json"))
    if begun:
        sources = sorted({path.relative_to(data / "raw").parts[0] for path in begun})
        partitions = count(len(begun), "partition")
        yield Diagnosis("note", f"{partitions} of {listed(sources)} begun and not finished; the next run goes on there")


def _look_at_damage(data: Path) -> Iterator[Diagnosis]:
    yield from _look_at_raw(data)
    yield from _look_at_tables(DataFolder.at(data))
    yield from _look_at_champions(data)


def _look_at_raw(data: Path) -> Iterator[Diagnosis]:
    for folder in sorted((data / "raw").glob("*/")):
        for raw, damage in find_altered(folder):
            yield Diagnosis("wrong", f"{raw} is not as it was landed, {damage}; {fetch_again(raw.name)}")


def _look_at_tables(folder: DataFolder) -> Iterator[Diagnosis]:
    from tasks.convert.table.damage import look_for_damage  # noqa: PLC0415 - pyarrow takes a moment to import
    from tasks.convert.table.manifest import read_table_manifest  # noqa: PLC0415 - the same
    from tasks.convert.table.versions import Versions  # noqa: PLC0415 - the same

    copies = folder.manifest("x").parent.glob("*.json")
    for name in sorted({*folder.tables(()), *(path.stem for path in copies)}):  # of a bucket those that are here
        versions = Versions.of(name, folder)
        if not (versions.table / MANIFEST).is_file():
            if versions.copy.is_file():
                yield Diagnosis("wrong", f"the table {name} is gone, which {versions.copy} tells of; {_CONVERT}")
            continue
        if damaged := look_for_damage(versions, read_table_manifest(versions.table)):
            more = f" and {len(damaged) - 1} more" if len(damaged) > 1 else ""
            yield Diagnosis("wrong", f"{damaged[0]}{more} of the table {name} is gone or damaged; {_CONVERT}")


def _look_at_champions(data: Path) -> Iterator[Diagnosis]:
    from tasks.train.registry import read_champion  # noqa: PLC0415 - pandas takes a moment to import

    folders = sorted((data / "models").glob("*/"))
    for folder in folders:
        try:
            read_champion(DataFolder.at(data).models(folder.name))
        except TrainingError as error:
            yield Diagnosis("wrong", " ".join(str(error).split()))


def _size(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())
