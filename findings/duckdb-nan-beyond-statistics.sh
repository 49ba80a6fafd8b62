#!/usr/bin/env bash
# DuckDB 2.0: of a Parquet file that pyarrow wrote, NaN is not found by isnan(x), by x > 100, or by max(x).
# Expected: the rows that the same query finds in a table of DuckDB, where NaN is greater than any number. The format
# leaves NaN out of a column's least and greatest value, and tells readers that there may be some nevertheless.
# Seen: `WHERE isnan(x)` gives no row, `WHERE NOT isnan(x)` gives all, that of NaN too, and `x < 100` takes it in.
# It meets whoever cleans or counts NaN by SQL over Parquet: the condition that should take it out lets it pass. Without
# least and greatest values of such columns, as DuckDB itself writes them, the answers are right.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" -q --disable-pip-version-check install duckdb==2.0.0 pyarrow==26.0.1
cd "$work"
"$work/venv/bin/python" - <<'PY'
import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

rows = pa.table({"id": [1, 2, 3], "x": [1.0, float("nan"), 3.0]})
pq.write_table(rows, "told.parquet")
pq.write_table(rows, "untold.parquet", write_statistics=["id"])
connection = duckdb.connect()
connection.execute("CREATE TABLE kept AS FROM rows")
seen = {}
for where in ("isnan(x)", "NOT isnan(x)", "x > 100", "x < 100"):
    seen[where] = [
        [row[0] for row in connection.execute(f"SELECT id FROM {table} WHERE {where} ORDER BY id").fetchall()]
        for table in ("kept", "'untold.parquet'", "'told.parquet'")
    ]
    print(f"duckdb {duckdb.__version__}, {where}: a table {seen[where][0]}, without {seen[where][1]}, with {seen[where][2]}")
assert seen == {
    "isnan(x)": [[2], [2], []],
    "NOT isnan(x)": [[1, 3], [1, 3], [1, 2, 3]],
    "x > 100": [[2], [2], []],
    "x < 100": [[1, 3], [1, 3], [1, 2, 3]],
}, "no longer so"
PY
