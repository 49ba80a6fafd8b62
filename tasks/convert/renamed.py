"""Files known by their content: one that was renamed, moved or compressed is not counted a second time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from tasks.convert.files import ConvertedFile
from tasks.convert.job import TableJob
from tasks.spec import FilesSource


def find_renamed(job: TableJob, stay: Mapping[str, ConvertedFile], new: Iterable[ConvertedFile]) -> dict[str, str]:
    """Return, by the name of each file that is gone, that of a new one which has its very bytes, compressed or not."""
    listed = {file.name for file in job.inputs}
    gone: dict[str, list[str]] = {}
    for name, file in stay.items():
        if name not in listed and file.rows_received and file.known_by:
            gone.setdefault(file.known_by, []).append(name)
    came = [file for file in new if file.name not in stay and file.known_by in gone]
    found: dict[str, str] = {}
    for file in sorted(came, key=lambda file: file.name):
        if names := gone[file.known_by]:  # of equal files each takes the place of one
            found[names.pop(0)] = file.name
    return found


def tell_renamed(renamed: Mapping[str, str]) -> tuple[str, ...]:
    """Return a sentence on the files that take the place of others."""
    if not renamed:
        return ()
    name, other = next(iter(renamed.items()))
    more = f", and so have {len(renamed) - 1} more files" if len(renamed) > 1 else ""
    return (f"{other} has the very bytes of {name}, which is gone, and takes its place{more}",)


def tell_copies(job: TableJob, files: Mapping[str, ConvertedFile]) -> tuple[str, ...]:
    """Return a sentence on files that are there twice, whose rows count twice unless a key tells them apart."""
    if not isinstance(job.source, FilesSource) or job.source.key:
        return ()
    first: dict[str, str] = {}
    copies: list[tuple[str, str]] = []
    for name, file in files.items():
        if file.known_by and file.rows_received:
            other = first.setdefault(file.known_by, name)
            copies += [(name, other)] if other != name else []
    if not copies:
        return ()
    more = f", and {len(copies) - 1} more files are copies too" if len(copies) > 1 else ""
    name, other = copies[0]
    return (f"{name} has the very bytes of {other}{more}: their rows count twice; delete one, or declare a key",)
