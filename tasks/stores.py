"""What stores that are told by an address need."""

from __future__ import annotations

from fsspec.registry import known_implementations

_GONE = (404, 410)


def is_http(url: str) -> bool:
    """Return whether a path is the address of a page: what is asked for stands in it, and wildcards do not."""
    return url.startswith(("http://", "https://"))


def failure_of(error: FileNotFoundError) -> BaseException | None:
    """Return what really failed; None where a file is not there. Of a page fsspec says so whatever went wrong."""
    cause = error.__cause__
    return None if cause is None or getattr(cause, "status", None) in _GONE else cause


def missing_package(url: str, error: ImportError) -> str:
    """Return the sentence that says what to do where a store needs a package that is not there."""
    protocol = url.partition("://")[0]
    package = known_implementations.get(protocol, {}).get("class", "fsspec").partition(".")[0]
    if package == "fsspec":  # which reads it itself, by a package that only the error tells
        return f"{url}: {error}; install that package beside Tidemill"
    return f"{url}: {protocol}:// needs a package that is not there; pip install {package}"
