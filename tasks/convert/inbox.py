"""What an inbox holds that does not reach its table: files passed over, and folders that name a column."""

from __future__ import annotations

import re
from pathlib import PurePath

from tasks.convert.job import TableJob
from tasks.convert.types import Types
from tasks.spec import FilesSource

_PARTITION = re.compile(r"(?P<column>[^=/]+)=[^/]*")  # as Hive, Spark and others name folders


def tell_passed_over(job: TableJob) -> tuple[str, ...]:
    """Return a sentence on the files that may be meant, and that no path of the source takes."""
    if not job.passed_over:
        return ()
    first, count = job.passed_over[0], len(job.passed_over)
    some = f"1 file is passed over: {first}" if count == 1 else f"{count} files are passed over, the first is {first}"
    folder, slash, name = first.rpartition("/")
    suffix = PurePath(name).suffix
    likes = f"{folder}{slash}*{suffix}" if suffix else first
    return (
        f"{some}; if they are data, name them in path too, as {likes}, with read.format where their ending tells "
        "no format, else move them out",
    )


def tell_partition_folders(job: TableJob, types: Types) -> tuple[str, ...]:
    """Return a sentence on folders like year=2023 whose values the table has in no column."""
    if not isinstance(job.source, FilesSource):
        return ()
    declared = {part for path in job.source.path for part in path.split("/")}
    folders = dict.fromkeys(part for file in job.inputs if "=" in file.name for part in file.name.split("/")[:-1])
    found: dict[str, str] = {}
    for folder in folders:
        if folder not in declared and (match := _PARTITION.fullmatch(folder)):
            found.setdefault(match["column"], folder)
    return tuple(
        f"the folders {column}=... are no column, such as {folder}: the table has no {column}; set table.provenance "
        f"and take the value from the column _file, or write {column} into the files"
        for column, folder in found.items()
        if job.naming.rename([column])[0] not in types
    )
