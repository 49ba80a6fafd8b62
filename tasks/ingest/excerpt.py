"""What an error may quote of an answer."""

from __future__ import annotations

import httpx

HIDDEN = "***"


def excerpt(response: httpx.Response, characters: int) -> str:
    """Return the beginning of a body in one line, without the token that was sent with the request."""
    text = " ".join(response.text.split())
    for answer in (response, *response.history):
        _, _, token = answer.request.headers.get("Authorization", "").partition(" ")
        if token:
            text = text.replace(token, HIDDEN)
    return text[:characters]
