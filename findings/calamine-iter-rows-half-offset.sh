#!/usr/bin/env bash
# python-calamine 0.9.1: iter_rows() gives the blank rows above a sheet's first cell, and not the blank columns left of it.
# Expected: both, as to_python(skip_empty_area=False) gives them, or neither, as to_python() does.
# Seen: of a sheet whose one cell is C3 the rows [''], [''], ['x']: the row of a cell is right by its place, its column is not.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" -q --disable-pip-version-check install python-calamine==0.9.1 xlsxwriter==3.3.1
"$work/venv/bin/python" - "$work/a.xlsx" <<'PY'
import sys
from importlib.metadata import version

import xlsxwriter
from python_calamine import CalamineWorkbook

with xlsxwriter.Workbook(sys.argv[1]) as book:
    book.add_worksheet().write_string(2, 2, "x")

sheet = CalamineWorkbook.from_path(sys.argv[1]).get_sheet_by_index(0)
found = [list(sheet.iter_rows()), sheet.to_python(), sheet.to_python(skip_empty_area=False)]
print(f"python-calamine {version('python-calamine')}: iter_rows {found[0]}; to_python {found[1]}; with the area {found[2]}")
assert found == [[[""], [""], ["x"]], [["x"]], [["", "", ""], ["", "", ""], ["", "", "x"]]], "no longer so"
PY
