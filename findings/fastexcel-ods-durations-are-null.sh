#!/usr/bin/env bash
# fastexcel 0.21, under Polars 2.1's read_ods: a duration of a day and more in an .ods file is null.
# Expected: 30 h 15 min, as of the same sheet as .xlsx, and as the file has it (PT30H15M00S, in the column's own type), or an error.
# Seen: the column is one of durations, 1:00 is right in it, 30:15 is null, and so is 24:00; a row that has nothing else is left out
# as an empty one. python-calamine, by which fastexcel reads, gives the text 'PT30H15M00S'; pandas by odfpy refuses the sheet.
# It meets timesheets and machine hours, whose sums are beyond a day: what is lost are the largest values.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" -q --disable-pip-version-check install \
    fastexcel==0.21.0 polars==2.1.0 python-calamine==0.9.1 pandas==3.1.1 odfpy==1.4.1 xlsxwriter==3.3.1
cd "$work"
"$work/venv/bin/python" - <<'PY'
from datetime import timedelta
from importlib.metadata import version

import pandas as pd
import polars as pl
import xlsxwriter
from odf.opendocument import OpenDocumentSpreadsheet
from odf.table import Table, TableCell, TableRow
from odf.text import P
from python_calamine import CalamineWorkbook

SPENT = [timedelta(hours=1), timedelta(hours=24), timedelta(hours=30, minutes=15)]


def cell(text, **attributes):
    made = TableCell(**attributes)
    made.addElement(P(text=text))
    return made


def row(*cells):
    made = TableRow()
    for each in cells:
        made.addElement(each)
    return made


sheet = Table(name="hours")
sheet.addElement(row(cell("n", valuetype="string"), cell("spent", valuetype="string")))
for number, spent in enumerate(SPENT):
    hours, minutes = divmod(int(spent.total_seconds()) // 60, 60)
    value = cell(f"{hours:02}:{minutes:02}:00", valuetype="time", timevalue=f"PT{hours:02}H{minutes:02}M00S")
    sheet.addElement(row(cell(str(number), valuetype="float", value=number), value))
document = OpenDocumentSpreadsheet()
document.spreadsheet.addElement(sheet)
document.save("hours.ods")
with xlsxwriter.Workbook("hours.xlsx") as book:
    page, hours = book.add_worksheet(), book.add_format({"num_format": "[h]:mm:ss"})
    page.write_row(0, 0, ["n", "spent"])
    for number, spent in enumerate(SPENT):
        page.write_number(number + 1, 0, number)
        page.write_datetime(number + 1, 1, spent, hours)

ods, xlsx = pl.read_ods("hours.ods"), pl.read_excel("hours.xlsx")
by_calamine = [line[1] for line in CalamineWorkbook.from_path("hours.ods").get_sheet_by_index(0).to_python()[1:]]
try:
    by_pandas = pd.read_excel("hours.ods", engine="odf")["spent"].tolist()
except ValueError as error:
    by_pandas = f"{type(error).__name__}: {error}"
print(f"fastexcel {version('fastexcel')}, Polars {pl.__version__}: of .ods {ods['spent'].to_list()}, {ods['spent'].dtype}")
print(f"of .xlsx {xlsx['spent'].to_list()}; calamine of .ods {by_calamine}; pandas of .ods: {by_pandas}")
assert isinstance(ods["spent"].dtype, pl.Duration) and ods["spent"].to_list() == [SPENT[0], None, None], "no longer so"
assert xlsx["spent"].to_list() == SPENT, "no longer so"
assert by_calamine[1:] == ["PT24H00M00S", "PT30H15M00S"], "no longer so"
assert "hour must be in 0..23" in by_pandas, "no longer so"
PY
