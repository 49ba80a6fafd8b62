"""The drawing of what made what, as Mermaid has it: sources, tables, the training set and the model, with their figures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tasks.core.escaping import count, fence, one_line
from tasks.lineage.records import TableRecord, Upstream

_PLAIN = frozenset(" _-./:,*=()%")
_CHARACTERS = 60
_MOST_TABLES = 60  # Mermaid draws no text of more than 50,000 characters
_ORIGINS = 2


def draw(upstream: Upstream, ends: Sequence[tuple[str, str]] = ()) -> str:
    """Return a block of Markdown with the drawing: the tables, and what was made of those that `upstream` names, each of the one before."""
    shown = upstream.tables[:_MOST_TABLES]
    names = {(table.name, table.rows): f"t{place}" for place, table in enumerate(shown)}
    lines = ["flowchart LR"]
    for table in shown:
        lines += _draw_table(table, names[table.name, table.rows], names)
    last = [names[each] for each in upstream.inputs.items() if each in names]
    for place, (kind, figures) in enumerate(ends):
        lines.append(f"e{place}{_node(kind, figures, '([', '])')}")
        lines += [f"{each} --> e{place}" for each in last]
        last = [f"e{place}"]
    return fence("\n".join(lines), "mermaid")


def _draw_table(table: TableRecord, node: str, names: dict[tuple[str, str], str]) -> Iterator[str]:
    yield f"{node}{_node(table.name, count(table.total, 'row'), '[(', ')]')}"
    if table.files:
        yield f"{node}s{_node(*_origin(table), '[/', '/]')} --> {node}"
    for each in table.inputs.items():
        if each in names:
            yield f"{names[each]} -->|{'partitions' if table.files else table.made.kind or 'made'}| {node}"


def _origin(table: TableRecord) -> tuple[str, str]:
    """Return what the files of a table are called together, and how many they are."""
    named = table.made.of or tuple(table.files)
    more = f" and {len(named) - _ORIGINS} more" if len(named) > _ORIGINS else ""
    return ", ".join(named[:_ORIGINS]) + more, count(len(table.files), noun_of_files(table))


def noun_of_files(table: TableRecord) -> str:
    """Return what the files of a table are: files, or what was landed of partitions."""
    return "raw file" if all(name.startswith("raw/") for name in table.files) else "file"


def _node(title: str, figures: str, opened: str, closed: str) -> str:
    return f'{opened}"{_label(title)}<br/>{_label(figures)}"{closed}'


def _label(text: str) -> str:
    """Return a text of which nothing is markup; a long one is cut."""
    line = one_line(text)
    line = line if len(line) <= _CHARACTERS else f"{line[: _CHARACTERS - 1]}…"
    return "".join(letter if letter.isalnum() or letter in _PLAIN else f"#{ord(letter)};" for letter in line)
