"""A source at an address, as it is proposed after one request."""

from __future__ import annotations

import asyncio
from collections.abc import Collection

from flows.cli.new.api import draft_api
from flows.cli.new.asked import Asked, make_source
from flows.cli.new.draft import SourceDraft, free_name
from flows.cli.new.pages import draft_pages
from tasks.config import ApiSource
from tasks.core.errors import ConfigError
from tasks.core.storage import DataFolder
from tasks.ingest.first_page import fetch_first_answer


def draft_address(asked: Asked, taken: Collection[str], folder: DataFolder) -> SourceDraft:
    """Return what is proposed of an API or a web page, of which one request is made; its name is none of those `taken`.

    Raises:
        ConfigError: the address is none, or what it answers has no rows.
        SourceError: it does not answer.

    """
    asked.check()
    name = free_name(asked.name, taken)
    url, params = asked.split()
    source = make_source(ApiSource, {"url": url, "params": params, **asked.auth})
    warned: list[str] = []
    answer = asyncio.run(fetch_first_answer(source, warned.append, is_api=asked.is_api))
    if answer.is_json:
        draft = draft_api(asked, answer, name, folder)
    elif answer.page is not None:
        draft = draft_pages(asked, answer, answer.page, name, folder)
    else:
        kind = answer.response.headers.get("Content-Type", "no content type")
        raise ConfigError(
            f"{asked.url}: answered {kind:.80}, in which there are no rows: neither JSON, nor a table or elements that "
            "repeat; give another address, or download a file and give its path"
        )
    for sentence in warned:
        draft.text.note(f"Warned: {sentence}")
    return draft
