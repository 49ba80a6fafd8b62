#!/usr/bin/env bash
# dlt 1.31.0 with sqlglot 30.30.0, which its own requirement (sqlglot>=26.32.0) takes: no table can be read back.
# Expected: pipeline.dataset()["orders"].arrow() gives the rows that the pipeline has just loaded, as dlt's guide has it.
# Seen: TypeError, qualify() got an unexpected keyword argument 'infer_schema'; the load itself was told as a success.
# It meets whoever installs both today without pinning sqlglot, which no code of theirs names.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" -q --disable-pip-version-check install "dlt[duckdb]==1.31.0" sqlglot==30.30.0 duckdb==1.5.5 pyarrow==25.0.0
cd "$work"
export HOME="$work" DO_NOT_TRACK=1 RUNTIME__DLTHUB_TELEMETRY=false
"$work/venv/bin/python" - <<'PY'
import dlt
import sqlglot

pipeline = dlt.pipeline("shop", pipelines_dir=".", destination=dlt.destinations.duckdb("shop.duckdb"), dataset_name="d")
pipeline.run([{"id": 1, "total": 2.5}], table_name="orders")
try:
    rows = pipeline.dataset()["orders"].arrow().to_pylist()
except TypeError as error:
    print(f"dlt {dlt.__version__}, sqlglot {sqlglot.__version__}: {error}")
    assert "infer_schema" in str(error), "no longer so"
else:
    raise SystemExit(f"no longer so: {rows}")
PY
