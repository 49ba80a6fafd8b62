#!/usr/bin/env bash
# pyarrow 26.0 beside pandas 3.1: the first array, or scalar, made of a plain Python value imports all of pandas, where pandas is installed.
# Expected: a list of texts is no pandas object, and pyarrow does not depend on pandas: it is imported when a frame or a series comes.
# Seen: pa.scalar("a"), pa.array(["a"]) and pa.table of lists import pandas, a second of start-up, in whichever thread is the first to
# make one. A module that holds one such constant has pandas imported by whoever imports it; reading and computing alone do not.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" -q --disable-pip-version-check install pyarrow==26.0.1 pandas==3.1.1
"$work/venv/bin/python" - <<'PY'
import subprocess
import sys

MADE = {
    'pa.scalar("a")': True,
    'pa.array(["a"])': True,
    'pa.table({"x": [1.5]})': True,
    'pa.csv.read_csv(io.BytesIO(b"x\\n1\\n"))': False,
}
CODE = "import io, sys, pyarrow as pa, pyarrow.csv; before = 'pandas' in sys.modules; {}; print(pa.__version__, before, 'pandas' in sys.modules)"
for made, imports in MADE.items():
    said = subprocess.run([sys.executable, "-c", CODE.format(made)], capture_output=True, text=True, check=True).stdout.split()
    print(f"pyarrow {said[0]}: {made} imports pandas: {said[2]}")
    assert said[1:] == ["False", str(imports)], "no longer so"
PY
