#!/usr/bin/env bash
# dlt 1.31: of two keys of a record that are one name of a column, one value is loaded and the other is gone.
# Expected: two columns, or an error: names are made plain (`Item ID` becomes item_id), and collisions are to be foreseen.
# Seen: {"Item ID": 1, "item_id": 2} is one column with 2, {"size": {"wide": 1}, "size__wide": 2} one with 1; no warning.
# It meets whoever loads exports whose keys differ by case, blanks or punctuation, such as `Price` beside `price`.
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

records = {"blanks": {"Item ID": 1, "item_id": 2}, "case": {"price": 1, "Price": 2}, "nested": {"size": {"wide": 1}, "size__wide": 2}}
seen = {}
for name, record in records.items():
    pipeline = dlt.pipeline(name, pipelines_dir=".", destination=dlt.destinations.duckdb(f"{name}.duckdb"), dataset_name="d")
    pipeline.run([record], table_name="rows")
    found = duckdb.connect(f"{name}.duckdb").execute("SELECT * EXCLUDE (_dlt_load_id, _dlt_id) FROM d.rows")
    names = [column[0] for column in found.description]
    seen[name] = dict(zip(names, found.fetchall()[0], strict=True))
    print(f"dlt {dlt.__version__}: {record} is loaded as {seen[name]}")
assert seen == {"blanks": {"item_id": 2}, "case": {"price": 2}, "nested": {"size__wide": 1}}, "no longer so"
PY
