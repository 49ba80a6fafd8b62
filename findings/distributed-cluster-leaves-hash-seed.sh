#!/usr/bin/env bash
# distributed 2026.8: a LocalCluster leaves PYTHONHASHSEED=6640 and OMP_NUM_THREADS=1 in the environment of the process that started it.
# Expected: what its workers are to have is in their environment alone, as `distributed.nanny.environ` and `pre-spawn-environ` are told of workers.
# Seen: after the cluster has been closed, two new Pythons order a set of texts alike, which they did not before, and compute with one thread.
# It meets whoever runs a step again in a new process to see that it is reproducible: what goes by the order of a set passes, and differs elsewhere.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" -q --disable-pip-version-check install distributed==2026.8.0
cat >"$work/twice.py" <<'PY'
import os
import subprocess
import sys

import distributed

TREES = "import os; print(list({'ash', 'beech', 'cedar', 'elm', 'fir', 'larch', 'oak', 'pine'}), os.environ.get('OMP_NUM_THREADS'))"


def drawn() -> str:
    return subprocess.run([sys.executable, "-c", TREES], capture_output=True, text=True, check=True).stdout.strip()


if __name__ == "__main__":
    before = {drawn() for _ in range(3)}
    with distributed.LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None):
        pass
    after = {drawn() for _ in range(3)}
    print(f"distributed {distributed.__version__}: {len(before)} orders of three processes before, {len(after)} after: {after}")
    assert len(before) > 1
    assert len(after) == 1 and after.pop().endswith("] 1"), "no longer so"
    assert os.environ["PYTHONHASHSEED"] == "6640", "no longer so"
PY
env -u PYTHONHASHSEED -u OMP_NUM_THREADS "$work/venv/bin/python" "$work/twice.py"
