#!/usr/bin/env bash
# deltalake 1.6.6: filters leave out rows, where a column of floats holds an infinity, or one of decimals a number of 17 digits and more.
# Expected: to_pyarrow_table(filters=…) gives what the same filter gives of the table read whole. What is known of a file's least and
# greatest values is there to skip files that cannot hold a row, and is to be left out where it cannot be told.
# Seen: an infinity has no number in JSON, so it is stored as null and compared as one: of 1.0, 2.0 and infinity, v < 5 finds nothing.
# A decimal is stored as a float: with two places, 12345678901234567.89 has become more than its type can hold, is null too, and hides
# the 1.50 of its file as well; 123456789012345678.91 of a wider type is not found by = and >=, since its file is said to end below it.
# It meets to_pandas and to_pyarrow_dataset too, and what reads by the latter, as DuckDB does: amounts in the smallest unit of a
# currency, keys of 20 digits, ratios with a zero below them. QueryBuilder finds the rows.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" -q --disable-pip-version-check install deltalake==1.6.6 pyarrow==26.0.1 duckdb==2.0.1
"$work/venv/bin/python" - "$work" <<'PY'
import sys
from decimal import Decimal
from pathlib import Path

import deltalake
import duckdb
import pyarrow as pa
import pyarrow.compute as pc

GREAT, GREATER = Decimal("12345678901234567.89"), Decimal("123456789012345678.91")
ASKED = [
    (pa.array([1.0, 2.0, 3.0]), "<", 5.0),
    (pa.array([1.0, 2.0, float("inf")]), "<", 5.0),
    (pa.array([Decimal("1.50"), Decimal("2.50")], pa.decimal128(19, 2)), "<", Decimal(5)),
    (pa.array([Decimal("1.50"), GREAT], pa.decimal128(19, 2)), "<", Decimal(5)),
    (pa.array([Decimal("1.50"), GREATER], pa.decimal128(38, 2)), "=", GREATER),
    (pa.array([Decimal("1.50"), GREATER], pa.decimal128(38, 2)), ">=", GREATER),
]
COMPARED = {"<": pc.less, "=": pc.equal, ">=": pc.greater_equal}
seen = []
for number, (values, sign, bound) in enumerate(ASKED):
    folder = Path(sys.argv[1]) / str(number)
    deltalake.write_deltalake(folder, pa.table({"v": values}))
    table = deltalake.DeltaTable(folder)
    whole = table.to_pyarrow_table()
    right = whole.filter(COMPARED[sign](whole["v"], pa.scalar(bound, values.type))).num_rows
    found = table.to_pyarrow_table(filters=[("v", sign, bound)]).num_rows
    dataset = table.to_pyarrow_dataset()
    query = f"SELECT count(*) AS number FROM dataset WHERE v {sign} CAST('{bound}' AS {'DOUBLE' if number < 2 else 'DECIMAL(38, 2)'})"
    by_duckdb = duckdb.sql(query).fetchall()[0][0]
    by_builder = pa.table(deltalake.QueryBuilder().register("dataset", table).execute(query))["number"][0].as_py()
    print(f"deltalake {deltalake.__version__}: v {sign} {bound} of {values.tolist()}: {right} rows, {found} found, by DuckDB {by_duckdb}")
    assert by_builder == right and by_duckdb == found, "no longer so"
    seen.append((right, found))
assert seen[0] == (3, 3) and seen[2] == (2, 2)
assert seen[1] == (2, 0), "no longer so"
assert seen[3] == (1, 0), "no longer so"
assert seen[4] == (1, 0) and seen[5] == (1, 0), "no longer so"
PY
