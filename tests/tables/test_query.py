"""Tables made by SQL: their rows, types, order and parts, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.core.errors import TableError
from tasks.core.tables import list_parts, parts_as_sql
from tests.convert.conftest import files_source, write_files
from tests.convert.conftest import make_table as convert_table
from tests.documented import DOCS, blocks
from tests.tables.conftest import changed, make, pipeline_of, rows_of, written


def test_a_table_is_what_its_query_gives(data: Path) -> None:
    """Tables of tables too, in the order of what each is made of, whatever theirs is in the file."""
    config = pipeline_of(
        words={"query": "SELECT word, sum(price) AS price FROM priced GROUP BY ALL ORDER BY word"},
        priced={"query": "SELECT id, word, coalesce(price, 0) AS price FROM rows", "key": ["id"]},
    )

    made = make(data, config)

    assert list(made) == ["priced", "words"]
    assert rows_of(data, "words") == [{"word": "a", "price": 6.5}, {"word": "b", "price": 0.0}]
    assert {name: table.rows_table for name, table in made.items()} == {"priced": 3, "words": 2}


@pytest.mark.parametrize(
    ("expression", "kind", "value"),
    [
        ("sum(id)", "int", 6),
        ("count(*)::INTEGER", "int", 3),
        ("avg(price)::FLOAT", "float", 3.25),
        ("1.10::DECIMAL(5, 2)", "decimal(5,2)", "1.10"),
        ("max(day)", "date", "2024-02-06"),
        ("TIMESTAMP_NS '2024-01-01 00:00:00'", "timestamp", "2024-01-01 00:00:00"),
        ("TIMESTAMPTZ '2024-01-01 00:00:00+00'", "timestamp_utc", "2024-01-01 00:00:00+00:00"),
        ("INTERVAL 2 MINUTE", "float", 120.0),
        ("TIME '10:00:00'", "string", "10:00:00"),
        ("list(id ORDER BY id)", "string", "[1,2,3]"),
        ("{'a': 1}", "string", '{"a":1}'),
        ("[12345678901234567.25::DECIMAL(20, 2)]", "string", "[12345678901234567.25]"),
        ("[TIMESTAMP '2024-01-01']", "string", '["2024-01-01 00:00:00"]'),
        ("NULL", "string", None),
        ("true", "bool", True),
    ],
)
def test_a_column_has_a_type_that_tables_have(data: Path, expression: str, kind: str, value: object) -> None:
    """A sum of whole numbers is one, what has no such type a text, and no digit is lost."""
    made = make(data, pipeline_of(t={"query": f"SELECT {expression} AS x FROM rows"}))  # noqa: S608 - the expressions above

    assert made["t"].types == {"x": kind}
    found = rows_of(data, "t")[0]["x"]
    assert (found if isinstance(value, bool | int | float | None) else str(found)) == value


def test_lists_of_the_records_that_stay_are_rows(tmp_path: Path) -> None:
    """By the SQL that docs/sources.md shows: of a list that has become shorter, or empty, no element is left."""
    (shown,) = blocks(DOCS / "sources.md", "sql")
    records = [
        {"id": 1, "items": [{"line": 1, "sku": "a", "qty": 1}, {"line": 2, "sku": "b", "qty": 2}]},
        {"id": 2, "items": [{"line": 1, "sku": "c", "qty": 3}]},
        {"id": 2, "items": []},
        {"id": 1, "items": [{"line": 1, "sku": "a", "qty": 4}]},
    ]
    write_files(tmp_path, a_jsonl="\n".join(map(json.dumps, records)))
    convert_table(tmp_path, files_source(key=["id"]))

    make(tmp_path, pipeline_of(items={"query": shown.replace("FROM orders", "FROM rows")}))

    assert rows_of(tmp_path, "items") == [{"order_id": 1, "line": 1, "sku": "a", "qty": 4}]


def test_rows_are_sorted_and_divided_as_declared(data: Path) -> None:
    """Each part has the rows of one value, every column, and their order."""
    config = pipeline_of(t={"query": "SELECT * FROM rows -- all", "partition_by": ["word"], "sort_by": ["price"]})

    make(data, config)

    folder = data / "tables" / "t"
    parts = {path.parent.name: pq.read_table(path, partitioning=None).to_pylist() for path in folder.rglob("*.parquet")}
    assert {name: [row["id"] for row in rows] for name, rows in parts.items()} == {"word-a": [1, 3], "word-b": [2]}
    assert all("word" in row for rows in parts.values() for row in rows)


def test_rows_that_sort_as_one_stand_in_the_order_of_their_other_columns(data: Path) -> None:
    """So that the same rows are the same parts, whichever of its threads comes first."""
    query = "SELECT range % 3 AS third, (range * 7919) % 200003 AS n FROM range(200003)"

    make(data, pipeline_of(t={"query": query, "sort_by": ["third"]}))

    rows = [(row["third"], row["n"]) for row in rows_of(data, "t")]
    assert rows == sorted(rows)


def test_what_is_no_number_is_found_in_each_table(tmp_path: Path) -> None:
    """NaN is greater than any number to SQL, also in what convert, a function, and parts by a column's values are written as."""
    rows = {"id": [1, 2, 3, 4], "x": [1.0, float("nan"), None, 3.0], "word": ["a", "a", "a", "b"]}
    (tmp_path / "inbox").mkdir()
    pq.write_table(pa.table(rows), tmp_path / "inbox" / "a.parquet")
    convert_table(tmp_path, files_source())
    function = "{python: prepare:made, inputs: [rows], frames: arrow, partition_by: [%s]}"
    query = "{query: FROM rows, partition_by: [%s]}"
    tables = {
        "called": function % "",
        "called_apart": function % "word",
        "queried": query % "",
        "queried_apart": query % "word",
    }
    conditions = {"isnan(x)": [2], "NOT isnan(x)": [1, 4], "x > 100": [2], "x < 100": [1, 4], "x = 'NaN'::FLOAT": [2]}
    text = "".join(f"  {name}: {table}\n" for name, table in tables.items())

    make(tmp_path, written(tmp_path, text, prepare="def made(rows):\n    return rows\n"))

    asking, asked = duckdb.connect(), "SELECT list(id ORDER BY id) FROM {} WHERE {}"
    names = ["rows", *tables]
    parts = {name: parts_as_sql(tmp_path / "tables" / name) for name in names}
    found = {
        name: {each: asking.execute(asked.format(parts[name], each)).fetchone() for each in conditions}
        for name in names
    }
    assert found == {name: {condition: (ids,) for condition, ids in conditions.items()} for name in names}


