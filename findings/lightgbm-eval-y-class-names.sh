#!/usr/bin/env bash
# LightGBM 4.7: `eval_X` and `eval_y`, which take the place of the deprecated `eval_set`, are not the same for classes.
# Expected: fit(x, y, eval_X=a, eval_y=b) judges each round as fit(x, y, eval_set=[(a, b)]) does.
# Seen: eval_set's classes are turned into the numbers 0, 1, ... as those of y are; eval_y's are not. Of the classes 3 and 7 the
# loss of the same trees on the same rows is another one, without a word, and the round after which early stopping ends with it;
# of classes that are texts it is a ValueError.
# It meets whoever follows the deprecation's advice and whose classes are not 0, 1, ...
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" -q --disable-pip-version-check install lightgbm==4.7.0 scikit-learn==1.9.1
"$work/venv/bin/python" -W ignore - <<'PY'
import lightgbm
import numpy as np

generator = np.random.default_rng(0)
x = generator.normal(size=(600, 3))
positive = x[:, 0] + generator.normal(size=600) > 0
told = {}
for names in ((0, 1), (3, 7)):
    y = np.where(positive, names[1], names[0])
    for how in ("eval_set", "eval_y"):
        judged = {"eval_set": [(x[400:], y[400:])]} if how == "eval_set" else {"eval_X": x[400:], "eval_y": y[400:]}
        model = lightgbm.LGBMClassifier(n_estimators=20, verbosity=-1).fit(x[:400], y[:400], **judged)
        told[names, how] = round(float(model.evals_result_["valid_0"]["binary_logloss"][-1]), 6)
print(f"LightGBM {lightgbm.__version__}: loss of the last round by names of the classes and by how rows to judge are given: {told}")
assert told[(0, 1), "eval_set"] == told[(0, 1), "eval_y"] == told[(3, 7), "eval_set"] != told[(3, 7), "eval_y"], "no longer so"
PY
