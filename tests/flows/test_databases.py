"""Runs of queries of databases: by the command line, with a password that nothing tells."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from flows.cli.main import run_command
from flows.pipeline import pipeline as run_pipeline
from tasks.config import Pipeline
from tasks.core.errors import StageError
from tests.ingest.databases import empty, query_of
from tests.postgresql import PASSWORD, Postgresql, needs_postgresql

pytestmark = [pytest.mark.flow, pytest.mark.usefixtures("prefect_server")]


def write_shop(root: Path) -> str:
    """Write a file of SQLite with orders, and return the text of a pipeline file of them and of their items."""
    with closing(sqlite3.connect(root / "shop.db")) as connection, connection:
        connection.execute("CREATE TABLE orders (id INTEGER, status TEXT)")
        connection.execute("CREATE TABLE items (order_id INTEGER, item TEXT)")
        connection.executemany("INSERT INTO orders VALUES (?, ?)", [(1, "open"), (2, "sent"), (3, "o'pen")])
        connection.executemany("INSERT INTO items VALUES (?, ?)", [(1, "a"), (1, "b"), (2, "c"), (3, "d"), (None, "e")])
    return """name: shop
sources:
  orders: {kind: sql, database: sqlite:///shop.db, query: SELECT * FROM orders, key: [id]}
  items:
    kind: sql
    database: sqlite:///shop.db
    query: SELECT * FROM items WHERE order_id = :order
    partitions: {order: {from: orders, column: id, where: "status <> 'sent'", take: {status: status}}}
"""


def read_all(data: Path) -> bytes:
    """Return the bytes of all files."""
    return b"".join(path.read_bytes() for path in data.rglob("*") if path.is_file())


def rows_of(data: Path, name: str) -> list[dict[str, Any]]:
    """Return the rows of a table, sorted."""
    rows: list[dict[str, Any]] = pq.read_table(data / "tables" / name).to_pylist()
    return sorted(rows, key=str)


def test_a_file_of_sqlite_is_looked_at_checked_and_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With rows of one table as partitions of another, of which columns are taken along; with a limit, each query has as many rows."""
    file = tmp_path / "shop.yaml"
    file.write_text(write_shop(tmp_path))
    command = [str(file), "--data", str(tmp_path)]

    assert run_command(["preview", *command, "--source", "orders", "--ask"]) == 0
    assert "id      int     1" in capsys.readouterr().out
    assert run_command(["run", *command]) == 0
    assert run_command(["check", *command, "--ask"]) == 0
    said = capsys.readouterr().out
    assert run_command(["run", *command, "--limit", "1"]) == 0

    assert rows_of(tmp_path, "items") == [
        {"order_id": 1, "item": "a", "status": "open"},
        {"order_id": 1, "item": "b", "status": "open"},
        {"order_id": 3, "item": "d", "status": "o'pen"},
    ]
    assert "items: a row of sqlite:///shop.db, the first of 2 partitions" in said
    assert "columns: order_id int64, item string" in said
    assert rows_of(tmp_path / "limit-1", "orders") == [{"id": 1, "status": "open"}]


@needs_postgresql
async def test_a_password_is_told_nowhere(
    postgresql: Postgresql, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Not in the data folder, nor in what is said of a server that refuses it."""
    empty(postgresql)
    monkeypatch.setenv("SHOP_PASSWORD", PASSWORD)
    source = query_of(postgresql, "SELECT 1 AS id", password={"env": "SHOP_PASSWORD"})
    await run_pipeline(Pipeline(name="shop", sources={"orders": source}), tmp_path)

    monkeypatch.setenv("SHOP_PASSWORD", f"{PASSWORD}-wrong")
    other = query_of(postgresql, "SELECT 2 AS id", password={"env": "SHOP_PASSWORD"})
    with pytest.raises(StageError) as raised:
        await run_pipeline(Pipeline(name="shop", sources={"orders": other}), tmp_path)

    assert "password authentication failed for user" in str(raised.value)
    assert rows_of(tmp_path, "orders") == [{"id": 1}]
    said = f"{raised.value}\n{caplog.text}"
    assert PASSWORD.encode() not in read_all(tmp_path)
    assert PASSWORD not in said
