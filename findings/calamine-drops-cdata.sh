#!/usr/bin/env bash
# python-calamine 0.9.1: a text that stands as CDATA in the XML of an .xlsx is an empty text.
# Expected: 'x<y', as of <v>x&lt;y</v>, which XML holds to be the same, and as openpyxl reads it.
# Seen: '', without an error.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" -q --disable-pip-version-check install python-calamine==0.9.1 xlsxwriter==3.3.1 openpyxl==3.1.5
"$work/venv/bin/python" - "$work" <<'PY'
import sys
import zipfile
from importlib.metadata import version

import openpyxl
import xlsxwriter
from python_calamine import CalamineWorkbook

plain, changed = f"{sys.argv[1]}/plain.xlsx", f"{sys.argv[1]}/changed.xlsx"
with xlsxwriter.Workbook(plain) as book:
    book.add_worksheet().write_formula(0, 0, '="x<y"', None, "x<y")
with zipfile.ZipFile(plain) as old, zipfile.ZipFile(changed, "w") as new:
    for name in old.namelist():
        new.writestr(name, old.read(name).replace(b"<v>x&lt;y</v>", b"<v><![CDATA[x<y]]></v>"))

found = [CalamineWorkbook.from_path(path).get_sheet_by_index(0).to_python() for path in (plain, changed)]
other = [cell.value for cell in openpyxl.load_workbook(changed, data_only=True).active[1]]
print(f"python-calamine {version('python-calamine')}: {found}; openpyxl {other}")
assert found == [[["x<y"]], [[""]]], "no longer so"
PY
