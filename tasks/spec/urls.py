"""Addresses with placeholders for partition values."""

from __future__ import annotations

import re
from collections.abc import Collection
from string import Formatter

from pydantic import HttpUrl, TypeAdapter, ValidationError

_PLACEHOLDER_VALUE = "0"
_USER_INFORMATION = re.compile(r"(?<=//)[^/?#]*@")

_HTTP_URL = TypeAdapter(HttpUrl)


def check_url(url: str, partitions: Collection[str]) -> None:
    """Raise ValueError unless `url` is an http(s) address whose placeholders are all partitions."""
    shown = repr(_USER_INFORMATION.sub("", url))
    try:
        filled = _fill_placeholders(url, partitions)
    except KeyError as error:
        name = error.args[0]
        raise ValueError(
            f"{shown} has {{{name}}}, which is not a partition; declare partitions: {{{name}: [...]}}"
        ) from None
    except ValueError:
        raise ValueError(f"{shown} has a stray brace; write {{name}} for a partition's value") from None
    try:
        address = _HTTP_URL.validate_python(filled)
    except ValidationError:
        raise ValueError(f"{shown} is not an address; write one like https://api.example.com/items") from None
    if address.username or address.password:
        raise ValueError(
            f"the address of {address.host} holds a name or a password; take them out, secrets belong in auth"
        )


def _fill_placeholders(url: str, partitions: Collection[str]) -> str:
    """Return `url` with a value in each placeholder; raise KeyError for an unknown one, ValueError where it is no bare name."""
    for _, name, form, conversion in Formatter().parse(url):
        if name is not None and (form or conversion or not name.isidentifier()):
            raise ValueError(url)
    return url.format_map(dict.fromkeys(partitions, _PLACEHOLDER_VALUE))
