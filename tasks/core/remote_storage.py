"""What stores that are told by an address need, and the sentences for one that fails."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Self

from fsspec.registry import known_implementations

from tasks.core.errors import PermanentSourceError
from tasks.core.redaction import redact

_EXTRAS = {"s3fs": "s3"}
"""The extra that brings a package."""
_GONE = (404, 410)


class RemoteAddress(str):
    """The address of a file in a store; it is used, but neither shown nor kept: `allow_hosts` are where it may redirect to."""

    __slots__ = ("allow_hosts",)

    allow_hosts: tuple[str, ...]

    def __new__(cls, url: str, allow_hosts: Iterable[str] = ()) -> Self:
        """Return an address, with the hosts that it may redirect to."""
        address = super().__new__(cls, url)
        address.allow_hosts = tuple(allow_hosts)
        return address

    def __repr__(self) -> str:
        """Return it without what proves who asks."""
        return repr(redact(self))


def http_options(url: str) -> dict[str, Any]:
    """Return the options by which fsspec asks no host but an address' own and those it may redirect to."""
    from tasks.core.web_session import session_opener  # noqa: PLC0415 - aiohttp and httpx: 0.3 s, for addresses alone

    scheme, _, rest = url.partition("://")
    host = re.split(r"[/?#]", rest, maxsplit=1)[0].rpartition("@")[2]
    return {"get_client": session_opener(f"{scheme}://{host}", getattr(url, "allow_hosts", ()))}


def is_http(url: str) -> bool:
    """Return whether a path is the address of a page: what is asked for stands in it, and wildcards do not."""
    return url.startswith(("http://", "https://"))


def failure_of(error: FileNotFoundError) -> BaseException | None:
    """Return what really failed; None where a file is not there. Of a page fsspec says so whatever went wrong."""
    cause = error.__cause__
    return None if cause is None or getattr(cause, "status", None) in _GONE else cause


def explain_store_failure(error: BaseException, what: str, cure: str) -> str:
    """Return the sentence for a store that failed in its own way; the address may be in what it says."""
    if isinstance(error, PermanentSourceError):  # which knows its cure
        return str(error)
    return redact(f"cannot be {what} ({getattr(error, 'strerror', None) or error}); {cure}")


def missing_package(url: str, error: ImportError) -> str:
    """Return the sentence that says what to do where a store needs a package that is not there."""
    protocol = url.partition("://")[0]
    package = known_implementations.get(protocol, {}).get("class", "fsspec").partition(".")[0]
    if package == "fsspec":  # which reads it itself, by a package that only the error tells
        return f"{url}: {error}; install that package beside Tidemill"
    named = f"'tidemill[{_EXTRAS[package]}]'" if package in _EXTRAS else package
    return f"{url}: {protocol}:// needs a package that is not there; pip install {named}"
