"""Parquet: typed columns as tables have them, and nothing lost of what has no such type."""

from __future__ import annotations

import contextlib
import datetime as dt
import decimal
import io
import json
import uuid
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.convert.formats import parquet
from tasks.convert.formats.parquet import read_parquet
from tasks.core.errors import TableError

NAME = uuid.UUID(int=5)


def write(columns: dict[str, Any], **options: Any) -> bytes:
    """Return columns as a Parquet file."""
    buffer = io.BytesIO()
    pq.write_table(pa.table(columns), buffer, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("limit", ["_BATCH_CELLS", "_BATCH_BYTES"])
def test_wide_or_large_rows_are_read_few_at_once(limit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is in memory together is bounded by cells and by bytes, not by rows alone; no row is lost."""
    data = write({f"c{number}": list(range(100)) for number in range(8)}, use_dictionary=False)
    bound = 80 if limit == "_BATCH_CELLS" else 8 * 90
    monkeypatch.setattr(parquet, limit, bound)

    blocks = list(read_parquet(data))

    assert sum(block.received for block in blocks) == 100
    assert max(block.received for block in blocks) <= 10
    assert [number for block in blocks for number in block.table["c7"].to_pylist()] == list(range(100))


@pytest.mark.parametrize(
    ("column", "kind", "expected"),
    [
        (pa.array([1, None], pa.int8()), "int", [1, None]),
        (pa.array([2**32 - 1, None], pa.uint32()), "int", [2**32 - 1, None]),
        (pa.array([2**63 - 1, None], pa.uint64()), "int", [2**63 - 1, None]),
        (pa.array([2**64 - 1, None], pa.uint64()), "string", [str(2**64 - 1), None]),
        (pa.array([1.5, None], pa.float16()), "float", [1.5, None]),
        (pa.array([0.1, None], pa.float64()), "float", [0.1, None]),
        (pa.array([True, None]), "bool", [True, None]),
        (pa.array(["x", None], pa.large_string()), "string", ["x", None]),
        (pa.array(["x", None], pa.string_view()), "string", ["x", None]),
        (pa.array(["x", None]).dictionary_encode(), "string", ["x", None]),
        (pa.array([dt.date(2013, 1, 31), None]), "date", [dt.date(2013, 1, 31), None]),
        (pa.array([dt.date(2013, 1, 31), None], pa.date64()), "date", [dt.date(2013, 1, 31), None]),
        (pa.array([1_000, None], pa.timestamp("ns")), "timestamp", [dt.datetime(1970, 1, 1, microsecond=1), None]),  # noqa: DTZ001 - without a zone
        (
            pa.array([0, None], pa.timestamp("ms", "Europe/Berlin")),
            "timestamp_utc",
            [dt.datetime(1970, 1, 1, tzinfo=dt.UTC), None],
        ),
        (pa.array([1, None], pa.timestamp("ns")), "string", ["1970-01-01 00:00:00.000000001", None]),
        (pa.array([decimal.Decimal("1.50"), None]), "decimal(3,2)", [decimal.Decimal("1.50"), None]),
        (
            pa.array([decimal.Decimal("1.50"), None], pa.decimal256(60, 2)),
            "decimal(38,2)",
            [decimal.Decimal("1.50"), None],
        ),
        (pa.array([decimal.Decimal("1" * 60), None]), "string", ["1" * 60, None]),
        (pa.array([dt.time(1, 2, 3), None]), "string", ["01:02:03.000000", None]),
        (pa.array([dt.timedelta(hours=30), None]), "string", ["P1DT6H0M0S", None]),
        (pa.array([b"\xc3\xa9", None]), "string", ["é", None]),
        (pa.array([b"\xff\0", b"x"]), "string", ["\\xff00", "x"]),
        (pa.array([NAME.bytes, None], pa.uuid()), "string", [str(NAME), None]),
        (pa.array(['{"k": 1}', None], pa.json_()), "string", ['{"k": 1}', None]),
        (pa.array([1, None], pa.bool8()), "int", [1, None]),
        (pa.array([[1, None], None]), "string", ["[1, null]", None]),
        (pa.array([[dt.date(2013, 1, 31)], []]), "string", ['["2013-01-31"]', "[]"]),
        (pa.array([[b"\xff"], None]), "string", ['["\\\\xff"]', None]),
        (pa.array([[("k", 1)], None], pa.map_(pa.string(), pa.int64())), "string", ['[["k", 1]]', None]),
        (pa.nulls(2), "null", [None, None]),
    ],
    ids=lambda value: str(value.type) if isinstance(value, pa.Array) else "",
)
def test_each_type_has_its_place(column: pa.Array, kind: str, expected: list[Any]) -> None:
    """Types that tables have are kept, wider where they must be; the others are texts that tell them."""
    (block,) = read_parquet(write({"c": column}))

    assert block.types == {"c": kind}
    assert block.table.to_pydict() == {"c": expected}
    assert block.received == 2


def test_structs_become_columns() -> None:
    """Each of a struct's fields is a column, null where the struct is; names that collide are told apart."""
    structs = pa.array([{"b": {"c": 1}, "d": "x"}, None])

    (block,) = read_parquet(write({"a": structs, "a.d": pa.array([1, 2])}))

    assert block.table.to_pydict() == {"a.b.c": [1, None], "a.d": ["x", None], "a.d_3": [1, 2]}


@pytest.mark.parametrize(
    ("value", "name", "text"),
    [
        ("INTERVAL '1 month 2 days 3.5 seconds'", "v", "P1M2DT3.5S"),
        ("INTERVAL '14 months'", "v", "P14M"),
        ("INTERVAL '0 days'", "v", "PT0S"),
        ("{'a': INTERVAL '1 day'}", "v.a", "P1D"),
        ("CAST(NULL AS INTERVAL)", "v", None),
    ],
)
def test_an_interval_is_its_text(tmp_path: Path, value: str, name: str, text: str | None) -> None:
    """Months, days and seconds are told as ISO 8601 has them, and not as bytes."""
    path = tmp_path / "a.parquet"
    duckdb.execute(f"COPY (SELECT {value} AS v) TO '{path}' (FORMAT parquet)")

    (block,) = read_parquet(path)

    assert (block.types, block.table.to_pylist()) == ({name: "string"}, [{name: text}])


@pytest.mark.parametrize(
    ("value", "told"), [("5::VARIANT", "a VARIANT"), ("[INTERVAL '1 day']", "intervals within lists")]
)
def test_what_has_no_place_in_a_table_is_refused(tmp_path: Path, value: str, told: str) -> None:
    """A type whose bytes alone could be read is named, with its column."""
    path = tmp_path / "a.parquet"
    duckdb.execute(f"COPY (SELECT 1 AS n, {value} AS v) TO '{path}' (FORMAT parquet)")

    with pytest.raises(TableError, match=rf"^its column 'v' is of {told}, which a table has not; write it as text$"):
        list(read_parquet(path))


def test_rows_come_in_batches_and_know_their_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file is read so many rows at a time, over the borders of its row groups."""
    monkeypatch.setattr(parquet, "_BATCH_ROWS", 4)
    path = tmp_path / "a.parquet"
    path.write_bytes(write({"n": pa.array(range(10)), "d": pa.array([dt.date(2013, 1, 31)] * 10)}, row_group_size=3))

    blocks = list(read_parquet(path))

    assert [value for block in blocks for value in block.table["n"].to_pylist()] == list(range(10))
    assert max(block.table.num_rows for block in blocks) <= 4
    (last,) = blocks[-1].locate(np.array([0])).to_pylist()
    assert (last["line"], json.loads(last["raw"])) == (
        blocks[-1].table["n"][0].as_py() + 1,
        {
            "n": blocks[-1].table["n"][0].as_py(),
            "d": "2013-01-31",
        },
    )


def test_a_file_without_rows_has_columns() -> None:
    """A file of no rows is a block of no rows, so that its columns are known."""
    (block,) = read_parquet(write({"n": pa.array([], pa.int32()), "s": pa.array([], pa.struct([("t", pa.string())]))}))

    assert (block.received, block.types) == (0, {"n": "int", "s.t": "string"})


def test_what_is_no_parquet_is_one_sentence(tmp_path: Path) -> None:
    """A file that is gone, is a folder, or is another format, says what to do."""
    with pytest.raises(TableError, match=r"^is gone since it was listed; run again$"):
        list(read_parquet(tmp_path / "nowhere.parquet"))
    for data in (b"", b"PAR1", b"a,b\n1,2\n"):
        with pytest.raises(TableError, match=r"^is not a Parquet file that can be read \(.*\); write it anew$"):
            list(read_parquet(data))
    with pytest.raises(TableError, match=r"^is not a Parquet file that can be read \(.*\); write it anew$"):
        list(read_parquet(tmp_path))


def test_any_cut_or_damage_is_one_sentence() -> None:
    """Wherever a file is damaged it is read or it is refused: nothing else is raised."""
    data = write(
        {"n": pa.array(range(100)), "t": pa.array([f"text {n}" for n in range(100)]), "l": pa.array([[1]] * 100)}
    )
    for place in range(0, len(data), len(data) // 60):
        damaged = data[:place] + b"\xff\0\xff" + data[place + 3 :]
        for content in (data[:place], damaged):
            with contextlib.suppress(TableError):
                assert sum(block.received for block in read_parquet(content)) == 100
