"""The state from which a landing goes on, as it stands in a checkpoint."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tasks.config import ApiSource, PagesSource
from tasks.core import redaction
from tasks.ingest.http.redaction import Redactor
from tasks.ingest.landing.resumption import keep_state, read_state
from tasks.ingest.scraping.frontier import CrawlState, CrawlTarget
from tasks.ingest.scraping.selector_stats import SelectorStats

API = {"url": "http://127.0.0.1/items"}
PAGE = ApiSource.model_validate(API | {"pagination": {"kind": "page", "param": "page"}})
CURSOR = ApiSource.model_validate(API | {"pagination": {"kind": "cursor", "cursor_at": "next", "param": "cursor"}})
SINGLE = ApiSource.model_validate(API | {"pagination": {"kind": "single"}})
CRAWL = PagesSource.model_validate({"start": "http://127.0.0.1/1", "rows": "li", "columns": {"name": "::text"}})
KEPT: list[tuple[ApiSource | PagesSource, str]] = [
    (
        PAGE,
        '{"index": 2, "rows": 6, "total": 9, "most": 9, "empty": 0, "empty_before": 0, "first_empty": null, '
        '"complaint": null, "turns_pages": null, "behind": null, "full": 3, "is_short": false, "is_wrong": false, "is_over": false, '
        '"first": "0a", "previous": "0b", "names": ["id", "name"]}',
    ),
    (CURSOR, '{"following": 1.5, "pages": 1, "previous": "0a", "names": null}'),
    (CURSOR, '{"following": 3, "pages": 1, "previous": "0a", "names": null}'),
    (
        CRAWL,
        '{"pages": [["http://127.0.0.1/1", 0, -1, ""], ["http://127.0.0.1/2", 1, 1, "2020"]], "done": 1, "matches": '
        '{"listings": 1, "listed": 1, "first_listing": "http://127.0.0.1/1", "levels": [[1, 2, "http://127.0.0.1/3"]], '
        '"too_deep": 0, "first_too_deep": "", "details": 1, "rows": 2, "first_detail": "http://127.0.0.1/1", '
        '"filled": {"name": 2}, "reject": "", "elsewhere": {"b.example": "http://b.example/"}, "skipped": 0, '
        '"headings": 0, "first_skipped": "", "turns": 1, "files": 0, "pairs": 2, "shadowed": {}, "cut": {}}, "landed": [["http://127.0.0.1/3", 1]], '
        '"bodies": {"0a": "http://127.0.0.1/1"}, "records": [["http://127.0.0.1/1", "2020-01-01", 1.5, 0, 2, {"name": 2}, '
        '0, 0, "", 2, {}, {}, "0a"]], "lines": 2}',
    ),
]


@pytest.mark.parametrize(("source", "text"), KEPT)
def test_a_state_is_read_as_it_was_kept(source: ApiSource | PagesSource, text: str) -> None:
    """What a run before has written is read, and is written again to the letter."""
    state = read_state(source, json.loads(text))

    assert state is not None
    assert json.dumps(keep_state(state, source, Redactor())) == text


@pytest.mark.parametrize(("source", "text"), KEPT)
def test_a_state_is_of_its_own_kind_of_pages(source: ApiSource | PagesSource, text: str) -> None:
    """Where the source has come to turn its pages otherwise, it is none."""
    others = [other for other in (PAGE, CURSOR, SINGLE, CRAWL) if other is not source]

    assert [read_state(other, json.loads(text)) for other in others] == [None, None, None]


@pytest.mark.parametrize(
    "change",
    [{"done": 2}, {"done": -1}, {"done": True}, {"pages": []}, {"pages": [["http://127.0.0.1/1", 0]]}, {"matches": 1}],
)
def test_a_crawl_goes_on_from_a_page_that_is_left(change: dict[str, Any]) -> None:
    """A state without one, or of another shape, is none."""
    assert read_state(CRAWL, json.loads(KEPT[-1][1]) | change) is None


def test_the_name_of_a_parameter_is_judged_once_however_many_addresses_have_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A crawl's state has all of its addresses, and is kept every second: to judge each was a seventh of a crawl."""
    judged: list[str] = []
    words_of = redaction._words_of

    def counted(name: str) -> set[str]:
        judged.append(name)
        return words_of(name)

    monkeypatch.setattr(redaction, "_words_of", counted)
    pages = [CrawlTarget(f"http://127.0.0.1/?shelf={n}&a_place={n}", 0, 0) for n in range(500)]
    state = CrawlState(pages, 1, SelectorStats(), [])

    kept = keep_state(state, CRAWL, Redactor())

    assert len(kept["pages"]) == len(pages)
    assert sorted(judged) in ([], ["a_place", "shelf"])  # none where another test has them
