#!/usr/bin/env bash
# pandas 3.1: read_xml keeps the last of several children of one name, and says nothing of the others.
# Expected: a list, a column for each, or an error, as for records of JSON whose value is a list.
# Seen: an article with two tags has the second alone; where the child has children, it has none at all.
# It meets whoever reads feeds, catalogues or invoices by it: of repeated elements all but one are gone without a word.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" -q --disable-pip-version-check install pandas==3.1.1 lxml==6.1.3
"$work/venv/bin/python" - <<'PY'
import io

import pandas

catalogue = """<catalogue>
  <article><id>1</id><tag>wood</tag><tag>oak</tag><size><wide>3</wide></size></article>
  <article><id>2</id><tag>iron</tag><size><wide>5</wide></size></article>
</catalogue>"""
frame = pandas.read_xml(io.StringIO(catalogue))
seen = frame["tag"].tolist(), frame["size"].isna().tolist() if "size" in frame else None
print(f"pandas {pandas.__version__}: tags {seen[0]}, sizes missing {seen[1]}")
assert seen == (["oak", "iron"], [True, True]), "no longer so"
PY
