"""Addresses of pages, written one way each."""

from __future__ import annotations

import httpx
from w3lib.url import safe_url_string

_SCHEMES = frozenset({"http", "https"})


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
    return page_address(address) if address.scheme in _SCHEMES and address.host else None


def _quote(link: str, encoding: str) -> str:
    try:
        return safe_url_string(link, encoding)
    except UnicodeEncodeError:
        return safe_url_string(link)