def test_values_that_sort_as_one_keep_all_rows(data: Path) -> None:
    """Rows of 0.0 and of -0.0 come in turns, and more than are written at once; each has its folder."""
    query = "SELECT range AS n, if(range % 2 = 0, 0.0::DOUBLE, -0.0::DOUBLE) AS z FROM range(1_100_000)"

    made = make(data, pipeline_of(t={"query": query, "partition_by": ["z"]}))["t"]

    parts = list_parts(data / "tables" / "t")
    assert sum(pq.read_metadata(part).num_rows for part in parts) == made.rows_table == 1_100_000
    assert {part.parent.name for part in parts} == {"z-0", "z--0"}
    assert set(pq.read_table([*map(str, parts)], columns=["n"])["n"].to_pylist()) == set(range(1_100_000))


def test_a_divided_table_without_rows_has_its_columns(data: Path) -> None:
    """It stands, and others can be made of it."""
    config = pipeline_of(
        a={"query": "SELECT * FROM rows WHERE id > 9", "partition_by": ["word"]},
        b={"query": "SELECT count(word) AS n FROM a"},
    )

    make(data, config)

    assert rows_of(data, "b") == [{"n": 0}]
    assert changed(make(data, config)) == []


def test_a_query_keeps_its_own_order(data: Path) -> None:
    """Its rows stand as it gives them."""
    make(data, pipeline_of(t={"query": "SELECT id FROM rows, range(20000) ORDER BY id DESC, range"}))

    assert [row["id"] for row in rows_of(data, "t")] == [3] * 20_000 + [2] * 20_000 + [1] * 20_000


