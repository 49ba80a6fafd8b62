"""Queries in GraphQL: their text, and the values of their variables."""

from __future__ import annotations

import re
from collections.abc import Iterable

from pydantic import JsonValue, field_validator, model_validator

from tasks.config.base import ConfigModel, NonEmpty

_ASIDE = re.compile(r'"""(?:\\"""|.|\n)*?"""|"(?:[^"\\\n]|\\.)*"|#[^\n]*')
"""Texts and comments, in which nothing is code."""
_OUTER = re.compile(r"[{}()]|\b(?:query|mutation|subscription|fragment)\b")
_SIGN = re.compile(r'[][{}()"]')
_CLOSED_BY = {"{": "}", "(": ")", "[": "]"}


class GraphQL(ConfigModel):
    """A query in GraphQL, which every request posts."""

    query: NonEmpty
    """Text of the query, or in a pipeline file the name of a .graphql file beside it; of one with pages it asks for pageInfo { hasNextPage endCursor }."""
    variables: dict[str, JsonValue] = {}
    """Values of its variables; a text `{partition}` takes the partition's value, and a partition that stands nowhere is the variable of its name."""

    @field_validator("query")
    @classmethod
    def _only_reads(cls, query: str) -> str:
        _check_closed(query)
        kinds = _operations(query)
        if changes := {"mutation", "subscription"} & set(kinds):
            raise ValueError(f"is a {min(changes)}, which is no query; a source only reads: write a query")
        if len(kinds) != 1:
            raise ValueError(
                f"has {len(kinds)} queries, and a request is one; write one: query Orders($after: String) {{…}}"
            )
        return query

    @model_validator(mode="after")
    def _takes_its_variables(self) -> GraphQL:
        self.check_variables(self.variables)
        return self

    def check_variables(self, names: Iterable[str]) -> None:
        """Raise ValueError where the query has not a variable of one of these names."""
        code = _ASIDE.sub(" ", self.query)
        for name in names:
            if not re.search(rf"\${re.escape(name)}\b", code):
                raise ValueError(
                    f"graphql.query has no variable ${name}; declare and use it there, as query(${name}: String), or take {name} out"
                )


def _check_closed(query: str) -> None:
    """Raise ValueError where a bracket or a text of a query is not closed, as in one that was cut off, or a selection is empty."""
    code = _ASIDE.sub(lambda match: re.sub(r"[^\n]", "_" if match[0][0] == '"' else " ", match[0]), query)
    opened: list[re.Match[str]] = []
    for match in _SIGN.finditer(code):
        sign = match[0]
        if sign == '"':
            raise ValueError(f"has a text that {_at(code, match)} begins and does not end; close it")
        if sign in _CLOSED_BY:
            opened.append(match)
            continue
        if not opened or _CLOSED_BY[opened[-1][0]] != sign:
            within = f", and {opened[-1][0]} {_at(code, opened[-1])} is open" if opened else ""
            raise ValueError(f"has {sign} {_at(code, match)}, which closes nothing{within}; mend the query")
        begin = opened.pop()
        is_argument = any(each[0] == "(" for each in opened)
        if sign == "}" and not is_argument and not code[begin.end() : match.start()].strip():
            raise ValueError(f"asks for nothing within {{}} {_at(code, begin)}; name fields there")
    if opened:
        raise ValueError(f"is cut off: {opened[-1][0]} {_at(code, opened[-1])} is never closed; write the whole query")


def _at(code: str, match: re.Match[str]) -> str:
    before = code[: match.start()]
    return f"in line {before.count(chr(10)) + 1}, column {len(before) - before.rfind(chr(10))}"


def _operations(query: str) -> list[str]:
    """Return the kinds of the operations of a text: the words before the braces that are in no others."""
    kinds, depth, word = [], 0, "query"
    for match in _OUTER.finditer(_ASIDE.sub(" ", query)):
        sign = match[0]
        if sign in "{(":
            if sign == "{" and depth == 0:
                kinds.append(word)
            depth += 1
        elif sign in "})":
            depth -= 1
            word = "query" if sign == "}" and depth == 0 else word
        elif depth == 0:
            word = sign
    return [kind for kind in kinds if kind != "fragment"]
