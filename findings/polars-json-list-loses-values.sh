#!/usr/bin/env bash
# Polars 2.1: read_json, with a schema, takes without a word what read_ndjson refuses of the same records with the same schema.
# Expected: one answer from both, and an error for a value that its declared type cannot hold. read_json has no option to ignore errors.
# Seen: of a list of records, 1.5 in a column of whole numbers is 1, true is 1, a number beyond 64 bits is null. A day in a column of
# times is null, where read_ndjson reads it as its midnight; a time in a column of days is null. A decimal goes by a float: from 16
# digits on it has other cents.
# It meets whoever declares types to be safe: an API's answer of one list loses what the same records, a line each, would tell of.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" -q --disable-pip-version-check install polars==2.1.0
"$work/venv/bin/python" - <<'PY'
import io

import polars as pl
from polars.exceptions import PolarsError

COUNT, DAY, TIME, AMOUNT = pl.Int64, pl.Date, pl.Datetime("us"), pl.Decimal(18, 2)
GIVEN = [
    (COUNT, "1.5"),
    (COUNT, "true"),
    (COUNT, "9223372036854775808"),
    (TIME, '"2026-01-02"'),
    (DAY, '"2026-01-02T08:00:00Z"'),
    (AMOUNT, "1234567890123456.78"),
]
READ = ["1", "1", "None", "None", "None", "1234567890123456.80"]


def read(function, text, kind):
    try:
        return str(function(io.BytesIO(text.encode()), schema={"v": kind})["v"][0])
    except PolarsError:
        return "an error"


lists = [read(pl.read_json, f'[{{"v": {value}}}]', kind) for kind, value in GIVEN]
lines = [read(pl.read_ndjson, f'{{"v": {value}}}\n', kind) for kind, value in GIVEN]
for (kind, value), by_list, by_line in zip(GIVEN, lists, lines, strict=True):
    print(f"Polars {pl.__version__}: {value} as {kind}: in a list {by_list}, in a line {by_line}")
assert lists == READ, "no longer so"
assert lines == ["an error"] * 3 + ["2026-01-02 00:00:00"] + ["an error"] * 2, "no longer so"
PY
