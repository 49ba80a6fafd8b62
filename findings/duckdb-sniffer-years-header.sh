#!/usr/bin/env bash
# DuckDB 2.0: a pivot table's header of an empty cell and years, above numbers, is taken for a row of data.
# Expected: a header: its first cell is empty, the years ascend, and every row below begins with a text.
# Seen: sniff_csv says HasHeader false, and the years are values of the first of four rows.
# It meets what pandas writes of a pivot table, and most tables of statistical offices.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" -q --disable-pip-version-check install duckdb==2.0.0
cd "$work"
printf ',2019,2020,2021\nDE,831,832,832\nFR,672,674,677\nIT,597,596,592\n' > pivot.csv
"$work/venv/bin/python" - <<'PY'
import duckdb

connection = duckdb.connect()
(header,) = connection.execute("SELECT HasHeader FROM sniff_csv('pivot.csv')").fetchone()
rows = connection.execute("SELECT * FROM 'pivot.csv'").fetchall()
print(f"duckdb {duckdb.__version__}: HasHeader {header}, {len(rows)} rows, the first is {rows[0]}")
assert not header and len(rows) == 4, "no longer so"
PY
