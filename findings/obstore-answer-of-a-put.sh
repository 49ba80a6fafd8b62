#!/usr/bin/env bash
# obstore 0.12.1: what a put answers cannot be handed to the next put, to replace just that version of an object.
# Expected: put(store, path, data, mode=put(…)) is a conditional put: the answer has e_tag and version, and the mode's own type
# declares both as text or None, and recommends to keep both.
# Seen: TypeError: 'None' is not an instance of 'str', of each store without versions of its own, where version is None; without
# that key it is a conditional put, and a second one of the same e_tag is refused.
# It meets whoever commits a manifest to a store with it, two writers at once.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" -q --disable-pip-version-check install obstore==0.12.1
"$work/venv/bin/python" - <<'PY'
import pathlib

import obstore
from obstore.exceptions import PreconditionError
from obstore.store import MemoryStore

store = MemoryStore()
answer = obstore.put(store, "manifest", b"1")
try:
    obstore.put(store, "manifest", b"2", mode=answer)
    seen = "replaced"
except TypeError as error:
    seen = str(error)
only = {"e_tag": answer["e_tag"]}
obstore.put(store, "manifest", b"2", mode=only)
try:
    obstore.put(store, "manifest", b"3", mode=only)
    second = "replaced"
except PreconditionError:
    second = "refused"
types = pathlib.Path(obstore.__file__).with_name("_put.pyi").read_text()
declared = types.count("version: str | None")
print(f"obstore {obstore.__version__}: {answer} as mode: {seen}; without version: replaced, and a second time {second}")
assert seen.startswith("'None' is not an instance of 'str'") and second == "refused" and declared == 2, "no longer so"
PY
