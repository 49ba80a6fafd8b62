#!/usr/bin/env bash
# DuckDB 2.0: what read_csv keeps of a rejected line (store_rejects, reject_errors.csv_line) is not the line.
# Expected: the line as it stands in the file, as the column's name says, so that rejects can be mended and read again.
# Seen: of a line with one byte of Latin-1 the byte and the delimiter after it are "??", which moves what follows into
# another field; and a line of 120,000 bytes is cut to its first 10,000 without a sign.
# It meets whoever keeps DuckDB's rejects as the record of what did not fit: the file has to be kept as well.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" -q --disable-pip-version-check install duckdb==2.0.0
"$work/venv/bin/python" - "$work/rows.csv" <<'PY'
import sys

import duckdb

path = sys.argv[1]
with open(path, "wb") as file:
    file.write(b"id,name,n\n1,ok,1\n2,caf\xe9,2\n3," + b"long" * 30_000 + b",three\n4,ok,4\n")
connection = duckdb.connect()
connection.execute(
    "SELECT * FROM read_csv(?, header = true, delim = ',', store_rejects = true,"
    " columns = {'id': 'BIGINT', 'name': 'VARCHAR', 'n': 'BIGINT'})",
    [path],
).fetchall()
kept = connection.execute("SELECT csv_line FROM reject_errors ORDER BY line").fetchall()
seen = [(line[:20], len(line)) for (line,) in kept]
print(f"duckdb {duckdb.__version__}: {seen}")
assert seen == [("2,caf??2", 8), ("3,longlonglonglonglo", 10_000)], "no longer so"
PY
