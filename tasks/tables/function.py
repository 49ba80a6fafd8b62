"""A table's function: called in a process of its own, within limits, with the tables it names; what it returns as Parquet."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from inspect import signature
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from tasks.convert.parts.part import ROW_GROUP_ROWS, read_part
from tasks.convert.schema.arrow import plain_column
from tasks.core.errors import TableError
from tasks.core.isolation.client import leave_call_server, run_isolated, start_call_server, stop_call_server
from tasks.core.outcome import Failed
from tasks.core.storage import hash_file
from tasks.core.suggestions import did_you_mean
from tasks.core.tables import bounded_columns, explain_gone, list_parts

if TYPE_CHECKING:  # half a second to import, which each function would wait for
    from tasks.config import MadeTable, Pipeline

_CALL = "tasks.tables.function:call_function"
_LOOK = "tasks.tables.function:look_for_function"
_LOOK_S = 20.0  # a module whose import takes longer is left to the run
_PACKAGES = frozenset({"site-packages", "dist-packages"})


@asynccontextmanager
async def functions_ready(tables: Mapping[str, MadeTable]) -> AsyncIterator[None]:
    """Have the process begin, while the block runs, that calls these tables' functions, if they have any; it ends with the block."""
    try:
        await asyncio.to_thread(begin_functions, tables)
        yield
    finally:
        await asyncio.to_thread(stop_call_server)


def begin_functions(tables: Mapping[str, MadeTable]) -> None:
    """Have the process begin that calls these tables' functions, if they have any; it is not waited for."""
    made = [table for table in tables.values() if table.python is not None]
    if made:
        start_call_server(dict.fromkeys(each for table in made for each in _preload_of(table)))


def _preload_of(table: MadeTable) -> tuple[str, ...]:
    """Return the modules that a function needs, beside its own: pandas is most of a second."""
    return ("pandas", __name__) if table.frames == "pandas" else (__name__,)


def write_function(
    name: str,
    table: MadeTable,
    tables: Mapping[str, Path],
    staged: Path,
    look: Callable[[], None] | None = None,
) -> tuple[Path, dict[str, str]]:
    """Call a table's function; return the Parquet file of the rows it returns, in `staged`, and the hashes of its modules' files.

    `look` is called every second meanwhile; what it raises ends the function.

    Raises:
        TableError: it raised, returned what is no table, or was ended at its limits.

    """
    staged.mkdir(parents=True, exist_ok=True)
    rows = staged / "rows.parquet"
    made = run_isolated(
        _CALL,
        table.python,
        {each: tables[each] for each in table.inputs},
        table.frames,
        rows,
        time_s=table.time_limit_s,
        memory_mb=table.memory_limit_mb,
        preload=_preload_of(table),
        look=look,
    ).outcome
    if isinstance(made, Failed):
        raise TableError(f"tables.{name}.python: {table.python}: {made.message}")
    return rows, made


def find_function_mistakes(config: Pipeline) -> list[str]:
    """Return a sentence for each function of a table that cannot be called: it is not there, or does not take the inputs.

    The process that looks for them stays, for the run that may follow.
    """
    mistakes = []
    begin_functions(config.tables)
    try:
        for name, table in config.tables.items():
            if table.python is not None:
                call = run_isolated(_LOOK, table.python, table.inputs, time_s=_LOOK_S, preload=_preload_of(table))
                if call.ended != "time" and isinstance(call.outcome, Failed):
                    mistakes.append(f"tables.{name}.python: {table.python}: {call.outcome.message}")
    finally:
        leave_call_server()
    return mistakes


def look_for_function(path: str, inputs: Sequence[str]) -> None:
    """Import the module of a function.

    Raises:
        TableError: there is no such function, or it does not take the inputs.

    """
    _, function = _import(path)
    _refuse_other_arguments(function, inputs)


def call_function(path: str, inputs: Mapping[str, Path], frames: str, rows: Path) -> dict[str, str]:
    """Call a function with tables by their names and write the rows that it returns; return the hashes of its modules' files.

    Raises:
        TableError: there is no such function, it does not take the inputs, or it returns what is no table.

    """
    module, function = _import(path)
    _refuse_other_arguments(function, [*inputs])
    tables = {_as_argument(each): _read(folder) for each, folder in inputs.items()}
    if frames == "arrow":
        made = _as_arrow(function(**tables))
    else:
        dates = {column.name for table in tables.values() for column in table.schema if pa.types.is_date(column.type)}
        made = _as_arrow(function(**{each: _as_frame(table) for each, table in tables.items()}), dates)
    _write(made, rows)
    return _files_beside(module)


def _import(path: str) -> tuple[ModuleType, Callable[..., Any]]:
    """Return the module and the function that a path leads to."""
    module_name, _, name = path.rpartition(":")
    module = _load(module_name)
    function = getattr(module, name, None)
    if not callable(function):
        there = [each for each, value in vars(module).items() if callable(value) and not each.startswith("_")]
        raise TableError(f"has no function {name!r}; {did_you_mean(name, there, 'add it')}")
    return module, function


