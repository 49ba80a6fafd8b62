"""An API as it is proposed: where its rows are, how its pages go on, and the tables of lists in its records."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flows.cli.new.asked import REFRESH, Asked, make_source
from flows.cli.new.draft import Drafted, Owner, SourceDraft, name_of, settle, write_columns, write_key
from flows.cli.new.text import Text
from tasks.config import ApiSource
from tasks.convert.head import Head, read_lines
from tasks.convert.proposal import KeyProposal, is_id, propose_key
from tasks.core.errors import ConfigError
from tasks.core.escaping import count
from tasks.core.storage import DataFolder
from tasks.ingest.api.outline import ApiOutline
from tasks.ingest.first_page import FirstAnswer

_ELEMENT_IDS = ("id", "line", "line_number", "lineno", "number", "position", "pos", "nr", "no", "index", "rank")
_FEW = 2  # elements of one record that differ in a value say that it tells them apart

Record = Mapping[str, Any]
Lists = Sequence[tuple[Record, Sequence[Record]]]
"""Of records the list that each has of one name."""


@dataclass(frozen=True)
class _Fetched:
    """The records of an answer, and what is declared of the source that they are of."""

    name: str
    declared: Mapping[str, Any]
    records: Sequence[bytes]
    folder: DataFolder

    def read(self, columns: Mapping[str, Any]) -> Sequence[Head]:
        """Return the rows that the records are."""
        source: ApiSource = make_source(ApiSource, {**self.declared, "columns": columns})
        return [read_lines(self.name, source, self.records, self.folder)]

    def read_elements(self, table: str, section: Mapping[str, Any], columns: Mapping[str, Any]) -> Sequence[Head]:
        """Return the rows that the elements of a list in the records are."""
        tables = {table: {**section, "columns": columns}}
        source: ApiSource = make_source(ApiSource, {**self.declared, "tables": tables})
        return [read_lines(table, source.elements(self.name)[table], self.records, self.folder)]


def draft_api(asked: Asked, answer: FirstAnswer, name: str, folder: DataFolder) -> SourceDraft:
    """Return what is proposed of an API.

    Raises:
        ConfigError: its answer has no rows.

    """
    url, params = asked.split()
    outline = answer.outline({key: str(value) for key, value in params.items()})
    paging = dict(outline.paging.declared) if outline.paging is not None and outline.paging.is_certain else {}
    params = {key: value for key, value in params.items() if key not in (paging.get("param"), paging.get("size_param"))}
    declared: dict[str, Any] = {"kind": "api", "url": url, **({"params": params} if params else {}), **asked.auth}
    declared |= ({"pagination": paging} if paging else {}) | dict(outline.rows)
    records = answer.records(make_source(ApiSource, declared))
    if not records:
        raise ConfigError(f"{asked.url}: the answer has no rows; give an address that is answered with some")
    fetched = _Fetched(name, declared, records, folder)
    heads = fetched.read({})
    columns, key = settle(heads, fetched.read).columns, propose_key(heads[0], name)
    text = _write_source(declared, outline, len(records))
    write_key(text, key, dropped="one that comes again is dropped, and counted")
    write_columns(text, columns)
    said = f"{name}: an API, {count(len(records), 'row')} in the first answer"
    draft = SourceDraft(name, text, said, [Drafted(name, columns, heads[0].rows)])
    _add_tables(draft, fetched, key)
    text.choice("refresh", {"after": "24h"}, REFRESH)
    return draft


def _write_source(declared: Mapping[str, Any], outline: ApiOutline, rows: int) -> Text:
    text = Text("    ")
    for key in ("kind", "url", "params", "auth"):
        if key in declared:
            text.key(key, declared[key])
    paging = outline.paging
    if paging is None:
        text.note("One answer is taken for all: nothing in it tells of more.")
    elif paging.is_certain:
        text.note(f"{paging.why[:1].upper()}{paging.why[1:]}.")
        text.key("pagination", dict(paging.declared))
    else:
        text.doubt("pagination", dict(paging.declared), paging.why)
    for number, (key, value) in enumerate(outline.rows.items()):
        text.key(key, value, "" if number else f"{count(rows, 'row')} in the first answer")
    return text


# -- tables of lists in the records


def _add_tables(draft: SourceDraft, fetched: _Fetched, key: KeyProposal | None) -> None:
    """Add a table for each list of objects in the records."""
    inner = draft.text.inner()
    for name, lists in _find_lists([json.loads(record) for record in fetched.records]).items():
        inner.note(f"{name} is a list of objects, each of which is a row of a table of its own here.")
        _add_table(draft, inner, fetched, key, name, lists)
    if len(draft.tables) > 1:
        draft.text.key("tables")
    elif inner.lines:
        draft.text.note("tables:")
    draft.text.below(inner)


def _find_lists(records: Sequence[Any]) -> dict[str, Lists]:
    """Return the lists that records have of objects alone, by their names."""
    found: dict[str, list[tuple[Record, Sequence[Record]]]] = {}
    for record in records:
        for name, value in record.items() if isinstance(record, dict) else ():
            if isinstance(value, list):
                found.setdefault(name, []).append((record, value))
    return {
        name: lists
        for name, lists in found.items()
        if any(elements for _, elements in lists)
        and all(isinstance(element, dict) for _, elements in lists for element in elements)
    }


def _add_table(
    draft: SourceDraft, outer: Text, fetched: _Fetched, key: KeyProposal | None, name: str, lists: Lists
) -> None:
    one = draft.name.removesuffix("s")
    table = name_of(f"{one}_{name}", draft.name)
    own, is_certain = _element_id(lists)
    if key is None or not key.is_certain or own is None:
        lacks = "its elements have nothing" if key is not None and key.is_certain else "the records have no id"
        why = f"{lacks} by which those that come twice would be told, so that this is a guess"
        outer.doubt(table, {"explode": name}, why)
        return
    taken = {name for _, elements in lists for element in elements for name in element}
    owner = next(each for each in (f"{one}_{key.column}", f"of_{one}_{key.column}", f"{table}_of") if each not in taken)
    section: dict[str, Any] = {"explode": name, "take": {owner: key.column}, "key": [owner, own]}
    if not is_certain:
        outer.doubt(table, section, f"{own} may stand in one record twice, of which one would be dropped")
        return
    heads = fetched.read_elements(table, section, {})
    columns = settle(heads, lambda declared: fetched.read_elements(table, section, declared)).columns
    outer.key(table)
    inner = outer.inner()
    for each, value in section.items():
        inner.key(each, value)
    write_columns(inner, columns)
    outer.below(inner)
    belongs = Owner(draft.name, key.column, owner, name, own)
    draft.tables.append(Drafted(table, columns, heads[0].rows, belongs))


def _element_id(lists: Lists) -> tuple[str | None, bool]:
    """Return the name of the value by which the elements of each record differ, and whether it is surely meant for that.

    None where no name is that of an id, or no record has several elements.
    """
    first = next(elements[0] for _, elements in lists if elements)
    if max(len(elements) for _, elements in lists) < _FEW:
        return None, False
    names = [name for name in first if all(_differ([each.get(name) for each in elements]) for _, elements in lists)]
    for likely in _ELEMENT_IDS:
        if found := next((name for name in names if name.lower() == likely), None):
            return found, True
    return next(filter(is_id, names), None), False


def _differ(values: Sequence[Any]) -> bool:
    return all(isinstance(value, str | int) for value in values) and len({*map(str, values)}) == len(values)
