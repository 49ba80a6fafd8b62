"""Expressions of SQL over the columns of one row: what may stand in one, what it reads, and its value in each row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from tasks.core.errors import QueryError
from tasks.core.sql import TABLE_TYPES, explain_sql, plain_sql
from tasks.core.sql_nodes import Node, changing_functions, is_changing, parse_nodes, walk_nodes
from tasks.core.suggestions import did_you_mean

_OF_A_ROW = frozenset(
    {"COLUMN_REF", "CONSTANT", "FUNCTION", "OPERATOR", "COMPARISON", "CONJUNCTION", "CAST", "CASE", "BETWEEN"}
    | {"COLLATE", "LAMBDA", "TYPE"}
)
_SAID = {"SUBQUERY": "a subquery", "WINDOW": "a function over many rows", "STAR": "*", "PARAMETER": "a parameter"}
_OF_THE_PROGRAM = {"version"}  # of DuckDB: another after an update
_ROWS, _ROW = "rows", "row of the table"
_FIRST_DAY, _LAST_DAY = "0001-01-01", "9999-12-31"  # that every reader of a table knows
_FIRST_TIME, _LAST_TIME = f"{_FIRST_DAY}T00:00:00", f"{_LAST_DAY}T23:59:59.999999"
# Not those of a value: where one of these is raised, no row would do.
_WRONG = (
    duckdb.BinderException,
    duckdb.CatalogException,
    duckdb.NotImplementedException,
    duckdb.OutOfMemoryException,
    duckdb.ParserException,
    duckdb.PermissionException,
    duckdb.SyntaxException,
)


@dataclass(frozen=True)
class Expression:
    """An expression and the names of the columns that it reads, as they are written in it."""

    sql: str
    reads: tuple[str, ...]

    def find_read(self, names: Sequence[str]) -> dict[str, str | None]:
        """Return by each name that it reads the one of these that is meant; None where none is. Case counts only between two that differ by it."""
        lower = {name.lower(): name for name in reversed(names)}
        return {name: name if name in names else lower.get(name.lower()) for name in self.reads}


def find_expression_mistake(sql: str) -> str | None:
    """Return what is wrong with an expression, and the cure; None where it gives one value of each row alone."""
    try:
        duckdb.SQLExpression(sql)
    except duckdb.Error as error:
        return f"is no expression of SQL ({explain_sql(error)}); correct it, e.g. price * amount"
    return next(_find_mistakes(_parse(sql)), None)


@lru_cache(maxsize=256)
def parse_expression(sql: str) -> Expression:
    """Return an expression in which there is no mistake."""
    nodes = _parse(sql)
    parameters = {name for node in nodes for name in _parameters(node)}
    read = [str(node["column_names"][0]) for node in nodes if node.get("class") == "COLUMN_REF"]
    return Expression(sql, tuple(dict.fromkeys(name for name in read if name not in parameters)))


@lru_cache(maxsize=256)
def _parse(sql: str) -> list[Node]:
    """Return the nodes of an expression."""
    statement = next(node for node in parse_nodes(f"SELECT {sql}\n") if "select_list" in node)
    return [node for node in walk_nodes(statement["select_list"]) if "class" in node]


def _parameters(node: Node) -> list[str]:
    """Return the names of what a lambda function takes; an arrow of JSON is none."""
    if node.get("class") != "LAMBDA" or node.get("syntax_type") == "SINGLE_ARROW":
        return []
    return [str(each["column_names"][0]) for each in walk_nodes(node["lhs"]) if each.get("class") == "COLUMN_REF"]


def _find_mistakes(nodes: Sequence[Node]) -> Iterator[str]:
    for node in nodes:
        kind = str(node["class"])
        if kind not in _OF_A_ROW:
            yield f"has {_SAID.get(kind, kind.lower())}, and its value is that of one row; take it out, or make a table by SQL"
        if is_changing(node, changing_functions() | _OF_THE_PROGRAM):
            name = node.get("function_name") or node["column_names"][0]
            yield f"has {name}, which gives another value in another run; take it out"
        if kind == "FUNCTION":
            path = [str(each) for each in node["qualified_name"]["path"]]
            if len(path) > 1:
                yield f"has {'.'.join(path)}(…), which is no function; write it as {path[-1]}({path[0]}, …)"
            if path[-1].lower() not in _functions():
                yield _tell_function(path[-1])
        if kind == "COLUMN_REF" and len(node["column_names"]) > 1:
            name = ".".join(map(str, node["column_names"]))
            yield f'has {name}, which is no column; write a name with a dot in quotes, as "{name}"'
        if node.get("alias") and node is nodes[0]:
            yield f"names its value {node['alias']}, and its name is that of the column; take AS {node['alias']} out"


def _tell_function(name: str) -> str:
    if name.lower() in _kinds_of_functions():
        return f"has {name}, which is no function of one row's values; take it out, or make a table by SQL"
    return f"has {name}, which is no function of DuckDB; {did_you_mean(name, sorted(_functions()), 'correct its name')}"


@cache
def _kinds_of_functions() -> Mapping[str, frozenset[str]]:
    """Return by each function's name what it is: scalar, aggregate, macro and so on."""
    with duckdb.connect() as connection:
        found = connection.execute(
            "SELECT function_name, list(DISTINCT function_type) FROM duckdb_functions() GROUP BY function_name"
        ).fetchall()
    return {str(name).lower(): frozenset(kinds) for name, kinds in found}


