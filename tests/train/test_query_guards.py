"""What a query of a training or a prediction cannot do: read, write, load or ask for anything but its tables; each within limits."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tasks.config import QueryLimits
from tasks.core.errors import ConfigError, TrainingError
from tasks.core.sql import check_query, opened_tables
from tasks.train.checks.training_set import write_training_set
from tasks.train.data.query import run_query
from tasks.train.predict.inputs import read_input
from tests.train.conftest import training, write_table

COLUMNS: dict[str, list[Any]] = {"a": [3, 1, 2] * 40, "b": list(range(120)), "y": [True, False] * 60}


@pytest.fixture
def tables(tmp_path: Path) -> dict[str, Path]:
    """Return one table, beside which lie a file of each kind that DuckDB reads."""
    beside = tmp_path / "beside"
    write_table(beside, COLUMNS)
    for name in ("secret.csv", "secret.txt", "secret.json"):
        (beside / name).write_text("word\nhush\n")
    return {"rows": write_table(tmp_path / "tables" / "rows", COLUMNS)}


def run(tables: dict[str, Path], query: str, **limits: Any) -> int:
    """Run a query over tables, within limits."""
    asked = QueryLimits(**limits)
    with opened_tables(tables, tables["rows"].parent / "spill", asked) as connection:
        return run_query(connection, query, tables, limits=asked)


@pytest.mark.parametrize(
    "reading",
    [
        "read_csv('{beside}/secret.csv')",
        "read_text('{beside}/secret.txt')",
        "read_blob('{beside}/secret.txt')",
        "read_json('{beside}/secret.json')",
        "read_parquet('{beside}/part-0.parquet')",
        "parquet_metadata('{beside}/part-0.parquet')",
        "sniff_csv('{beside}/secret.csv')",
        "glob('{beside}/*')",
        "read_parquet('{tables}/../../beside/part-0.parquet')",
        "'{beside}/part-0.parquet'",
        "read_csv('/proc/self/environ')",
    ],
)
def test_no_file_beside_the_tables_is_read(tables: dict[str, Path], reading: str) -> None:
    """By any function, pattern or path that climbs; the same file within a table would be read."""
    query = f"SELECT * FROM {reading.format(beside=tables['rows'].parent.parent / 'beside', tables=tables['rows'])}"  # noqa: S608 - the attack

    with pytest.raises(TrainingError, match=r"Cannot access|does not exist"):
        run(tables, query)


def test_a_link_out_of_a_table_is_no_way_by_name(tables: dict[str, Path]) -> None:
    """A path that no table's folder begins is refused, whatever it leads to."""
    (tables["rows"].parent / "alias").symlink_to(tables["rows"].parent.parent / "beside")

    with pytest.raises(TrainingError, match="Cannot access"):
        run(tables, f"SELECT * FROM read_parquet('{tables['rows'].parent}/alias/part-0.parquet')")  # noqa: S608 - the attack


@pytest.mark.parametrize(
    "statement",
    [
        "COPY rows TO '{path}'",
        "COPY (SELECT 1) TO '{path}' (FORMAT csv)",
        "EXPORT DATABASE '{path}'",
        "ATTACH '{path}' AS other",
        "INSTALL spatial",
        "LOAD spatial",
        "SET enable_external_access = true",
        "PRAGMA memory_limit='1TB'",
        "CREATE TABLE t AS SELECT 1",
        "INSERT INTO rows VALUES (1)",
        "CALL pragma_version()",
        "SELECT 1; COPY rows TO '{path}'",
    ],
)
def test_a_statement_that_is_no_select_is_refused(tmp_path: Path, statement: str) -> None:
    """Of training and of prediction alike, and nothing is written."""
    path = tmp_path / "out"
    sql = statement.format(path=path)

    assert check_query(sql)
    with pytest.raises(ConfigError):
        read_input(f"SELECT 1; {sql}", {"rows": tmp_path})
    assert not path.exists()


