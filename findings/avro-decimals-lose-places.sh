#!/usr/bin/env bash
# avro 1.12.2, Apache's own library: a decimal written with fewer places than its type has is stored as another number.
# Expected: with scale 2, 5 is 5.00, as fastavro writes it: the format stores the unscaled number, so it has to be brought to the
# scale first. A decimal of three places is refused in so many words ("too large for the schema scale").
# Seen: the digits are stored as they stand: 5 becomes 0.05, 1.5 becomes 0.15, -7 becomes -0.07, 1E+3 becomes 0.01, in bytes as in
# fixed. 1.50 alone is right, so a test with prices finds nothing.
# It meets whoever writes computed or parsed decimals, which have as many places as they need.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" -q --disable-pip-version-check install avro==1.12.2 fastavro==1.13.1
"$work/venv/bin/python" - <<'PY'
import io
import json
from decimal import Decimal
from importlib.metadata import version

import avro.schema
import fastavro
from avro.datafile import DataFileWriter
from avro.io import DatumWriter

DECIMAL = {"logicalType": "decimal", "precision": 9, "scale": 2}
SCHEMA = {
    "type": "record",
    "name": "payment",
    "fields": [
        {"name": "bytes", "type": {"type": "bytes", **DECIMAL}},
        {"name": "fixed", "type": {"type": "fixed", "name": "eight", "size": 8, **DECIMAL}},
    ],
}
GIVEN = [Decimal(text) for text in ("1.50", "5", "1.5", "-7", "1E+3")]


def by_avro(file, records):
    writer = DataFileWriter(file, DatumWriter(), avro.schema.parse(json.dumps(SCHEMA)))
    for record in records:
        writer.append(record)
    writer.flush()


def by_fastavro(file, records):
    fastavro.writer(file, fastavro.parse_schema(SCHEMA), records)


read = {}
for write in (by_avro, by_fastavro):
    file = io.BytesIO()
    write(file, [{"bytes": value, "fixed": value} for value in GIVEN])
    found = list(fastavro.reader(io.BytesIO(file.getvalue())))
    read[write.__name__] = [[str(record[kind]) for record in found] for kind in ("bytes", "fixed")]
given = [str(value) for value in GIVEN]
print(f"avro {version('avro')}, fastavro {version('fastavro')}: of {given}, as bytes and as fixed: {read}")
assert read["by_fastavro"] == [["1.50", "5.00", "1.50", "-7.00", "1000.00"]] * 2, "no longer so"
assert read["by_avro"] == [["1.50", "0.05", "0.15", "-0.07", "0.01"]] * 2, "no longer so"
PY