def test_a_query_without_an_order_gives_its_rows_in_that_of_its_tables(data: Path) -> None:
    """So that the same rows are the same table, of whichever of its threads come first."""
    many = {"query": "SELECT range AS n FROM range(2000000)"}

    make(data, pipeline_of(many=many, t={"query": "SELECT n FROM many WHERE n % 7 = 3"}))

    assert [row["n"] for row in rows_of(data, "t")] == list(range(3, 2_000_000, 7))


@pytest.mark.parametrize("table", [{"query": "SELECT id FROM rows"}, {"query": "SELECT 1 AS one"}])
def test_a_table_that_stands_is_not_made_again(data: Path, table: dict[str, str]) -> None:
    """Unless its text, its inputs, or its parts are others, or it is asked for."""
    config = pipeline_of(t=table)
    assert changed(make(data, config)) == ["t"]

    assert changed(make(data, config)) == []
    assert changed(make(data, config, fresh=True)) == ["t"]
    assert changed(make(data, pipeline_of(t=table | {"sort_by": []}))) == []
    assert changed(make(data, pipeline_of(t={"query": f"{table['query']} LIMIT 1"}))) == ["t"]
    next((data / "tables" / "t").rglob("*.parquet")).write_bytes(b"damaged")
    assert changed(make(data, pipeline_of(t={"query": f"{table['query']} LIMIT 1"}))) == ["t"]


def test_a_table_is_made_again_of_other_rows_alone(data: Path) -> None:
    """And so are those made of it, if its rows are others; of the same rows, converted anew, they are not."""
    config = pipeline_of(
        a={"query": "SELECT word FROM rows WHERE word = 'a'"}, b={"query": "SELECT count(*) AS n FROM a"}
    )
    make(data, config)

    convert_table(data, files_source(), fresh=True)
    assert changed(make(data, config)) == []
    write_files(data, b_csv="id,day,price,word\n9,2024-01-05,2.5,z\n")
    convert_table(data, files_source())

    assert changed(make(data, config)) == ["a"]


@pytest.mark.parametrize(
    "query",
    [
        "SELECT today() AS d",
        "SELECT id, random() AS r FROM rows",
        "SELECT current_date AS d",
        "SELECT current_timestamp AS t",
        "SELECT localtimestamp AS t",
        "SELECT current_localtimestamp() AS t",
        "SELECT age(day) AS a FROM rows",
        "SELECT * FROM rows USING SAMPLE 2",
        "SELECT r.* FROM rows r TABLESAMPLE reservoir(2)",
    ],
)
def test_a_query_of_the_time_is_made_each_time(data: Path, query: str) -> None:
    """What it gives changes without its tables."""
    config = pipeline_of(t={"query": query})
    make(data, config)

    assert changed(make(data, config)) == ["t"]


@pytest.mark.parametrize(
    "query",
    [
        "SELECT uuid, error FROM (SELECT id AS uuid, word AS error FROM rows)",
        "SELECT age(day, DATE '2024-01-01') AS age FROM rows",
        "SELECT * FROM rows USING SAMPLE reservoir(2 ROWS) REPEATABLE (7)",
    ],
)
def test_a_query_that_lasts_is_made_once(data: Path, query: str) -> None:
    """Columns may have the names of functions that do not."""
    make(data, pipeline_of(t={"query": query}))

    assert changed(make(data, pipeline_of(t={"query": query}))) == []


