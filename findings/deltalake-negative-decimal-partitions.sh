#!/usr/bin/env bash
# deltalake 1.6.6: a table partitioned by a decimal that is negative and has places is written, and cannot be read again.
# Expected: the partition -1.50, as of -2.00, which works, or a refusal before anything is committed.
# Seen: the commit is in the log with the value "-1.-50" (and "0.-50" for -0.50); write_deltalake raises after it, "Failed to parse
# value", and so does whoever opens the table from then on: the rows that were in it before cannot be read either.
# It meets tables of balances, corrections or coordinates split by such a column: they work until the first negative one comes.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" -q --disable-pip-version-check install deltalake==1.6.6 pyarrow==26.0.1
cd "$work"
"$work/venv/bin/python" - <<'PY'
import json
from decimal import Decimal
from importlib.metadata import version
from pathlib import Path

import pyarrow as pa
from deltalake import DeltaTable, write_deltalake
from deltalake.exceptions import DeltaError

LOG = Path("table", "_delta_log")


def write(*values):
    rate = pa.array([Decimal(value) for value in values], pa.decimal128(10, 2))
    write_deltalake("table", pa.table({"rate": rate, "n": range(len(values))}), mode="append", partition_by=["rate"])


def logged(commit):
    actions = [json.loads(line) for line in (LOG / f"{commit:020}.json").read_text().splitlines()]
    return sorted(action["add"]["partitionValues"]["rate"] for action in actions if "add" in action)


def outcome(step):
    try:
        return step()
    except DeltaError as error:
        return str(error).splitlines()[0]


write("1.50", "-2.00")
before = DeltaTable("table").to_pyarrow_table().num_rows
written = outcome(lambda: write("-1.50", "-0.50"))
after = outcome(lambda: DeltaTable("table").to_pyarrow_table().num_rows)
print(f"deltalake {version('deltalake')}: values in the log {logged(0)}, then {logged(1)}; rows read {before}, then: {after}")
assert logged(0) == ["-2.00", "1.50"] and before == 2, "no longer so"
assert logged(1) == ["-1.-50", "0.-50"], "no longer so"
assert all(str(said).startswith("Kernel error: Failed to parse value") for said in (written, after)), "no longer so"
PY
