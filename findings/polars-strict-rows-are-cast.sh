#!/usr/bin/env bash
# Polars 2.1: a frame of rows is strict by default, and cuts or turns what does not fit a column nevertheless.
# Expected: an error, as strict=True is told to give for "any value that does not exactly match", and as it gives for the same values
# handed over as columns.
# Seen: from the 101st row on, of which types are no longer guessed, and under a declared schema from the first: 2.7 is the whole
# number 2, "7" is 7, and of a column of truths 3 is false. A date in a column of numbers is its number of days.
# read_database is made of rows too: a NUMERIC column of SQLite keeps whole prices as whole numbers, and after 100 of them 2.7 is 2.
# It meets whoever makes frames of an API's records, or reads SQLite: sums are too small, and flags are turned off.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" -q --disable-pip-version-check install polars==2.1.0
"$work/venv/bin/python" - <<'PY'
import sqlite3
from datetime import date

import polars as pl

LATER = {"price": 2.7, "count": "7", "day": date(2026, 1, 2), "paid": 3}
RECORDS = [{"price": 1, "count": 1, "day": 1, "paid": True}] * 100 + [LATER]
SCHEMA = {"price": pl.Int64, "count": pl.Int64, "day": pl.Int64, "paid": pl.Boolean}
seen = {
    "guessed": pl.DataFrame(RECORDS, strict=True).row(-1, named=True),
    "from_dicts": pl.from_dicts(RECORDS, strict=True).row(-1, named=True),
    "declared": pl.DataFrame([LATER], schema=SCHEMA, strict=True).row(0, named=True),
}
columns = {}
for name, value in LATER.items():
    try:
        columns[name] = pl.Series([value], dtype=SCHEMA[name], strict=True).to_list()
    except TypeError:
        columns[name] = "TypeError"
with sqlite3.connect(":memory:") as database:
    database.execute("CREATE TABLE orders (price NUMERIC)")
    database.executemany("INSERT INTO orders VALUES (?)", [(1,)] * 100 + [(2.7,)])
    by_sqlite = database.execute("SELECT sum(price) FROM orders").fetchone()[0]
    by_polars = pl.read_database("SELECT price FROM orders", database)["price"].sum()
print(f"Polars {pl.__version__}: the row {LATER} is {seen}; as columns {columns}")
print(f"sum of a column in SQLite: {by_sqlite}, in the frame read from it: {by_polars}")
assert list(seen.values()) == [{"price": 2, "count": 7, "day": 20_455, "paid": False}] * 3, "no longer so"
assert set(columns.values()) == {"TypeError"}, "no longer so"
assert (round(by_sqlite, 6), by_polars) == (102.7, 102), "no longer so"
PY
