#!/usr/bin/env bash
# DataFusion 55: a number with decimals after the first 1,000 lines of JSON is cut to a whole one.
# Expected: an error, as for the same values in a CSV ("Error while parsing value '2.5' as type 'Int64'"), or a wider type.
# Seen: the type is guessed of the first 1,000 lines as int64, and 2.7 on a later one is read as 2, "5" as 5.
# It meets whoever queries logs or exports by it whose first prices are round: the sum is too small, without an error.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" -q --disable-pip-version-check install datafusion==55.0.0 pyarrow==26.0.1
cd "$work"
"$work/venv/bin/python" - <<'PY'
from pathlib import Path

import datafusion

Path("rows.json").write_text('{"price": 1}\n' * 1_000 + '{"price": 2.7}\n')
Path("rows.csv").write_text("price\n" + "1\n" * 1_000 + "2.7\n")
context = datafusion.SessionContext()
context.register_json("lines", "rows.json", file_extension=".json")
context.register_csv("values", "rows.csv")
read = context.sql("SELECT sum(price) AS total FROM lines").to_pydict()["total"][0]
try:
    of_csv = context.sql('SELECT sum(price) AS total FROM "values"').to_pydict()["total"][0]
except Exception as error:
    of_csv = type(error).__name__
print(f"datafusion {datafusion.__version__}: 1,000 of 1 and one 2.7 are {read} in JSON; the same as CSV: {of_csv}")
assert read == 1_002, "no longer so"
assert of_csv == "Exception", "no longer so"
PY
