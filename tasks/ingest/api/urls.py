"""Addresses of an API's pages: the first of a partition, those with a page's number or cursor, and those of Link headers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from typing import Any
from urllib.parse import quote_plus

import httpx

from tasks.config import ApiSource, Scalar
from tasks.config.pagination import Place
from tasks.core.body_paths import put_at
from tasks.core.errors import PermanentSourceError
from tasks.ingest.api.asked_times import list_asked
from tasks.ingest.http.redaction import quoted
from tasks.ingest.http.requests import PageRequest, set_param, with_param
from tasks.raw.partitions import Partition, fill_texts

_LINK = re.compile(r"<(?P<target>[^<>]*)>(?P<params>(?:[^,\"]|\"(?:[^\"\\]|\\.)*\")*)(?:,|$)")
_PARAM = re.compile(r";\s*(?P<name>[^\s=;\"]+)\s*(?:=\s*(?:\"(?P<quoted>(?:[^\"\\]|\\.)*)\"|(?P<token>[^\s;]*)))?")
_ESCAPE = re.compile(r"\\(.)")


def find_link(headers: httpx.Headers, rel: str) -> str | None:
    """Return the first target that has the relation `rel` to the page, as it stands there; None where there is none.

    A link that has an anchor is one of another page.
    """
    wanted = rel.lower()
    for header in headers.get_list("Link"):
        for link in _LINK.finditer(header):
            params = _read_params(link["params"])
            if "anchor" not in params and wanted in params.get("rel", "").lower().split():
                return link["target"].strip()
    return None


def _read_params(text: str) -> dict[str, str]:
    """Return a link's parameters; of those with one name the first counts."""
    params: dict[str, str] = {}
    for match in _PARAM.finditer(text):
        quoted = match["quoted"]
        value = _ESCAPE.sub(r"\1", quoted) if quoted is not None else (match["token"] or "").strip("'")
        params.setdefault(match["name"].lower(), value)
    return params


_QUOTED_CHARACTERS = 80


def first_request(
    source: ApiSource, partition: Partition, since: Scalar | None = None, began: datetime | None = None
) -> PageRequest:
    """Return a partition's first request; `since` is what an incremental source asks for, `began` when the run did.

    Raises:
        PermanentSourceError: the partition's values make no address, or no header.

    """
    asked = list_asked(source.incremental, since, began) if source.incremental is not None else []
    page_request = _fill(source, partition, {name: value for place, name, value in asked if place == "placeholder"})
    for place, name, value in asked:
        if place != "placeholder":
            page_request = put_value(page_request, place, name, value, f"incremental: {name!r}")
    return page_request


def _fill(source: ApiSource, partition: Partition, values: Mapping[str, Scalar]) -> PageRequest:
    """Return a request with values in the placeholders of their names; further ones may be filled in later."""
    filled = replace(partition, values=(*partition.values, *values.items()))
    try:
        url = first_url(source, filled)
    except (httpx.InvalidURL, UnicodeError) as error:
        raise PermanentSourceError(f"the partition's values make no address: {error}; correct them") from error
    own = {name: text for name, text in source.headers.items() if name not in source.fixed_headers}
    page_request = PageRequest(url, body=_fill_body(source, filled) if source.is_posted else None)
    for name, text in fill_texts(own, filled).items():
        page_request = put_value(page_request, "header", name, text, f"headers.{name}")
    return page_request._replace(fill=lambda name, value: _fill(source, partition, {**values, name: value}))


def _fill_body(source: ApiSource, partition: Partition) -> Any:
    """Return the body of a request, with values in it; what of a query in GraphQL stands nowhere else is a variable."""
    if source.graphql is None:
        return fill_texts(source.json_body, partition)
    variables = fill_texts(source.graphql.variables, partition)
    return {**source.json_body, "variables": {**variables, **partition.beyond(source.url, *source.texts)}}


def first_url(source: ApiSource, partition: Partition) -> httpx.URL:
    """Return the address of a partition's first request, page number aside; what pages fill in stands there as a placeholder."""
    later = tuple((name, f"{{{name}}}") for name in source.placed_names - dict(partition.values).keys())
    url = _parse(replace(partition, beside=(*partition.beside, *later)).fill(source.url))
    beyond = partition.beyond(source.url, *source.texts) if source.graphql is None else {}
    for name, value in {**fill_texts(source.params, partition), **beyond}.items():
        url = set_param(url, name, quote_plus(str(value)))
    return url


_parse = lru_cache(maxsize=64)(httpx.URL)  # of partitions whose values stand in the query it is one address


def turn_page(page_request: PageRequest, place: Place, param: str, value: Scalar) -> PageRequest:
    """Return a request with the number or cursor of another page.

    Raises:
        PermanentSourceError: the value is none that can be sent there.

    """
    return put_value(page_request, place, param, value, f"pagination.param {param!r}: the next page")


def put_value(page_request: PageRequest, place: Place, name: str, value: Scalar, key: str) -> PageRequest:
    """Return a request with a value in its place; `key` is what the pipeline file calls it by.

    Raises:
        PermanentSourceError: the value is none that can be sent there.

    """
    match place:
        case "query":
            try:
                return page_request._replace(url=with_param(page_request.url, name, value))
            except (httpx.InvalidURL, UnicodeError) as error:
                raise _unfit(page_request, key, value, "an address", error) from error
        case "header":
            text = str(value)
            if not (text.isascii() and text.isprintable()):
                raise _unfit(page_request, key, value, "a header", "it is not printable ASCII")
            return page_request._replace(headers={**page_request.headers, name: text})
        case "body":
            try:
                return page_request._replace(body=put_at(page_request.body, name, value))
            except KeyError as error:
                raise _unfit(page_request, key, value, "the body", f"it has no {error}") from error
        case "placeholder":
            assert page_request.fill is not None
            return page_request.fill(name, value)._replace(answers=page_request.answers)


def _unfit(page_request: PageRequest, key: str, value: Scalar, where: str, why: object) -> PermanentSourceError:
    return PermanentSourceError(
        f"{page_request.label}: {key} is {quoted(value, _QUOTED_CHARACTERS)}, "
        f"which {where} cannot carry ({why}); correct {key.partition('.')[0].partition(':')[0]}"
    )
