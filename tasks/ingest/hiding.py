"""Secrets kept out of whatever is written or shown."""

from __future__ import annotations

import json
from base64 import b64encode
from urllib.parse import quote, quote_plus

import httpx

HIDDEN = "***"
_SHORTEST = 6  # what is shorter stands in a text by chance
_EXCERPT_CHARACTERS = 200


class Secrets:
    """The secrets that a run has read, in each of the forms they are sent in."""

    def __init__(self) -> None:
        self._forms: list[str] = []
        self._bytes: list[bytes] = []

    def __bool__(self) -> bool:
        return bool(self._forms)

    def add(self, secret: str, *, username: str | None = None) -> None:
        """Remember a secret; with `username`, also the pair that basic authentication sends."""
        forms = {secret, quote(secret, safe=""), quote(secret), quote_plus(secret), json.dumps(secret)[1:-1]}
        forms.add(json.dumps(secret, ensure_ascii=False)[1:-1].replace("/", "\\/"))
        if username is not None:
            forms.add(b64encode(f"{username}:{secret}".encode()).decode())
        # The longest first: one may hold another.
        known = {*self._forms, *(form for form in forms if len(form) >= _SHORTEST)}
        self._forms = sorted(known, key=len, reverse=True)
        self._bytes = [form.encode() for form in self._forms]

    def hide(self, text: str) -> str:
        """Return a text without any secret."""
        for form in self._forms:
            text = text.replace(form, HIDDEN)
        return text

    def hide_bytes(self, data: bytes) -> bytes:
        """Return a body without any secret."""
        for form in self._bytes:
            if form in data:
                data = data.replace(form, HIDDEN.encode())
        return data


def excerpt(response: httpx.Response, characters: int = _EXCERPT_CHARACTERS) -> str:
    """Return the beginning of a body in one line."""
    return " ".join(response.text.split())[:characters]
