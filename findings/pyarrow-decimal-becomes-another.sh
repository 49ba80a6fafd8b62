#!/usr/bin/env bash
# pyarrow 26: a number with more digits than a declared decimal has room for may be read as another number.
# Expected: an error, as for most such numbers ("Decimal value does not fit in precision 38").
# Seen: 9999999999.5 in a CSV column of decimal128(38, 30) is 131811358.79…, and a text of 30 digits cast to
# decimal128(38, 31) is 882423.19…; both without an error, others of the same length are refused.
# It meets whoever declares many places behind the point: eight digits before it are left, and an amount of ten is wrong.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" -q --disable-pip-version-check install pyarrow==26.0.1
"$work/venv/bin/python" - <<'PY'
import io
from decimal import Decimal

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

options = pyarrow.csv.ConvertOptions(column_types={"amount": pa.decimal128(38, 30)})
read = pyarrow.csv.read_csv(io.BytesIO(b"amount\n9999999999.5\n"), convert_options=options)["amount"][0].as_py()
cast = pc.cast(pa.array(["60144145751705965577088708561.1"]), pa.decimal128(38, 31))[0].as_py()
try:
    refused = pc.cast(pa.array(["99999999.5"]), pa.decimal128(38, 31))[0].as_py()
except pa.ArrowInvalid as error:
    refused = str(error)
print(f"pyarrow {pa.__version__}: 9999999999.5 is read as {read:.2f}, 60144145751705965577088708561.1 cast to {cast:.2f}")
print(f"and 99999999.5 with 31 places: {refused}")
assert round(read, 2) == Decimal("131811358.79"), "no longer so"
assert round(cast, 2) == Decimal("882423.19"), "no longer so"
assert isinstance(refused, str), "no longer so"
PY
