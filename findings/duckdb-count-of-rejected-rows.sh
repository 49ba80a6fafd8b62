#!/usr/bin/env bash
# DuckDB 2.0: read_csv with declared types counts rows that it does not return.
# Expected: count(*) of a file is the number of rows that SELECT * of the same file gives, with the same options.
# Seen: with store_rejects (or ignore_errors) count(*) is 3, SELECT * gives 2 rows: no column is asked for, so no value
# is cast, and no line is rejected; which lines are, depends on the columns of the query.
# It meets whoever checks that rows received = rows kept + rejects by a count beside the copy.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" -q --disable-pip-version-check install duckdb==2.0.0
"$work/venv/bin/python" - "$work/rows.csv" <<'PY'
import sys

import duckdb

path = sys.argv[1]
with open(path, "w") as file:
    file.write("id,n\n1,1\n2,two\n3,3\n")
read = "read_csv(?, header = true, delim = ',', columns = {'id': 'BIGINT', 'n': 'BIGINT'}, ignore_errors = true)"
connection = duckdb.connect()
counted = connection.execute(f"SELECT count(*) FROM {read}", [path]).fetchone()[0]
rows = [len(connection.execute(f"SELECT {what} FROM {read}", [path]).fetchall()) for what in ("*", "id", "n")]
print(f"duckdb {duckdb.__version__}: count(*) {counted}, rows of *, id and n: {rows}")
assert (counted, rows) == (3, [2, 3, 2]), "no longer so"
PY
