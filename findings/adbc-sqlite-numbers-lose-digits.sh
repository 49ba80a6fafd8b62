#!/usr/bin/env bash
# adbc-driver-sqlite 1.13: where a column of numbers holds one text, all of its numbers with decimals keep seven digits.
# Expected: the numbers as SQLite itself tells them as text (1234567.891, as CAST(x AS TEXT) has it), or an error.
# Seen: the column is one of texts, as its manual says, but 1234567.891 is '1.234568e+06' in it and 0.1 is '1.000000e-01'. So is a
# whole number above a price: the key 123456789012345678 comes as '1.234568e+17'; below the text it keeps its digits.
# It meets whoever reads by it, as Polars does with engine="adbc", what was imported into SQLite with an "n/a" among the numbers:
# numbers made of the texts again are wrong, and different keys become one.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" -q --disable-pip-version-check install \
    adbc-driver-sqlite==1.13.0 adbc-driver-manager==1.13.0 pyarrow==26.0.1
"$work/venv/bin/python" - "$work/rows.db" <<'PY'
import sqlite3
import sys
from importlib.metadata import version

import adbc_driver_sqlite.dbapi

COLUMNS = {
    "decimals": [1234567.891, 0.1, "n/a"],
    "keys": [123456789012345678, 123456789012345679, 0.5, "n/a"],
    "whole": [123456789012345678, 123456789012345679, "n/a"],
}
database = sqlite3.connect(sys.argv[1])
for name, values in COLUMNS.items():
    database.execute(f"CREATE TABLE {name} (x NUMERIC)")
    database.executemany(f"INSERT INTO {name} VALUES (?)", [(value,) for value in values])
database.commit()
by_sqlite, by_adbc = {}, {}
with adbc_driver_sqlite.dbapi.connect(sys.argv[1]) as connection, connection.cursor() as cursor:
    for name in COLUMNS:
        by_sqlite[name] = [text for (text,) in database.execute(f"SELECT CAST(x AS TEXT) FROM {name} ORDER BY rowid")]
        cursor.execute(f"SELECT x FROM {name} ORDER BY rowid")
        by_adbc[name] = cursor.fetch_arrow_table()["x"].to_pylist()
database.close()
print(f"adbc-driver-sqlite {version('adbc-driver-sqlite')}: {by_adbc}; SQLite's own texts: {by_sqlite}")
assert by_sqlite == {name: [str(value) for value in values] for name, values in COLUMNS.items()}, "no longer so"
assert by_adbc["decimals"] == ["1.234568e+06", "1.000000e-01", "n/a"], "no longer so"
assert by_adbc["keys"] == ["1.234568e+17", "1.234568e+17", "5.000000e-01", "n/a"], "no longer so"
assert by_adbc["whole"] == by_sqlite["whole"], "no longer so"
PY
