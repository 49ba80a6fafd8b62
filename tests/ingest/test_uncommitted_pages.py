"""Pages that have come and are not committed yet."""

from __future__ import annotations

import weakref

from tasks.ingest.http.requests import PageGroup
from tasks.ingest.landing.land import UncommittedPages


class State:
    """From where a crawl goes on: all that it has seen, which may be large."""


def test_of_the_states_only_the_last_is_kept() -> None:
    """A crawl's has every page that it knows."""
    pages, states = UncommittedPages(), [State() for _ in range(3)]
    alive = [weakref.ref(state) for state in states]
    for number in range(3):
        pages.add(PageGroup([b"%d" % number], 1, states.pop(0), (f"doubt {number}",), elements_skipped=number))

    group = pages.as_group()

    assert [state() is not None for state in alive] == [False, False, True]
    assert group == PageGroup([b"0", b"1", b"2"], 3, alive[2](), ("doubt 0", "doubt 1", "doubt 2"), None, 3)
    assert pages.bytes == 3
    assert UncommittedPages().as_group() == PageGroup([], 0, None)
