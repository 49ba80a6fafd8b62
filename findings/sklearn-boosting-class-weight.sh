#!/usr/bin/env bash
# scikit-learn 1.9: HistGradientBoostingClassifier takes no class_weight by the names of text classes.
# Expected: {"a": 1, "b": 5} weighs the class "b", as in RandomForestClassifier and as its documentation says: a dict of class labels.
# Seen: "The classes, [0, 1], are not in class_weight": the keys are held against the classes after they were encoded.
# It meets comparisons in which one setting is handed to several classifiers.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" -q --disable-pip-version-check install scikit-learn==1.9.1
"$work/venv/bin/python" - <<'PY'
import numpy as np
import sklearn
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier

x, y = np.arange(40.0).reshape(-1, 1), np.array(["a", "b"] * 20)
weights = {"a": 1, "b": 5}
RandomForestClassifier(n_estimators=2, class_weight=weights).fit(x, y)
try:
    HistGradientBoostingClassifier(class_weight=weights).fit(x, y)
    seen = "fitted"
except ValueError as error:
    seen = str(error)
print(f"scikit-learn {sklearn.__version__}: RandomForestClassifier fitted; HistGradientBoostingClassifier: {seen[:90]}")
assert "not in class_weight" in seen, "no longer so"
PY
