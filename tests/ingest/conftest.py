"""Sites for the tests of ingest: two hosts for the session, a fresh site on each for every test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.site.server import Site, Sites


@pytest.fixture(scope="session")
def _host() -> Iterator[Sites]:
    """Yield the first host."""
    with Sites().serving() as sites:
        yield sites


@pytest.fixture(scope="session")
def _other_host() -> Iterator[Sites]:
    """Yield the second host: the same machine, another port."""
    with Sites().serving() as sites:
        yield sites


@pytest.fixture(scope="session")
def sites(_host: Sites) -> Sites:
    """Return the first host, for tests that make many sites."""
    return _host


@pytest.fixture
def site(_host: Sites) -> Site:
    """Return a fresh site."""
    return _host.add()


@pytest.fixture
def other_site(_other_host: Sites) -> Site:
    """Return a fresh site on another host."""
    return _other_host.add()
