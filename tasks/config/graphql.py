"""Queries in GraphQL: their text, and the values of their variables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from typing import TYPE_CHECKING

from pydantic import JsonValue, field_validator, model_validator

from tasks.config.base import ConfigModel, NonEmpty

if TYPE_CHECKING:
    from graphql.language import OperationDefinitionNode


class GraphQL(ConfigModel):
    """A query in GraphQL, which every request posts."""

    query: NonEmpty
    """Text of the query, or in a pipeline file the name of a .graphql file beside it; of one with pages it asks for pageInfo { hasNextPage endCursor }."""
    variables: dict[str, JsonValue] = {}
    """Values of its variables; a text `{partition}` takes the partition's value, and a partition that stands nowhere is the variable of its name."""

    @field_validator("query")
    @classmethod
    def _only_reads(cls, query: str) -> str:
        operations = _read_operations(query)
        if changes := {each.operation.value for each in operations} - {"query"}:
            raise ValueError(f"is a {min(changes)}, which is no query; a source only reads: write a query")
        if len(operations) != 1:
            raise ValueError(
                f"has {len(operations)} queries, and a request is one; write one: query Orders($after: String) {{…}}"
            )
        return query

    @model_validator(mode="after")
    def _takes_its_variables(self) -> GraphQL:
        self.check_variables(self.variables)
        return self

    def check_variables(self, names: Iterable[str]) -> None:
        """Raise ValueError where the query has not a variable of one of these names."""
        (operation,) = _read_operations(self.query)
        declared = {each.variable.name.value for each in operation.variable_definitions}
        for name in names:
            if name not in declared:
                raise ValueError(
                    f"graphql.query has no variable ${name}; declare and use it there, as query(${name}: String), or take {name} out"
                )


@cache
def _read_operations(query: str) -> Sequence[OperationDefinitionNode]:
    """Return the queries, mutations and subscriptions of a text.

    Raises:
        ValueError: it is no GraphQL; it says where.

    """
    from graphql.error import GraphQLSyntaxError  # noqa: PLC0415 - a sixth of a second, of files with such a source alone
    from graphql.language import OperationDefinitionNode, parse  # noqa: PLC0415

    try:
        document = parse(query, no_location=True)
    except GraphQLSyntaxError as error:
        at = error.locations[0] if error.locations else None
        where = f" in line {at.line}, column {at.column}" if at else ""
        said = str(error.message).removeprefix("Syntax Error: ").removesuffix(".")
        raise ValueError(f"is no query that can be read: {said}{where}; mend it there, or write all of it") from None
    return [each for each in document.definitions if isinstance(each, OperationDefinitionNode)]
