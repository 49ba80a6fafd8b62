"""The Link header (RFC 8288): addresses and what they are to the page."""

from __future__ import annotations

import re

import httpx

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
