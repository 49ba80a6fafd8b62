#!/usr/bin/env bash
# deltalake 1.6.6: rows appended with other types than the table's are cut to them, without an error.
# Expected: an error, as its guide says ("will raise ValueError if the schema of the data passed to it differs"), and as it gives for
# a decimal with more places; or a wider column with schema_mode="merge".
# Seen: with either, 2.7 goes into a column of whole numbers as 2, 3 into one of truths as true, 1e300 into one of 32 bits as
# infinity, and with "merge" 13:00 of a day into one of dates as that day.
# It meets a table whose first batch had whole prices alone, since pandas and pyarrow take those for integers.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" -q --disable-pip-version-check install deltalake==1.6.6 pyarrow==26.0.1
cd "$work"
"$work/venv/bin/python" - <<'PY'
from datetime import date, datetime
from decimal import Decimal
from importlib.metadata import version

import pyarrow as pa
from deltalake import DeltaTable, write_deltalake

FIRST_AND_LATER = {
    "whole": (pa.array([1]), pa.array([2.7])),
    "truth": (pa.array([False]), pa.array([3])),
    "float32": (pa.array([1.5], pa.float32()), pa.array([1e300])),
    "day": (pa.array([date(2026, 1, 1)]), pa.array([datetime(2026, 1, 2, 13)])),
    "places": (pa.array([Decimal("1.50")]), pa.array([Decimal("2.755")])),
}


def appended(name, mode):
    first, later = FIRST_AND_LATER[name]
    table = f"{name}-{mode}"
    write_deltalake(table, pa.table({"x": first}))
    try:
        write_deltalake(table, pa.table({"x": later}), mode="append", schema_mode=mode)
    except Exception as error:
        return type(error).__name__
    read = DeltaTable(table).to_pyarrow_table()["x"].to_pylist()
    return next(value for value in read if value != first[0].as_py())


seen = {mode: {name: appended(name, mode) for name in FIRST_AND_LATER} for mode in (None, "merge")}
print(f"deltalake {version('deltalake')}: {[str(later[0]) for _, later in FIRST_AND_LATER.values()]} became {seen}")
cut = {"whole": 2, "float32": float("inf"), "places": "SchemaMismatchError"}
assert seen[None] == {**cut, "truth": True, "day": "CommitFailedError"}, "no longer so"
assert seen["merge"] == {**cut, "truth": True, "day": date(2026, 1, 2)}, "no longer so"
PY
