#!/usr/bin/env bash
# python-calamine 0.9.1: one cell that is an error of Excel 365 (#SPILL!, #CALC!, #BLOCKED!) has a whole sheet refused.
# Expected: the cell is blank, as one of #N/A or #DIV/0! is, and the others are read, as openpyxl does.
# Seen: CalamineError "Unsupported cell error value '#SPILL!'" for the sheet; pandas with engine="calamine" raises the same.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv "$work/venv"
"$work/venv/bin/pip" -q --disable-pip-version-check install python-calamine==0.9.1 xlsxwriter==3.3.1 openpyxl==3.1.5
"$work/venv/bin/python" - "$work/a.xlsx" <<'PY'
import sys
import zipfile
from importlib.metadata import version

import openpyxl
import xlsxwriter
from python_calamine import CalamineError, CalamineWorkbook


def read(error):
    with xlsxwriter.Workbook("plain.xlsx") as book:
        sheet = book.add_worksheet()
        sheet.write_number(0, 0, 1)
        sheet.write_formula(0, 1, "=A1", None, "#N/A")
    with zipfile.ZipFile("plain.xlsx") as old, zipfile.ZipFile(sys.argv[1], "w") as new:
        for name in old.namelist():
            new.writestr(name, old.read(name).replace(b"#N/A", error.encode()))
    try:
        return CalamineWorkbook.from_path(sys.argv[1]).get_sheet_by_index(0).to_python()
    except CalamineError as raised:
        return str(raised)


found = [read(error) for error in ("#N/A", "#SPILL!")]
other = [cell.value for cell in openpyxl.load_workbook(sys.argv[1], data_only=True).active[1]]
print(f"python-calamine {version('python-calamine')}: {found}; openpyxl {other}")
assert found == [[[1.0, ""]], "Unsupported cell error value '#SPILL!'"], "no longer so"
PY
