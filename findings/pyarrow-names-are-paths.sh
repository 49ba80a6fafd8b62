#!/usr/bin/env bash
# pyarrow 26: Table.sort_by and group_by take a name that begins with a point for a path, and do not find the column.
# Expected: a name is a name, as it is in select, column and take.
# Seen: ArrowInvalid "No match for FieldRef.Name(x)" for the column ".x".
# It meets tables of JSON keys and of spreadsheets, in which such names come.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" -q --disable-pip-version-check install pyarrow==26.0.1
"$work/venv/bin/python" - <<'PY'
import pyarrow as pa

table = pa.table({".x": [2, 1]})
seen = []
for use in (lambda: table.sort_by(".x"), lambda: table.group_by(".x").aggregate([])):
    try:
        use()
        seen.append("works")
    except (pa.ArrowInvalid, KeyError) as error:
        seen.append(str(error)[:60])
print(f"pyarrow {pa.__version__}: select gives {table.select(['.x']).num_columns} column; sort_by: {seen[0]}; group_by: {seen[1]}")
assert all("FieldRef" in text for text in seen), "no longer so"
PY
