#!/usr/bin/env bash
# orjson 3.13: a whole number beyond 64 bits is read as a float, so that two of them become one.
# Expected: Python's int, as json, ujson and rapidjson give it, or an error, as orjson gives for 1e400.
# Seen: 18446744073709551616 and 18446744073709551617 are the same float; written again they are 1.8446744073709552e19.
# It meets whoever reads records with long keys (numbers of 20 digits) and joins or removes duplicates by them.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" -q --disable-pip-version-check install orjson==3.13.0
"$work/venv/bin/python" - <<'PY'
import json

import orjson

text = '[{"parcel": 18446744073709551616}, {"parcel": 18446744073709551617}, {"parcel": 18446744073709551615}]'
plain, read = ({record["parcel"] for record in load(text)} for load in (json.loads, orjson.loads))
print(f"orjson {orjson.__version__}: {len(read)} different numbers of {len(plain)}: {sorted(read)}")
assert len(plain) == 3
assert read == {18446744073709551615, 18446744073709551616.0}, "no longer so"
assert {type(number) for number in read} == {int, float}, "no longer so"
PY
