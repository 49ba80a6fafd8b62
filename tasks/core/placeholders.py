"""Named placeholders in a query of any database, as in `WHERE region = :region`: found, and filled with literals."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

from tasks.core.tables import quote_text

_TOKEN = re.compile(
    r"""
    (?P<aside>
        --[^\n]* | /\*.*?(?:\*/|\Z)
    ) | (?P<quoted>
        (?<![A-Za-z0-9_$])[eE]'(?:[^'\\]|''|\\.)*' | '(?:[^']|'')*' | "(?:[^"]|"")*" | `[^`]*`
        | \$(?P<tag>(?:[A-Za-z_]\w*)?)\$.*?\$(?P=tag)\$
    ) | ::  | :(?P<name>[A-Za-z_]\w*) | (?P<word>[A-Za-z_][\w$]*) | (?P<end>;)
    """,
    re.VERBOSE | re.DOTALL,
)
"""What of SQL has to be known to tell its words from its texts: what is quoted, and remarks, hold no words."""
_BEGINS = frozenset({"SELECT", "WITH"})
_WRITES = frozenset(
    {"INSERT", "UPDATE", "DELETE", "MERGE", "TRUNCATE", "CREATE", "ALTER", "DROP", "GRANT", "REVOKE", "CALL", "COPY"}
)


def find_select_mistake(query: str) -> str | None:
    """Return what is wrong with a query that is to be one SELECT, and the cure; None where it may be one, in whatever dialect."""
    tokens = [match for match in _TOKEN.finditer(query) if match["aside"] is None]
    ends = [match.end() for match in tokens if match["end"]]
    if ends and any(match.start() >= ends[0] and not match["end"] for match in tokens):
        return "holds several statements; write one SELECT"
    words = [match["word"].upper() for match in tokens if match["word"]]
    if not words:
        return "has no words; write one SELECT"
    if words[0] not in _BEGINS:
        return f"begins with {words[0]:.40}, and nothing but rows is read; write one SELECT"
    if writes := next((match for match in tokens if match["word"] and _is_write(match, query)), None):
        return f"has {writes['word'].upper()}, and nothing is written, or locked, in a source; write one SELECT"
    return None


def _is_write(match: re.Match[str], query: str) -> bool:
    """Return whether a word begins a statement within the query, as in WITH x AS (DELETE …), or locks rows; the name of a column is none."""
    word, before = match["word"].upper(), query[: match.start()].rstrip()
    if word not in _WRITES:
        return False
    return (before.endswith("(") and query[match.end() :][:1].isspace()) or before[-4:].upper() in (" FOR", "\nFOR")


def names_in(query: str) -> Iterator[str]:
    """Yield the name of each placeholder of a query."""
    yield from (match["name"] for match in _TOKEN.finditer(query) if match["name"])


def fill(query: str, values: Mapping[str, int | float | str], as_literal: Callable[[int | float | str], str]) -> str:
    """Return a query with the literals of values in its placeholders."""

    def replace(match: re.Match[str]) -> str:
        return as_literal(values[match["name"]]) if match["name"] else match[0]

    return _TOKEN.sub(replace, query)


def literal_of(value: float | str) -> str:
    """Return a number or a text as SQL has it.

    Raises:
        ValueError: it is a text that no database holds.

    """
    if isinstance(value, str):
        if "\0" in value:
            raise ValueError(
                f"{value!r:.60} holds a character of code 0, which no text of a database has; leave it out"
            )
        return quote_text(value)
    return f"({value!r})" if value < 0 else repr(value)


def without_end(query: str) -> str:
    """Return a query without the semicolon that ends it, and what is said behind that."""
    ends = [match.start() for match in _TOKEN.finditer(query) if match["end"]]
    return query[: ends[0]] if ends else query
