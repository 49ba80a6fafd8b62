#!/usr/bin/env bash
# scikit-learn 1.9 with numpy 2.4: what a linear model says of a row depends on how many rows it is asked about at once.
# Expected: predict_proba(x[i:i+1]) equals predict_proba(x)[i], as no row has a part in the answer of another one.
# Seen: in about a quarter of the rows the last bit differs: OpenBLAS adds up the products of a single row, and of the rows that
# are left of a whole block of 4, in another order. Asked in whole blocks of 16 rows all are equal.
# It meets services that are to answer as a batch did, and tests that compare the two.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" -q --disable-pip-version-check install scikit-learn==1.9.1 numpy==2.4.6
"$work/venv/bin/python" - <<'PY'
import numpy as np
import sklearn
from sklearn.linear_model import LogisticRegression

generator = np.random.default_rng(0)
x = generator.normal(size=(1600, 11))
model = LogisticRegression().fit(x, x[:, 0] + generator.normal(size=1600) > 0)
whole = model.predict_proba(x)
differ = {
    size: int((np.concatenate([model.predict_proba(x[i : i + size]) for i in range(0, 1600, size)]) != whole).any(axis=1).sum())
    for size in (1, 2, 5, 16)
}
print(f"scikit-learn {sklearn.__version__}, numpy {np.__version__}: rows of 1600 that differ, by rows asked at once: {differ}")
assert differ[1] > 0 and differ[16] == 0, "no longer so"
PY
