"""Addresses of pages: written one way each, and which hosts a crawl may go to."""

from __future__ import annotations

from collections.abc import Iterable

import httpx
from w3lib.url import safe_url_string

_DEFAULT_PORTS = {"http": 80, "https": 443}


def page_address(url: httpx.URL) -> httpx.URL:
    """Return the address of a page as it is asked for and told apart: without its fragment, and without a password."""
    return url.copy_with(fragment=None, userinfo=b"", raw_path=url.raw_path or b"/")


def join_link(base: httpx.URL, link: str, encoding: str) -> httpx.URL | None:
    """Return the address that a link of a page at `base` leads to; None where it is no page, as `javascript:void(0)`.

    As in browsers, what is not ASCII in its query is written in the page's `encoding`.

    Raises:
        ValueError: the link is no address.

    """
    try:
        address = base.join(_quote(link, encoding))
    except httpx.InvalidURL as error:
        raise ValueError(str(error)) from None
    return page_address(address) if address.scheme in _DEFAULT_PORTS and address.host else None


def _quote(link: str, encoding: str) -> str:
    try:
        return safe_url_string(link, encoding)
    except UnicodeEncodeError:
        return safe_url_string(link)


class Hosts:
    """The hosts that a crawl may go to: those of its start addresses, each at its port, and those of `allow_hosts`."""

    def __init__(self, start: Iterable[httpx.URL], allow_hosts: Iterable[str]) -> None:
        more = [httpx.URL(f"//{host}") for host in allow_hosts]
        self._start = {(url.raw_host, url.port) for url in start}
        self._any_port = {url.raw_host for url in more if url.port is None}
        self._one_port = {(url.raw_host, url.port) for url in more}

    def allow(self, url: httpx.URL) -> bool:
        """Return whether the crawl may go to an address."""
        port = url.port or _DEFAULT_PORTS.get(url.scheme)
        return (
            (url.raw_host, url.port) in self._start
            or url.raw_host in self._any_port
            or (url.raw_host, port) in self._one_port
        )
