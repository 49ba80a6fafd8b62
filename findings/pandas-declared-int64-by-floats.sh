#!/usr/bin/env bash
# pandas 3.1: a column of read_json or read_sql that is declared as Int64 holds other numbers than were given, where one is missing.
# Expected: 9007199254740993 and <NA>: the type is there to hold both, and with it read_csv, read_xml and pyarrow's JSON reader do.
# Seen: 9007199254740992, since the column was one of floats before; with dtype={"id": "Int64"} in both, and in read_json with
# dtype_backend="numpy_nullable" or "pyarrow" as well. The column is int64 afterwards, and nothing tells that it was another.
# It meets whoever declares the type just to keep keys of 17 digits and more beside nulls: joins find nothing, or another row.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" -q --disable-pip-version-check install pandas==3.1.1 pyarrow==26.0.1 lxml==6.1.3
"$work/venv/bin/python" - <<'PY'
import io
import sqlite3

import pandas as pd

KEY = 2**53 + 1
JSON = f'{{"id": {KEY}, "n": 1}}\n{{"id": null, "n": 2}}\n'
CSV = f"id,n\n{KEY},1\n,2\n"
XML = f"<rows><row><id>{KEY}</id><n>1</n></row><row><id></id><n>2</n></row></rows>"
INT64 = {"id": "Int64"}
database = sqlite3.connect(":memory:")
database.execute("CREATE TABLE rows (id INTEGER, n INTEGER)")
database.executemany("INSERT INTO rows VALUES (?, ?)", [(KEY, 1), (None, 2)])
frames = {
    "json": pd.read_json(io.StringIO(JSON), lines=True, dtype=INT64),
    "json, numpy_nullable": pd.read_json(io.StringIO(JSON), lines=True, dtype_backend="numpy_nullable"),
    "json, pyarrow": pd.read_json(io.StringIO(JSON), lines=True, dtype_backend="pyarrow"),
    "sql": pd.read_sql("SELECT * FROM rows", database, dtype=INT64),
    "sql, numpy_nullable": pd.read_sql("SELECT * FROM rows", database, dtype_backend="numpy_nullable"),
    "csv": pd.read_csv(io.StringIO(CSV), dtype=INT64),
    "xml": pd.read_xml(io.StringIO(XML), dtype=INT64),
    "json by pyarrow": pd.read_json(
        io.BytesIO(JSON.encode()), lines=True, engine="pyarrow", dtype_backend="numpy_nullable"
    ),
}
database.close()
off = {how: int(frame["id"].iloc[0]) - KEY for how, frame in frames.items()}
types = {str(frame["id"].dtype) for frame in frames.values()}
print(f"pandas {pd.__version__}: types {sorted(types)}; off by {off}")
assert types == {"Int64", "int64[pyarrow]"}, "no longer so"
assert {how for how, by in off.items() if by} == {"json", "json, numpy_nullable", "json, pyarrow", "sql"}, "no longer so"
PY
