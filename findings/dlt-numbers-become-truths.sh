#!/usr/bin/env bash
# dlt 1.31: a column that begins with true takes every later number for true.
# Expected: a column beside it for the numbers, as dlt makes one for 1 and then "x", or an error.
# Seen: of true, 3 and 0 the table has true, true and false; the 3 is nowhere, and nothing is said.
# It meets whoever reads an API in which a key is `false` where there is nothing, and else a number.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" -q --disable-pip-version-check install "dlt[duckdb]==1.31.0" duckdb==2.0.0
cd "$work"
export HOME="$work" DO_NOT_TRACK=1 RUNTIME__DLTHUB_TELEMETRY=false
"$work/venv/bin/python" - <<'PY'
import dlt
import duckdb

records = [{"id": 1, "discount": False}, {"id": 2, "discount": 3}, {"id": 3, "discount": 15}]
pipeline = dlt.pipeline("shop", pipelines_dir=".", destination=dlt.destinations.duckdb("shop.duckdb"), dataset_name="d")
pipeline.run(records, table_name="orders")
found = duckdb.connect("shop.duckdb").execute("SELECT * EXCLUDE (_dlt_load_id, _dlt_id) FROM d.orders ORDER BY id")
names, rows = [column[0] for column in found.description], found.fetchall()
print(f"dlt {dlt.__version__}: {names} {rows}")
assert names == ["id", "discount"], "no longer so"
assert rows == [(1, False), (2, True), (3, True)], "no longer so"
PY
