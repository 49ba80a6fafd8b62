"""What tables are made of: told by their text, refused in circles, and seen before a run."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tasks.config import Pipeline, load_pipeline
from tasks.core.errors import ConfigError
from tasks.tables.order import find_table_mistakes, order_tables
from tests.tables.conftest import SOURCES, pipeline_of, written


@pytest.mark.parametrize(
    ("query", "inputs"),
    [
        ("SELECT * FROM rows", ("rows",)),
        ('FROM "ROWS" JOIN b USING (x)', ("rows", "b")),
        ("WITH b AS (SELECT 1) SELECT * FROM b, rows", ("rows",)),
        ("WITH b AS (SELECT 1) SELECT * FROM main.b", ("b",)),
        ("WITH b AS (SELECT * FROM b) SELECT * FROM B", ("b",)),
        ("WITH c AS (SELECT * FROM b), b AS (SELECT 1) SELECT * FROM c", ("b",)),
        ("(WITH b AS (SELECT 1 AS x) SELECT * FROM b) UNION ALL SELECT x FROM b", ("b",)),
        ("WITH RECURSIVE b AS (SELECT 1 AS x UNION ALL SELECT x + 1 FROM b WHERE x < 3) SELECT * FROM b", ()),
        ("WITH RECURSIVE b AS (SELECT x FROM b UNION ALL SELECT x + 1 FROM b WHERE x < 3) SELECT * FROM b", ("b",)),
        (
            "WITH RECURSIVE b(x, y) USING KEY (x) AS (SELECT 1, 1 UNION SELECT b.x, b.y + 1 FROM b JOIN recurring.b AS r "
            "ON r.x = b.x WHERE b.y < 3) SELECT * FROM b",
            (),
        ),
        ("WITH t AS (SELECT * FROM rows) SELECT * FROM t WHERE x IN (SELECT x FROM t)", ("rows",)),
        ("SELECT (SELECT max(id) FROM b) AS m", ("b",)),
        ("SELECT 1 AS x", ()),
    ],
)
def test_a_query_tells_what_it_is_made_of(query: str, inputs: tuple[str, ...]) -> None:
    """Wherever a table is named; a name of the query's own is none where the query has it."""
    config = pipeline_of(t={"query": query}, b={"query": "SELECT 1 AS x"})

    assert order_tables(config)["t"] == inputs


@pytest.mark.parametrize(
    ("tables", "said"),
    [
        (
            {"a": {"query": "FROM b"}, "b": {"query": "FROM c"}, "c": {"query": "FROM a"}},
            r"^tables: .*a.* -> .* is a circle, in which each table is made of the one before",
        ),
        ({"a": {"query": "SELECT * FROM a"}}, r"^tables: a -> a is a circle"),
        (
            {"a": {"query": "SELECT * FROM row"}},
            r"^tables\.a\.query: the pipeline makes no table 'row'; did you mean rows\?",
        ),
        ({"a": {"query": "SELECT FROM"}}, r"^tables\.a\.query: Parser Error"),
        ({"a": {"query": "DROP TABLE rows"}}, r"^tables\.a\.query: is a DROP, which tables refuses; write one SELECT"),
        ({"a": {"python": "m:f", "inputs": ["row"]}}, r"^tables\.a\.inputs: the pipeline makes no table 'row'"),
    ],
)
def test_a_mistake_is_seen_before_a_run(tables: dict[str, Any], said: str) -> None:
    """Without any row."""
    (mistake,) = find_table_mistakes(pipeline_of(**tables))

    assert re.search(said, mistake)


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({}, "a table is made by query or by python; write one of them"),
        ({"query": "SELECT 1", "python": "m:f"}, "a table is made by query or by python"),
        ({"query": "SELECT 1", "inputs": ["rows"]}, "inputs and frames are of python"),
        ({"python": "never_read:f", "inputs": ["rows"]}, "is run from a pipeline file on disk alone"),
    ],
)
def test_a_section_that_says_too_little_or_too_much_is_refused(table: dict[str, Any], said: str) -> None:
    """A function from elsewhere than a file on disk too: it is code."""
    with pytest.raises(ValueError, match=said):
        Pipeline.model_validate({"name": "made", "sources": SOURCES, "tables": {"t": table}})


def test_a_name_is_that_of_one_table() -> None:
    """A source and a table differ."""
    with pytest.raises(ValueError, match=r"tables\.rows: there is a source's table rows already"):
        pipeline_of(rows={"query": "SELECT 1 AS x"})


def test_the_text_of_a_query_may_lie_beside_the_file(tmp_path: Path) -> None:
    """As that of a training may; one that is not there is told."""
    (tmp_path / "t.sql").write_text("SELECT 5 AS x")

    assert written(tmp_path, "  t: {query: t.sql}\n").tables["t"].query == "SELECT 5 AS x"
    with pytest.raises(ConfigError, match=r"tables\.t\.query: there is no file .*none\.sql"):
        written(tmp_path, "  t: {query: none.sql}\n")


def test_a_training_may_name_a_table(tmp_path: Path) -> None:
    """Then it learns from all of its rows."""
    path = tmp_path / "pipeline.yaml"
    written(tmp_path, "  t: {query: SELECT 5 AS x}\n")
    candidates = "candidates: {tree: {estimator: sklearn.tree.DecisionTreeClassifier}}"
    path.write_text(f"{path.read_text()}training: {{query: t, target: x, {candidates}}}\n")

    training = load_pipeline(path).training

    assert training is not None
    assert training.query == 'SELECT * FROM "t"'
