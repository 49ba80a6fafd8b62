"""Texts of users, files and hosts as a terminal may show them: no control character acts, and no line has no end."""

from __future__ import annotations

LINE_CHARACTERS = 1500
_KEPT_AT_END = 300  # where a sentence has its cure


def printable(text: str) -> str:
    """Return one line in which control characters and their like are escaped, and whose middle is left out where it is long."""
    left_out = len(text) - LINE_CHARACTERS
    if left_out > 0:
        head = text[: LINE_CHARACTERS - _KEPT_AT_END]
        text = f"{head} ... ({left_out:,} characters left out) ... {text[-_KEPT_AT_END:]}"
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text)
