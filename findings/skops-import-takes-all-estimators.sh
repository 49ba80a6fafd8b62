#!/usr/bin/env bash
# skops 0.16.0 with scikit-learn 1.9.1: importing skops.io, which saves and loads models, imports every estimator of
# scikit-learn, and with it the packages of scikit-learn's tests where these are installed.
# Expected: as of joblib or pickle, an import that brings what saving needs; estimators when a file names them.
# Seen: sklearn.utils.discovery.all_estimators runs at the import, and pytest is among the modules afterwards.
# It meets whoever forks or spawns a process a model: each pays it, unless the parent has imported skops before.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" -q --disable-pip-version-check install skops==0.16.0 scikit-learn==1.9.1 pytest==9.2.0
"$work/venv/bin/python" - <<'PY'
import sys

import sklearn.base

before = sum(name.startswith("sklearn.") for name in sys.modules)
assert "pytest" not in sys.modules
import skops.io

after = sum(name.startswith("sklearn.") for name in sys.modules)
print(f"skops {skops.__version__}, scikit-learn {sklearn.__version__}: {before} modules of scikit-learn, then {after}; "
      f"pytest {'is' if 'pytest' in sys.modules else 'is not'} imported")
assert "pytest" in sys.modules and after > 3 * before, "no longer so"
PY
