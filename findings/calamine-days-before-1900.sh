#!/usr/bin/env bash
# python-calamine 0.9.1: a day before 1900 in an .xlsx, as LibreOffice writes it, is the time 00:00:00, and the day is lost.
# Expected: 1849-12-31, as openpyxl and LibreOffice read the serial -18261, or the number, as calamine gives one too large to be a date.
# Seen: time(0, 0), and time(18, 0) for 18:00 of that day: a column of such days is one of midnights, without an error.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" -q --disable-pip-version-check install python-calamine==0.9.1 xlsxwriter==3.3.1 openpyxl==3.1.5
"$work/venv/bin/python" - "$work/a.xlsx" <<'PY'
import sys
from importlib.metadata import version

import openpyxl
import xlsxwriter
from python_calamine import CalamineWorkbook

with xlsxwriter.Workbook(sys.argv[1]) as book:
    days = book.add_format({"num_format": "yyyy-mm-dd hh:mm"})
    sheet = book.add_worksheet()
    for row, serial in enumerate([-18261, -18261.25, 41000]):
        sheet.write_number(row, 0, serial, days)

found = [str(row[0]) for row in CalamineWorkbook.from_path(sys.argv[1]).get_sheet_by_index(0).to_python()]
other = [str(row[0].value) for row in openpyxl.load_workbook(sys.argv[1], data_only=True).active]
print(f"python-calamine {version('python-calamine')}: {found}; openpyxl {other}")
assert found == ["00:00:00", "18:00:00", "2012-04-01"], "no longer so"
PY