def _as_argument(table: str) -> str:
    return table.replace("-", "_")


def _refuse_other_arguments(function: Callable[..., Any], inputs: Sequence[str]) -> None:
    try:
        taken = signature(function)
    except (TypeError, ValueError):  # one written in C may not tell
        return
    given = [_as_argument(each) for each in inputs]
    try:
        taken.bind(**dict.fromkeys(given))
    except TypeError:
        took = ", ".join(taken.parameters) or "nothing"
        raise TableError(f"takes {took}, and is given {', '.join(given)}; name its arguments as its inputs") from None


def _load(name: str) -> ModuleType:
    """Return a module, of a file or as Python imports it; it finds those that lie beside it."""
    if not name.endswith(".py"):
        try:
            return import_module(name)
        except ModuleNotFoundError as error:
            raise TableError(
                f"there is no module {error.name!r}; put {name.replace('.', '/')}.py beside the pipeline file, or install it"
            ) from None
    path = Path(name)
    sys.path.insert(0, str(path.parent))
    spec = spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[path.stem] = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _files_beside(module: ModuleType) -> dict[str, str]:
    """Return the hashes of the files of a module and of those imported from its folder, packages that are installed aside."""
    if module.__file__ is None:
        return {}
    folder = Path(module.__file__).parent
    found = {Path(file) for each in list(sys.modules.values()) if (file := getattr(each, "__file__", None))}
    beside = {path for path in found if path.is_relative_to(folder) and not _PACKAGES & set(path.parts)}
    return {str(path): hash_file(path) for path in sorted({Path(module.__file__), *beside})}


def _read(folder: Path) -> pa.Table:
    """Return the rows of a table: of the version that is the current one now, whichever is when its last part is read.

    Raises:
        TableError: that version is gone meanwhile.

    """
    parts = [_read_part(part) for part in list_parts(folder.resolve())]
    return pa.concat_tables(parts, promote_options="permissive") if parts else pa.table({})


def _read_part(part: Path) -> pa.Table:
    try:
        return read_part(part)
    except FileNotFoundError:
        raise TableError(explain_gone(str(part))) from None


def _as_frame(table: pa.Table) -> Any:
    """Return a table as a DataFrame; columns of whole numbers or truths with nulls are pandas' own, which lose no digit."""
    import pandas as pd  # noqa: PLC0415 - where frames are asked for

    nullable = {pa.int64(): pd.Int64Dtype(), pa.bool_(): pd.BooleanDtype()}
    frame = table.to_pandas(date_as_object=False)
    for column in table.schema:
        values = table[column.name]
        if column.type in nullable and values.null_count:
            frame[column.name] = values.to_pandas(types_mapper=nullable.get)
    return frame


def _as_arrow(returned: Any, dates: Collection[str] = ()) -> pa.Table:
    """Return what a function returned as an Arrow table in types that tables have.

    A column of `dates`, of which pandas makes times, is one of dates again where each is a midnight.

    Raises:
        TableError: it is none, or has columns without names.

    """
    if isinstance(returned, pa.Table):
        table = returned
    elif type(returned).__module__.partition(".")[0] == "pandas" and hasattr(returned, "columns"):
        frame = returned.reset_index() if any(name is not None for name in returned.index.names) else returned
        if odd := [name for name in frame.columns if not isinstance(name, str)]:
            raise TableError(f"returns a column {odd[0]!r}, which is no name; name it by a text")
        if periods := [name for name, kind in frame.dtypes.items() if str(kind).startswith("period")]:
            raise TableError(f"returns periods in the column {periods[0]!r}; make times of them: .dt.to_timestamp()")
        table = pa.Table.from_pandas(frame, preserve_index=False)
    else:
        raise TableError(f"returns a {type(returned).__name__}; return a DataFrame, or an Arrow table")
    names = [name.lower() for name in table.column_names]
    if not names or len(set(names)) < len(names):
        twice = next((name for name in table.column_names if names.count(name.lower()) > 1), None)
        raise TableError(
            f"returns two columns {twice!r}; name one otherwise" if twice else "returns no column; return some"
        )
    plain = {name: plain_column(table[name])[1] for name in table.column_names}
    return pa.table({name: _as_date(column) if name in dates else column for name, column in plain.items()})


def _as_date(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if not pa.types.is_timestamp(column.type) or column.type.tz is not None:
        return column
    days = column.cast(pa.date32(), safe=False)
    return days if days.cast(column.type).equals(column) else column


def _write(table: pa.Table, rows: Path) -> None:
    pq.write_table(
        table, rows, compression="zstd", row_group_size=ROW_GROUP_ROWS, write_statistics=bounded_columns(table)
    )