@pytest.mark.parametrize(
    "statement",
    [
        "SET enable_external_access = true",
        "SET memory_limit = '1TB'",
        "SET allowed_directories = ['/']",
        "RESET memory_limit",
    ],
)
def test_the_guards_are_locked(tables: dict[str, Path], statement: str) -> None:
    """Even a statement that came so far could not set them otherwise."""
    with (
        opened_tables(tables, tables["rows"].parent / "spill", QueryLimits()) as connection,
        pytest.raises(Exception, match="locked"),
    ):
        connection.execute(statement)


@pytest.mark.parametrize(
    "statement", ["COPY (SELECT 1 AS a) TO '{path}'", "ATTACH '{path}' AS other", "INSTALL spatial"]
)
def test_nothing_is_written_attached_or_installed(tables: dict[str, Path], tmp_path: Path, statement: str) -> None:
    """Even a statement that came so far would find no file system."""
    path = tmp_path / "out.csv"

    with (
        opened_tables(tables, tmp_path / "spill", QueryLimits()) as connection,
        pytest.raises(Exception, match=r"Cannot access|disabled"),
    ):
        connection.execute(statement.format(path=path))
    assert not path.exists()


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """Yield a socket that a query may try to reach."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.5)
        yield server


@pytest.mark.parametrize(
    "reading", ["read_csv('http://{host}/x.csv')", "'http://{host}/x.parquet'", "read_text('http://{host}/x')"]
)
def test_no_host_is_asked(tables: dict[str, Path], listener: socket.socket, reading: str) -> None:
    """An address in a query is no way out."""
    host = f"127.0.0.1:{listener.getsockname()[1]}"

    with pytest.raises(TrainingError, match=r"Cannot access|does not exist"):
        run(tables, f"SELECT * FROM {reading.format(host=host)}")  # noqa: S608 - the attack
    with pytest.raises(TimeoutError):
        listener.accept()


@pytest.mark.parametrize("call", ["getenv('PATH')", "st_point(1, 2)", "mysql_query('a', 'b')"])
def test_no_environment_and_no_extension(tables: dict[str, Path], call: str) -> None:
    """A function that only an extension or a shell has is not there."""
    with pytest.raises(TrainingError, match=r"training.query: .*; correct the SQL"):
        run(tables, f"SELECT {call}")


def test_no_variable_of_the_program_is_a_table(tables: dict[str, Path]) -> None:
    """DuckDB takes a frame of the calling code for a table, unless told not to."""
    import pandas as pd  # noqa: PLC0415 - only here

    hidden = pd.DataFrame({"word": ["hush"]})

    with (
        opened_tables(tables, tables["rows"].parent / "spill", QueryLimits()) as connection,
        pytest.raises(Exception, match="hidden"),
    ):
        connection.execute("SELECT * FROM hidden").fetchall()
    assert len(hidden) == 1


def test_memory_is_bounded(tables: dict[str, Path]) -> None:
    """A value that is larger than the limit is refused with the key that raises it, and fits within a larger one."""
    query = "SELECT length(string_agg(repeat('x', 1000000), '')) AS n FROM range(150)"

    with pytest.raises(
        TrainingError, match=r"training.query: Out of Memory.*; raise training.query_limits.memory_limit_mb"
    ):
        run(tables, query, memory_limit_mb=64)
    assert run(tables, query, memory_limit_mb=2000) == 1


def test_time_is_bounded(tables: dict[str, Path]) -> None:
    """A query that would take hours is ended with the key that raises its limit."""
    query = "SELECT sum(sin(a.range * b.range)) AS s FROM range(100000000) a, range(100000) b"

    with pytest.raises(
        TrainingError, match=r"was ended after 0.5 s; make it cheaper, or raise training.query_limits.time"
    ):
        run(tables, query, time_limit_s=0.5)


def test_a_query_is_stopped_from_another_thread(tables: dict[str, Path], tmp_path: Path) -> None:
    """As where a run is cancelled while its query works."""
    stop = threading.Event()
    threading.Timer(0.3, stop.set).start()
    query = "SELECT a.range AS x, count(*) > 1 AS y FROM range(100000) a, range(10000000) b GROUP BY a.range"

    with pytest.raises(TrainingError, match=r"training.query: was stopped; run it again"):
        write_training_set(training(query=query), tables, tmp_path / "training", stop=stop)
