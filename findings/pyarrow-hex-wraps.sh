#!/usr/bin/env bash
# pyarrow 26.0: a hexadecimal text that is larger than its integer type becomes a negative number, in a CSV without any declaration.
# Expected: 0xffffffffffffffff does not fit an int64 and is an error or a text, as the same number in decimal is, and as 0xfff is for an int8.
# Seen: -1, from read_csv as from a safe cast; every text with as many digits as the type has half-bytes wraps.
# Ids of 64 bits, as of traces and hashes, change so; Polars and pandas leave them texts, DuckDB gives the number that is written.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" -q --disable-pip-version-check install pyarrow==26.0.1
"$work/venv/bin/python" - <<'PY'
import io

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv


def cast(text, to):
    try:
        return pc.cast(pa.array([text]), to)[0].as_py()
    except pa.ArrowInvalid:
        return "error"


read = csv.read_csv(io.BytesIO(b"trace\n0xffffffffffffffff\n0x00000000000000ff\n"))["trace"]
found = [cast("0xffffffffffffffff", pa.int64()), cast("0xff", pa.int8()), cast("18446744073709551615", pa.int64()), cast("0xfff", pa.int8())]
print(f"pyarrow {pa.__version__}: read_csv {read.type} {read.to_pylist()}; cast {found}")
assert (str(read.type), read.to_pylist(), found) == ("int64", [-1, 255], [-1, -1, "error", "error"]), "no longer so"
PY
