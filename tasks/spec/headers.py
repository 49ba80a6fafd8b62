"""Headers: which names and values a request can carry."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator

from tasks.redaction import is_secret

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, 5.1
_VALUE = re.compile(r"(?:[\x21-\x7e](?:[\t\x20-\x7e]*[\x21-\x7e])?)?")  # the same, 5.5, without what is not ASCII
_OF_AUTH = frozenset({"authorization", "proxy-authorization"})
_AMOUNT = re.compile(r"(?:[^-]+-)*(?:(?:max|min)-tokens?|tokens?-(?:max|min|limit|count|budget))", re.IGNORECASE)
"""Names of headers that say how many tokens, and are no secret where their value is a number."""


def check_header_name(name: str) -> str:
    """Return the name; raise ValueError where it is none of a header."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r:.80} is not the name of a header; write one like X-Total-Count")
    return name


def _check_own_name(name: str) -> str:
    """Return the name of a header that is not a secret: those are stored with the run."""
    if name.lower() in _OF_AUTH or (is_secret(name, "") and not _AMOUNT.fullmatch(name)):
        raise ValueError(_is_of_auth(name))
    return check_header_name(name)


def _check_amounts(headers: dict[str, str]) -> dict[str, str]:
    """Return headers, of which those that are no secret as a number are one."""
    for name, value in headers.items():
        if _AMOUNT.fullmatch(name) and not value.isdecimal():
            raise ValueError(f"{name:.80} {_is_of_auth(name)}, or a number")
    return headers


def _is_of_auth(name: str) -> str:
    return (
        "holds a secret, which belongs in auth, where it is not stored; "
        f"write auth: {{kind: api_key, name: {name:.80}, key: {{env: NAME}}}}"
    )


def _check_value(value: str) -> str:
    if not _VALUE.fullmatch(value):
        raise ValueError("the value has what no header can carry; write printable ASCII, without spaces around it")
    return value


HeaderName = Annotated[str, AfterValidator(check_header_name)]
"""Name of a header of an answer, or of one that a request sends."""

Headers = Annotated[
    dict[Annotated[str, AfterValidator(_check_own_name)], Annotated[str, AfterValidator(_check_value)]],
    AfterValidator(_check_amounts),
]
"""Headers that a pipeline file gives."""
