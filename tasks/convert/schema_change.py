"""What changed in a table's columns, as a page of Markdown."""

from __future__ import annotations

from collections.abc import Mapping

from tasks.markdown import escape, table

CHANGES_SHOWN = 100


def write_schema_change(source: str, before: Mapping[str, str], after: Mapping[str, str]) -> str | None:
    """Return what was added, removed and changed between two mappings of names to types; None where nothing was, or no table before."""
    if not before:
        return None
    changes = [("removed", name, kind, "") for name, kind in before.items() if name not in after]
    changes += [("changed", name, before[name], kind) for name, kind in after.items() if before.get(name, kind) != kind]
    changes += [("added", name, "", kind) for name, kind in after.items() if name not in before]
    if not changes:
        return None
    rows = [[said, escape(name), escape(was), escape(now)] for said, name, was, now in changes[:CHANGES_SHOWN]]
    more = len(changes) - len(rows)
    page = [
        f"# Columns of {escape(source, cell=False)}",
        f"{len(before):,} columns before, {len(after):,} now.",
        table(["change", "column", "before", "now"], rows),
    ]
    return "\n\n".join(page + [f"{more:,} further changes are not shown."] * (more > 0))
