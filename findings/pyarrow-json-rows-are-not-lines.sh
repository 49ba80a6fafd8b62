#!/usr/bin/env bash
# pyarrow 26.0.1: the rows of read_json are not the lines of a JSON lines file.
# Expected: as DuckDB does with newline_delimited, an error where a line holds two objects, or half of one.
# Seen: two objects on one line are two rows, one object over two lines is one: the number of a row is not that of its line,
# although newlines_in_values, by default False, says that values hold no line end.
# It meets whoever counts rows against lines, or finds a bad row in its file by its number.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" -q --disable-pip-version-check install pyarrow==26.0.1 duckdb==2.0.0
"$work/venv/bin/python" - "$work/rows.jsonl" <<'PY'
import sys

import duckdb
import pyarrow as pa
import pyarrow.json


def read(text):
    with open(sys.argv[1], "w") as file:
        file.write(text)
    try:
        other = duckdb.sql(f"SELECT id FROM read_json('{sys.argv[1]}', format = 'newline_delimited')").fetchall()
    except duckdb.Error as error:
        other = type(error).__name__
    return pa.json.read_json(sys.argv[1])["id"].to_pylist(), other


found = [read('{"id": 1}{"id": 2}\n{"id": 3}\n'), read('{"id":\n1}\n{"id": 2}\n')]
print(f"pyarrow {pa.__version__}, DuckDB {duckdb.__version__}: {found}")
refused = "InvalidInputException"
assert found == [([1, 2, 3], refused), ([1, 2], refused)], "no longer so"
PY
