#!/usr/bin/env bash
# connectorx 0.4: read by ranges of a column (`partition_on`), rows with a null there become rows of zeros.
# Expected: the rows that the query has, or an error.
# Seen: a row whose column is null is in no range, and is lost; the frame has as many rows as the query counts, though,
# and what was lost is a row of 0 in every column of numbers, which the database never had.
# It meets whoever reads a table in parallel by a column that may be null: the count is right, and sums and means are not.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" -q --disable-pip-version-check install connectorx==0.4.6 pandas==3.1.1
cd "$work"
"$work/venv/bin/python" - <<'PY'
import sqlite3

import connectorx

with sqlite3.connect("shop.db") as shop:
    shop.execute("CREATE TABLE orders (id INTEGER, region INTEGER)")
    shop.executemany("INSERT INTO orders VALUES (?, ?)", [(11, 1), (12, None), (13, 9), (14, 5)])


def read(**keys):
    frame = connectorx.read_sql("sqlite://shop.db", "SELECT id, region FROM orders", **keys)
    return sorted(frame["id"].tolist())


plain, ranged = read(), read(partition_on="region", partition_num=2)
print(f"connectorx {connectorx.__version__}: at once {plain}, in two ranges {ranged}")
assert plain == [11, 12, 13, 14], "no longer so"
assert ranged == [0, 11, 13, 14], "no longer so"
PY
