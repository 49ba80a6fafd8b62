#!/usr/bin/env bash
# numpy 2: np.histogram of two finite floats that are neighbours, with the default ten bins, raises ValueError.
# Expected: ten bins, most of them empty, or bins that are widened as they are for two equal values.
# Seen: "Too many bins for data range". Equal values (0.3, 0.3) work: the range is then widened by a half on each side.
# It meets profiles of columns of computed values, where 0.1 + 0.2 stands beside 0.3.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" -q --disable-pip-version-check install numpy==2.4.6
"$work/venv/bin/python" - <<'PY'
import numpy as np

counts, _ = np.histogram([0.3, 0.3])
try:
    np.histogram([0.3, 0.1 + 0.2])
    seen = "bins"
except ValueError as error:
    seen = str(error)
print(f"numpy {np.__version__}: equal values {counts.sum()} counted; neighbours: {seen}")
assert counts.sum() == 2 and seen.startswith("Too many bins for data range"), "no longer so"
PY
