"""The page of a source: the profile of its committed table, and examples of its rejects."""

from __future__ import annotations

from tasks.convert.manifest import read_table_manifest
from tasks.convert.profile import profile_table
from tasks.convert.profile_page import REASONS_SHOWN, Told, write_page
from tasks.convert.reject_examples import find_examples
from tasks.convert.stored import StoredPart
from tasks.convert.table import CommittedTable
from tasks.convert.versions import Versions


def profile_source(table: CommittedTable, versions: Versions) -> str:
    """Return the page of a table, as it was just committed.

    Raises:
        OSError: it is no longer there.
        pa.ArrowException: a part of it cannot be read.

    """
    folder = versions.current.resolve()  # a run that comes after puts another version in its place
    manifest = read_table_manifest(folder / "table")
    parts = [StoredPart(folder / "table" / name, name) for name, part in manifest.parts.items() if part.total]
    reasons = dict(sorted(table.reasons.items(), key=lambda item: -item[1])[:REASONS_SHOWN])
    rejects = (folder / "rejects" / name for file in manifest.files.values() for name in file.rejects)
    told = Told(
        table.rows_received,
        table.rows_rejected,
        table.rows_duplicate,
        table.files,
        table.files_read,
        table.findings.bytes_read,
        table.findings.seconds,
        dict(table.reasons),
        find_examples(rejects, reasons) if reasons else {},
        table.findings.guesses,
    )
    return write_page(table.source, profile_table(parts, table.types, table.rows_table, table.findings.samples), told)