@cache
def _functions() -> frozenset[str]:
    """Return the names of functions of one row's values; a macro is one where all that it is made of are."""
    with duckdb.connect() as connection:
        found = connection.execute(
            "SELECT function_name, macro_definition FROM duckdb_functions() WHERE function_type = 'macro'"
        ).fetchall()
    macros: dict[str, list[str]] = {}
    for name, definition in found:
        macros.setdefault(str(name).lower(), []).append(str(definition))
    known = {name for name, kinds in _kinds_of_functions().items() if "scalar" in kinds and name not in macros}
    known -= changing_functions() | _OF_THE_PROGRAM
    while True:
        new = {name for name, each in macros.items() if name not in known and all(_is_of(d, known) for d in each)}
        if not new:
            return frozenset(known)
        known |= new


@cache
def _nodes_of_macro(definition: str) -> tuple[Node, ...]:
    return tuple(_parse(definition))


def _is_of(definition: str, functions: set[str]) -> bool:
    """Return whether a macro is made of these functions, and of one row, alone."""
    return all(
        node["class"] in _OF_A_ROW
        and not is_changing(node, ())
        and (node["class"] != "FUNCTION" or str(node["function_name"]).lower() in functions)
        for node in _nodes_of_macro(definition)
    )


@dataclass(frozen=True)
class Evaluated:
    """The value of an expression in each row, null in those at `failed`, for which there is none."""

    values: pa.ChunkedArray
    failed: Sequence[int] = ()


def evaluate(expression: Expression, columns: Mapping[str, pa.ChunkedArray], rows: int) -> Evaluated:
    """Return the values of an expression in `rows` rows of these columns, as a type that tables have; of null alone as such.

    Raises:
        QueryError: it is wrong whatever the values are, as where a function takes none of these types.

    """
    table = pa.table({**columns, _ROW: pa.nulls(rows, pa.bool_())})
    with _database().cursor() as connection:
        connection.register(_ROWS, table)
        try:
            kind = str(connection.execute(f"DESCRIBE SELECT ({expression.sql}\n) FROM {_ROWS}").fetchall()[0][1])  # noqa: S608 - one expression, as checked
            if kind == '"NULL"':
                return Evaluated(pa.chunked_array([pa.nulls(rows)]))
            plain = plain_sql(f"({expression.sql}\n)", kind, TABLE_TYPES)
            if plain is None:
                raise QueryError(f"is {kind}, which no table holds; make a text of it, as by hex()")
            return _within_calendar(_evaluate_all(connection, plain))
        except duckdb.Error as error:  # those of single rows are their own
            types = ", ".join(f"{name} {each.type}" for name, each in columns.items())
            raise QueryError(f"{explain_sql(error)} (of {types or 'no column'}); correct it") from None


def _evaluate_all(connection: duckdb.DuckDBPyConnection, sql: str) -> Evaluated:
    """Return the values in all rows at once; where that fails, in each row for which there is one."""
    try:
        found = connection.sql(f"SELECT {sql} AS value FROM {_ROWS}").to_arrow_table()  # noqa: S608 - as checked
        return Evaluated(found["value"])
    except _WRONG:
        raise
    except duckdb.Error:
        boxed = connection.sql(f"SELECT TRY({{'value': {sql}}}) AS box FROM {_ROWS}").to_arrow_table()["box"]  # noqa: S608 - as checked
    values = pa.chunked_array([pc.struct_field(chunk, [0]) for chunk in boxed.chunks], boxed.type.field(0).type)
    return Evaluated(values, pc.indices_nonzero(boxed.is_null()).to_pylist())


def _within_calendar(found: Evaluated) -> Evaluated:
    """Return values without the days of no calendar, as infinity is one: there they failed."""
    kind = found.values.type
    if not pa.types.is_temporal(kind):
        return found
    first, last = (_FIRST_DAY, _LAST_DAY) if pa.types.is_date(kind) else (_FIRST_TIME, _LAST_TIME)
    zone = "Z" if pa.types.is_timestamp(kind) and kind.tz else ""
    is_known = pc.and_(
        pc.greater_equal(found.values, pa.scalar(first + zone).cast(kind)),
        pc.less_equal(found.values, pa.scalar(last + zone).cast(kind)),
    )
    unknown = pc.indices_nonzero(pc.invert(is_known)).to_pylist()
    return Evaluated(pc.if_else(is_known, found.values, None), [*found.failed, *unknown]) if unknown else found


@cache
def _database() -> duckdb.DuckDBPyConnection:
    """Return a database in which there is nothing, and from which nothing else is in reach; each thread takes a cursor of its own."""
    connection = duckdb.connect(config={"threads": 1})
    settings = ["TimeZone = 'UTC'", "autoinstall_known_extensions = false", "autoload_known_extensions = false"]
    settings += ["python_enable_replacements = false", "enable_external_access = false", "lock_configuration = true"]
    for setting in settings:
        connection.execute(f"SET {setting}")
    return connection
