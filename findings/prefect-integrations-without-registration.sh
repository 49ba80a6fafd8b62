#!/usr/bin/env bash
# Prefect 3.9: a server that is told to register no blocks when it starts imports every installed Prefect integration all the same.
# Expected: with PREFECT_SERVER_REGISTER_BLOCKS_ON_START=false nothing looks for blocks, and what only brings blocks is not imported.
# Seen: the server still imports each package of the entry-point group prefect.collections, to compare their blocks with those it
# remembers, and then registers none; a second of each start with prefect-dask. With PREFECT_SERVER_MEMOIZE_BLOCK_AUTO_REGISTRATION=false,
# which is said to be about remembering, nothing is imported.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" -q --disable-pip-version-check install prefect==3.9.1 prefect-dask==0.3.7
export PREFECT_HOME="$work/home" DO_NOT_TRACK=1 PREFECT_SERVER_ANALYTICS_ENABLED=false PREFECT_SERVER_REGISTER_BLOCKS_ON_START=false
look() {
    "$work/venv/bin/python" - <<'PY'
import asyncio
import sys
from importlib.metadata import version

from prefect.server.api.server import create_app


async def start() -> None:
    app = create_app()
    async with app.router.lifespan_context(app):
        await asyncio.sleep(3)  # a service that is stopped before it has begun raises


before = "prefect_dask" in sys.modules
asyncio.run(start())
print(version("prefect"), before, "prefect_dask" in sys.modules)
PY
}
remembering=$(look | tail -1)
forgetting=$(PREFECT_SERVER_MEMOIZE_BLOCK_AUTO_REGISTRATION=false look | tail -1)
echo "prefect ${remembering%% *}: registration off: prefect_dask imported before and after the start: ${remembering#* }; memoization off too: ${forgetting#* }"
[ "${remembering#* }" = "False True" ] && [ "${forgetting#* }" = "False False" ]
