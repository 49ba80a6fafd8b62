"""Addresses of an API's pages: the first of a partition, those with a page's number or cursor, and those of Link headers."""

from __future__ import annotations

import re
from urllib.parse import quote_plus

import httpx

from tasks.config import ApiSource, Scalar
from tasks.config.pagination import Place
from tasks.core.errors import PermanentSourceError
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


def first_request(source: ApiSource, partition: Partition, since: Scalar | None = None) -> PageRequest:
    """Return a partition's first request; `since` is what an incremental source asks for.

    Raises:
        PermanentSourceError: the partition's values make no address.

    """
    try:
        url = first_url(source, partition)
        if source.incremental is not None and since is not None:
            url = with_param(url, source.incremental.param, since)
    except httpx.InvalidURL as error:
        raise PermanentSourceError(f"the partition's values make no address: {error}; correct them") from error
    body = fill_texts(source.body or {}, partition) if source.method == "POST" else None
    return PageRequest(url, body=body)


def first_url(source: ApiSource, partition: Partition) -> httpx.URL:
    """Return the address of a partition's first request, page number aside."""
    url = httpx.URL(partition.fill(source.url))
    params = fill_texts(source.params, partition)
    for name, value in {**params, **partition.beyond(source.url, source.body, source.params)}.items():
        url = set_param(url, name, quote_plus(str(value)))
    return url


def turn_page(page_request: PageRequest, place: Place, param: str, value: Scalar) -> PageRequest:
    """Return a request with the number or cursor of another page.

    Raises:
        PermanentSourceError: the value is none that can be sent there.

    """
    match place:
        case "query":
            try:
                return page_request._replace(url=with_param(page_request.url, param, value))
            except (httpx.InvalidURL, UnicodeError) as error:
                raise _unfit(page_request, param, value, "an address", error) from error
        case "header":
            text = str(value)
            if not (text.isascii() and text.isprintable()):
                raise _unfit(page_request, param, value, "a header", "it is not printable ASCII")
            return page_request._replace(headers={**page_request.headers, param: text})
        case "body":
            return page_request._replace(body={**page_request.body, param: value})


def _unfit(page_request: PageRequest, param: str, value: Scalar, where: str, why: object) -> PermanentSourceError:
    return PermanentSourceError(
        f"{page_request.label}: pagination.param {param!r}: the next page is {quoted(value, _QUOTED_CHARACTERS)}, "
        f"which {where} cannot carry ({why}); correct pagination"
    )
