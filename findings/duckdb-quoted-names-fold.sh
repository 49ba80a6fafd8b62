#!/usr/bin/env bash
# DuckDB 2.0: of a Parquet file with the columns t and T, SELECT "T" gives the values of t.
# Expected: the column T, since the name is quoted and Parquet's names are exact, or an error that it is ambiguous.
# Seen: the first of the two, without a word; the second is called T_1.
# It meets tables that pandas, pyarrow and Polars write and read right, and SQL over them.
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

pq.write_table(pa.table({"t": [1, 2], "T": [10, 20]}), "both.parquet")
seen = duckdb.connect().execute("""SELECT "T" FROM 'both.parquet'""").fetchall()
print(f"duckdb {duckdb.__version__}, pyarrow {pa.__version__}: {seen}; pyarrow has {pq.read_table('both.parquet')['T'].to_pylist()}")
assert seen == [(1,), (2,)], "no longer so"
PY
