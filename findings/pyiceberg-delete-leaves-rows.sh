#!/usr/bin/env bash
# pyiceberg 0.12: delete leaves rows that a scan with the same filter had found.
# Expected: nothing is left that the filter finds, as of DELETE and SELECT with one WHERE; the guide has one row filter for both.
# Seen: "v is not null" finds NaN, and delete leaves it; so does "v != 1". "v not in (1, 2)" finds nulls, and delete leaves them; of
# one value, "v not in (1)", it finds none. The scan is the filter by Arrow; the delete keeps what the filter does not find, and every
# null and NaN of a column unless a part of the filter is about them, which they are then kept or deleted by.
# It meets overwrite with overwrite_filter too: of a table that is loaded anew by such a filter the old NaN rows stay beside the new
# ones, and a removal of rows that is to be proven by a scan of what was found leaves some.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" -q --disable-pip-version-check install "pyiceberg[sql-sqlite]==0.12.0" pyarrow==26.0.1
"$work/venv/bin/python" -W ignore - "$work" <<'PY'
import sys

import pyarrow as pa
import pyiceberg
from pyiceberg.catalog.memory import InMemoryCatalog

catalog = InMemoryCatalog("catalog", warehouse=f"file://{sys.argv[1]}")
catalog.create_namespace("shop")
ROWS = pa.table({"k": ["one", "nan", "null", "two"], "v": pa.array([1.0, float("nan"), None, 2.0])})
FILTERS = ["v = 1", "v is nan", "v is not null", "v != 1", "v not in (1.0)", "v not in (1.0, 2.0)"]
seen = {}
for number, each in enumerate(FILTERS):
    table = catalog.create_table(f"shop.prices_{number}", schema=ROWS.schema)
    table.append(ROWS)
    found = table.scan(row_filter=each).to_arrow()["k"].to_pylist()
    table.delete(each)
    left = table.scan().to_arrow()["k"].to_pylist()
    seen[each] = found, [k for k in found if k in left]
    print(f"pyiceberg {pyiceberg.__version__}: {each}: finds {found}, of which delete leaves {seen[each][1]}")
assert seen["v = 1"] == (["one"], []) and seen["v is nan"] == (["nan"], [])
assert seen["v is not null"] == (["one", "nan", "two"], ["nan"]), "no longer so"
assert seen["v != 1"] == (["nan", "two"], ["nan"]), "no longer so"
assert seen["v not in (1.0)"] == (["nan", "two"], ["nan"]), "no longer so"
assert seen["v not in (1.0, 2.0)"] == (["nan", "null"], ["nan", "null"]), "no longer so"
PY
