#!/usr/bin/env bash
# pyarrow 26.0.1: of a slice of a table, the ORC writer takes the records of a nested column from the wrong rows.
# Expected: the rows of the slice, as pyarrow's Parquet and Arrow writers write them, and as the ORC writer does of every other column.
# Seen: a slice in which a record is missing (a null among structs) gets those of the table's first rows, one in place of the missing
# one too; the keys beside them are right, and nothing is said. A slice in which none is missing is right.
# It meets whoever writes a table in pieces, by to_batches or slice, of an API's records some of which have no address: one customer
# gets another's. What take and filter give is no slice, and is written as it is.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" -q --disable-pip-version-check install pyarrow==26.0.1
"$work/venv/bin/python" - "$work/customers" <<'PY'
import sys

import pyarrow as pa
import pyarrow.orc as orc
import pyarrow.parquet as pq

TOWNS = ["Bonn", "Graz", "Bern", "Rome", "Oslo", None]
print(f"pyarrow {pa.__version__}")


def written(towns):
    """Return the pairs of key and record that a table has, and those of its ORC and its Parquet file, written three rows at once."""
    records = pa.array([town and {"town": town} for town in towns])
    table = pa.table({"customer": range(len(towns)), "address": records})
    with orc.ORCWriter(sys.argv[1]) as writer:
        for batch in table.to_batches(max_chunksize=3):
            writer.write(pa.Table.from_batches([batch]))
    by_orc = orc.read_table(sys.argv[1])
    with pq.ParquetWriter(sys.argv[1], table.schema) as writer:
        for batch in table.to_batches(max_chunksize=3):
            writer.write_batch(batch)
    by_parquet = pq.read_table(sys.argv[1])
    return [[(row["customer"], row["address"] and row["address"]["town"]) for row in each.to_pylist()] for each in (table, by_orc, by_parquet)]


given, by_orc, by_parquet = written(TOWNS)
print(f"given {given}\nORC {by_orc}\nParquet {by_parquet}")
assert by_parquet == given
assert by_orc == list(enumerate(["Bonn", "Graz", "Bern"] * 2)), "no longer so"
whole, by_orc, _ = written(TOWNS[:5])
assert by_orc == whole
PY