@pytest.mark.parametrize(
    "query", ["SELECT ';é' AS x, id FROM rows;", "SELECT ';é' AS x, id FROM rows -- ;\n ; -- end;"]
)
def test_a_query_may_end_as_a_statement(data: Path, query: str) -> None:
    """A semicolon at its end is not part of it; one within a text is."""
    make(data, pipeline_of(t={"query": query, "sort_by": ["id"]}))

    assert [row["x"] for row in rows_of(data, "t")] == [";é"] * 3


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"query": "SELECT nothing FROM rows"}, r"tables\.t\.query: Binder Error: .*\"nothing\".*correct the SQL"),
        ({"query": "SELECT id, id FROM rows"}, r"tables\.t\.query: gives two columns 'id'; name one of them otherwise"),
        ({"query": "SELECT 'x'::BLOB AS b"}, r"column 'b' is BLOB, which no table holds; leave it out"),
        ({"query": "SELECT 170141183460469231731687303715884105727 AS h"}, r"Conversion Error: .*out of range"),
        ({"query": "SELECT * FROM rows", "key": ["word"]}, r"tables\.t: check unique of word: 2 of 3 rows share"),
        (
            {"query": "SELECT * FROM rows", "key": ["wort"]},
            r"tables\.t\.key: 'wort' is not a column of the table; did you mean word",
        ),
        ({"query": "SELECT * FROM rows", "sort_by": ["x"]}, r"tables\.t\.sort_by: 'x' is not a column"),
        ({"query": "SELECT * FROM rows", "checks": [{"min_rows": 9}]}, r"tables\.t: check min_rows: "),
        (
            {"query": "SELECT count(*) AS n FROM range(100000000000) a, rows", "time_limit_s": 0.5},
            r"tables\.t\.query: was ended after 0\.5 s; make it cheaper, or raise tables\.t\.time_limit_s",
        ),
        ({"query": "SELECT * FROM read_csv('/etc/passwd')"}, r"tables\.t\.query: Permission Error"),
    ],
)
def test_what_makes_no_table_is_one_sentence(data: Path, table: dict[str, object], said: str) -> None:
    """It names the table, the value and the cure, and the table that was there stays."""
    make(data, pipeline_of(t={"query": "SELECT 5 AS x"}))

    with pytest.raises(TableError, match=said):
        make(data, pipeline_of(t=table))

    assert rows_of(data, "t") == [{"x": 5}]
    assert not (data / ".tables" / "t" / "staged" / "spill").exists()


def test_few_rows_are_told(data: Path) -> None:
    """No row, and less than half of those before."""
    make(data, pipeline_of(t={"query": "SELECT * FROM rows"}))

    few = make(data, pipeline_of(t={"query": "SELECT * FROM rows LIMIT 1"}))["t"]
    none = make(data, pipeline_of(t={"query": "SELECT * FROM rows LIMIT 0"}))["t"]

    assert few.findings.warnings == ("has 1 row, and had 3 before; see whether that is meant",)
    assert none.findings.warnings[0].startswith("has no row")


@pytest.mark.parametrize(
    ("joined", "told"),
    [
        ("rows r JOIN coded c ON r.id::VARCHAR = c.code", "CAST(r.id AS VARCHAR) (VARCHAR: '1', '2', '3') is one of c.code (VARCHAR: '001', '002', '003')"),
        ("(SELECT id::VARCHAR AS code FROM rows) JOIN coded USING (code)", "subquery.code (VARCHAR: '1', '2', '3') is one of coded.code (VARCHAR: '001', '002', '003')"),
        ("rows, coded WHERE word = code AND id > 0", "rows.word (VARCHAR: 'a', 'b', 'a') is one of coded.code (VARCHAR: '001', '002', '003')"),
        ("rows JOIN coded ON id = n WHERE id > 9", ""),
        ("rows JOIN coded ON id > n + 9", ""),
        ("rows JOIN (SELECT 1 AS id WHERE false) e USING (id)", ""),
    ],
)  # fmt: skip
def test_a_join_of_keys_that_never_meet_is_told(data: Path, joined: str, told: str) -> None:
    """With the types and the first values of both sides; keys that do meet are not to blame."""
    coded = {"query": "SELECT lpad(id::VARCHAR, 3, '0') AS code, id AS n FROM rows ORDER BY id"}

    made = make(data, pipeline_of(coded=coded, t={"query": f"SELECT 1 AS x FROM {joined}"}))["t"]  # noqa: S608 - the joins above

    why = f"; no value of {told}" if told else ""
    assert made.findings.warnings == (f"has no row; widen its query, or fill the tables that it is made of{why}",)


def test_what_does_not_fit_in_memory_spills(data: Path) -> None:
    """A sort of many times the memory that is allowed."""
    query = "SELECT range AS n, hash(range)::VARCHAR AS h FROM range(6000000)"

    made = make(data, pipeline_of(t={"query": query, "sort_by": ["h"], "memory_limit_mb": 128}))

    assert made["t"].rows_table == 6_000_000
