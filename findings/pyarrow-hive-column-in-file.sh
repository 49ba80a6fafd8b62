#!/usr/bin/env bash
# pyarrow 26 and pandas 3.1: a hive folder whose column is in its files as well cannot be read.
# Expected: one of the two is taken, or the error says that the column stands in both places.
# Seen: ArrowTypeError "Unable to merge" where the types differ by width or by dictionary alone (country=DE, text in the file).
# It meets whoever keeps a column in its files so that its type survives, and reads the folder by pandas.read_parquet.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" -q --disable-pip-version-check install pandas==3.1.1 pyarrow==26.0.1
cd "$work"
"$work/venv/bin/python" - <<'PY'
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

Path("table/country=DE").mkdir(parents=True)
pq.write_table(pa.table({"country": ["DE"], "v": [1]}), "table/country=DE/a.parquet")
try:
    seen = f"read: {pd.read_parquet('table').to_dict('records')}"
except pa.ArrowTypeError as error:
    seen = str(error)
print(f"pandas {pd.__version__}, pyarrow {pa.__version__}: {seen[:160]}")
assert seen.startswith("Unable to merge"), "no longer so"
PY
