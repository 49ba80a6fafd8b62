#!/usr/bin/env bash
# pyarrow 26.0: a safe cast of timestamps to dates drops the time of day without a word.
# Expected: "would lose data", as the safe cast of 13:00:00.5 to whole seconds says, and that of 2.5 to int64.
# Seen: 2020-01-01 13:00 becomes the date 2020-01-01; two events of a day become one where the date is a key.
# Where the time matters, compare with pc.floor_temporal(column, unit="day") before the cast.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" -q --disable-pip-version-check install pyarrow==26.0.1
"$work/venv/bin/python" - <<'PY'
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

times = pa.array([datetime(2020, 1, 1, 13, 0, 0, 500_000), datetime(2020, 1, 1)], pa.timestamp("us"))


def cast(to):
    try:
        return [str(each) for each in pc.cast(times, to, safe=True).to_pylist()]
    except pa.ArrowInvalid:
        return "would lose data"


found = {str(to): cast(to) for to in (pa.timestamp("s"), pa.date32(), pa.date64())}
print(f"pyarrow {pa.__version__}: {found}")
dates = ["2020-01-01", "2020-01-01"]
assert found == {"timestamp[s]": "would lose data", "date32[day]": dates, "date64[ms]": dates}, "no longer so"
PY
