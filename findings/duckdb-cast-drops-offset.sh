#!/usr/bin/env bash
# DuckDB 2.0: TRY_CAST of a text with an offset to TIMESTAMP gives the local time and drops the offset.
# Expected: the instant in UTC (05:30), as Postgres gives for TIMESTAMPTZ, or NULL, as for a text that does not fit.
# Seen: 01:30, so that two texts of one instant become two times, and texts an hour apart become the same one.
# It meets whoever reads a CSV as text and casts: times of several offsets are then wrong without an error.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" -q --disable-pip-version-check install duckdb==2.0.0
"$work/venv/bin/python" - <<'PY'
import duckdb

query = "SELECT TRY_CAST('2013-11-03 01:30:00-04:00' AS TIMESTAMP), TRY_CAST('2013-11-03 01:30:00-05:00' AS TIMESTAMP)"
seen = [str(value) for value in duckdb.connect().execute(query).fetchone()]
print(f"duckdb {duckdb.__version__}: {seen}")
assert seen == ["2013-11-03 01:30:00", "2013-11-03 01:30:00"], "no longer so"
PY
