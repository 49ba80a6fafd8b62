"""A web page as it is proposed: the selectors of its rows and columns, and of the link to the next page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flows.cli.new.asked import REFRESH, Asked, make_source
from flows.cli.new.draft import Drafted, SourceDraft, settle, write_columns, write_key
from flows.cli.new.text import Text
from tasks.config import PagesSource
from tasks.convert.head import Head, read_lines
from tasks.convert.proposal import propose_key
from tasks.core.errors import TableError
from tasks.core.escaping import count
from tasks.core.storage import DataFolder
from tasks.ingest.first_page import FirstAnswer
from tasks.ingest.scraping.outline import PageOutline


def draft_pages(asked: Asked, answer: FirstAnswer, page: PageOutline, name: str, folder: DataFolder) -> SourceDraft:
    """Return what is proposed of a web page.

    Raises:
        TableError: none of its rows can be read.

    """
    declared: dict[str, Any] = {"kind": "pages", "start": asked.url, **asked.auth, "rows": page.rows}
    declared |= {"follow": page.follow} if page.follow else {}

    def read(columns: Mapping[str, Any]) -> list[Head]:
        selected = {
            key: {**(each if isinstance(each, dict) else {"select": each}), **columns.get(key, {})}
            for key, each in page.columns.items()
        }
        source: PagesSource = make_source(PagesSource, {**declared, "columns": selected})
        return [read_lines(name, source, answer.records(source), folder)]

    heads = read({})
    if not heads[0].received:
        raise TableError(f"{asked.url}: has {page.what}, of which no row can be read; write the file by hand")
    columns = settle(heads, read).columns
    text = Text("    ")
    for key in ("kind", "start", "auth"):
        if key in declared:
            text.key(key, declared[key])
    if page.follow:
        text.key("follow", page.follow, "the link to the next page")
    elif page.maybe_follow:
        text.doubt(
            "follow", page.maybe_follow, "this may be the link to the next page; without follow this page is all"
        )
    else:
        text.note("No link leads to a next page: this one is all. follow: is the selector of such a link.")
    if page.links:
        why = "with it rows are those of the pages that these links lead to, and rows and columns select on those pages"
        text.choice("links", next(iter(page.links.values())), why)
    text.key("rows", page.rows, f"{page.what}, {count(heads[0].received, 'row')}")
    write_key(text, propose_key(heads[0], name))
    write_columns(text, columns, page.columns)
    inner = text.inner()
    for key, selector in page.links.items():
        inner.choice(key, selector, "the address that it links to")
    text.below(inner)
    text.choice("refresh", {"after": "24h"}, REFRESH)
    said = f"{name}: a web page, {count(heads[0].received, 'row')} in {page.what}"
    return SourceDraft(name, text, said, [Drafted(name, columns, heads[0].rows)])
