"""The profile of a table, and its page, on real Parquet parts."""

from __future__ import annotations

import base64
import re
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.convert.parts.part import StoredPart
from tasks.convert.parts.rejects import RejectExample, find_examples, write_rejects
from tasks.convert.parts.sample import COLUMNS_SHOWN, SAMPLE_ROWS
from tasks.convert.profile.page import PAGE_BYTES, RunCounts, write_page, write_schema_change
from tasks.convert.profile.profile import BINS, Profile, _bins, profile_table
from tasks.convert.schema.misfits import make_misfits, make_records
from tasks.core.escaping import draw_bars, escape

TOLD = RunCounts(10, 2, 1, files=3, files_read=2, bytes_read=5_000_000, seconds=2.0)
HOSTILE = "a|b`c``<script>alert(1)</script>\n# h\r\n![x](http://e.x) **b** \\| \u202e &lt; _x_"


def write_part(folder: Path, name: str, **columns: Any) -> StoredPart:
    """Return a part with these columns."""
    path = folder / f"{name}.parquet"
    pq.write_table(pa.table(columns), path)
    return StoredPart(path, name=path.name)


def profile_of(parts: list[StoredPart], **types: str) -> Profile:
    """Return the profile of all rows of the parts."""
    return profile_table(parts, types, sum(pq.read_metadata(part.path).num_rows for part in parts))


def test_a_small_table_is_profiled_whole(tmp_path: Path) -> None:
    """Nulls, extremes, distinct values, steps and frequent values are those of all rows of all parts."""
    parts = [
        write_part(
            tmp_path,
            "a",
            id=[1, 2, 3],
            x=[1.5, None, float("nan")],
            day=[date(2024, 1, 1), date(2024, 1, 3), None],
            text=["b", "a", "a"],
            flag=[True, False, True],
            none=pa.nulls(3, pa.string()),
        ),
        write_part(
            tmp_path,
            "b",
            id=[12],
            x=[0.5],
            day=[date(2024, 1, 1)],
            text=["c"],
            flag=[True],
            none=pa.nulls(1, pa.string()),
        ),
    ]

    profile = profile_of(parts, id="int", x="float", day="date", text="string", flag="bool", none="string")

    assert (profile.rows, profile.sampled, profile.is_complete, profile.columns_left_out) == (4, 4, True, 0)
    assert [(c.name, c.nulls, c.low, c.high, c.sampled, c.distinct) for c in profile.columns] == [
        ("id", 0, 1, 12, 4, 4),
        ("x", 1, 0.5, 1.5, 3, 3),
        ("day", 1, date(2024, 1, 1), date(2024, 1, 3), 3, 2),
        ("text", 0, "a", "c", 4, 3),
        ("flag", 0, False, True, 4, 2),
        ("none", 4, None, None, 0, 0),
    ]
    assert [c.bins for c in profile.columns[:3]] == [(1, 1, 1) + 8 * (0,) + (1,), (1, *22 * (0,), 1), (2, 0, 1)]
    assert [c.top for c in profile.columns[3:]] == [
        (("a", 2), ("b", 1), ("c", 1)),
        (("true", 3), ("false", 1)),
        (),
    ]


def test_a_large_table_is_sampled_over_its_parts(tmp_path: Path) -> None:
    """Statistics are of every row, the rest of a bounded sample that is spread; the page says so."""
    parts = [
        write_part(tmp_path, f"{month:02}", month=np.full(5_000, month), row=np.arange(5_000) + 5_000 * month)
        for month in range(1, 13)
    ]

    profile = profile_of(parts, month="int", row="int")

    month, row = profile.columns
    assert (profile.rows, profile.sampled, profile.is_complete) == (60_000, SAMPLE_ROWS // 12 * 12, False)
    assert (month.low, month.high, month.distinct, len(set(month.bins))) == (1, 12, 12, 1)
    assert (row.low, row.high, row.distinct) == (5_000, 64_999, profile.sampled)
    assert max(row.bins) - min(row.bins) < 10
    page = write_page("rows", profile, TOLD)
    assert "Nulls, min and max are those of all parts." in page
    assert "sample of 19,992 of 60,000 rows" in page
    assert [cells_of(line)[4] for line in page.splitlines()[-2:]] == ["12", "≥ 19,992"]  # no month is left to be met


@pytest.mark.parametrize(
    "values",
    [
        pa.array([-(2**63), 2**63 - 1, 0]),
        pa.array([1e308, -1e308, float("inf"), float("nan")]),
        pa.array([-(2**62), 2**62], pa.timestamp("us")),
        pa.array([datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)], pa.timestamp("us", "UTC")),
        pa.array(["x" * 10_000, "y"]),
        pa.array([HOSTILE, None]),
        pa.array([], pa.int64()),
    ],
    ids=str,
)
def test_any_values_have_a_profile(tmp_path: Path, values: pa.Array) -> None:
    """Extremes that statistics do not hold, or Python has not, are left out; no value breaks the page."""
    page = write_page("rows", profile_of([write_part(tmp_path, "a", x=values)], x="any"), TOLD)

    assert cells_of(page.splitlines()[-1])[0] == "x"
    assert len(page) < 5_000


def test_a_table_without_rows_or_columns_has_a_page(tmp_path: Path) -> None:
    """An empty file's table is shown as such."""
    assert "The table has no column." in write_page("rows", profile_of([write_part(tmp_path, "a")]), TOLD)
    assert "The table has no column." in write_page("rows", profile_of([]), TOLD)


def test_wide_tables_are_cut(tmp_path: Path) -> None:
    """Of many columns with long names and values the first are shown, on a page of a bounded size."""
    names = {f"{number:05}" + 200 * "|`": ["<&>`|" * 500, "é" * 500] for number in range(500)}
    types = dict.fromkeys(names, "string")
    told = RunCounts(0, 0, 0, 0, 0, 0, 0, {HOSTILE * 20 + str(n): 1 for n in range(500)}, {})

    profile = profile_table([write_part(tmp_path, "a", **names)], types, 2)
    page = write_page("rows", profile, told)

    assert len(profile.columns) == COLUMNS_SHOWN
    assert f"The first {COLUMNS_SHOWN} of 500 columns are shown; 440 are left out." in page
    assert "Not shown: 490 further reasons." in page
    assert len(page.encode()) <= PAGE_BYTES


def test_a_page_that_would_be_too_large_shows_fewer_columns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The size of a page is kept, whatever is in it, and what is left out is told."""
    profile = profile_table(
        [write_part(tmp_path, "a", **{f"c{n}": [n] for n in range(50)})], {f"c{n}": "int" for n in range(50)}, 1
    )
    monkeypatch.setattr("tasks.convert.profile.page.PAGE_BYTES", 5_000)

    page = write_page("rows", profile, TOLD)

    said = re.search(r"The first (\d+) of 50 columns are shown; (\d+) are left out", page)
    assert said
    assert int(said[1]) + int(said[2]) == 50
    assert len(page.encode()) <= 5_000


@pytest.mark.parametrize("columns", [["x", "x"], ["x", None], [None, "x"], [None, None], ["x", "y"]])
def test_rejects_have_the_column_of_their_reason(tmp_path: Path, columns: list[str | None]) -> None:
    """Where some have none, or all the same one."""
    misfits = make_misfits(make_records([2, 3], ["a", "b"]), "no number", columns)

    write_rejects(tmp_path / "r.parquet", "rows", {"inbox/a.csv": misfits})

    assert pq.read_table(tmp_path / "r.parquet")["column"].to_pylist() == columns


def test_rejects_whose_line_a_format_does_not_know_are_kept(tmp_path: Path) -> None:
    """One of your own may have none."""
    records = make_records([2], ["a"]).slice(0, 0)
    unknown = pa.table([pa.array([3, None], pa.int64()), pa.array(["b", "c"]), pa.nulls(2, pa.int64())], records.schema)

    write_rejects(tmp_path / "r.parquet", "rows", {"inbox/a.own": make_misfits(unknown, "no number")})

    rejects = pq.read_table(tmp_path / "r.parquet").select(["line", "raw"]).to_pylist()
    assert rejects == [{"line": 3, "raw": "b"}, {"line": None, "raw": "c"}]


def test_rejects_have_examples_by_reason(tmp_path: Path) -> None:
    """The most frequent reasons come first, each with three of its rows, cut."""
    records = make_records([*range(2, 7), 9], [*["z" * 200] * 5, HOSTILE], [0] * 6)
    misfits = make_misfits(records, [*["common"] * 5, "rare | `thing`"], "x")
    write_rejects(tmp_path / "r.parquet", "rows", {"inbox/a.csv": misfits})

    examples = find_examples([tmp_path / "r.parquet"], ["common", "rare | `thing`"])
    told = RunCounts(10, 6, 0, 1, 1, 1, 1.0, {"rare | `thing`": 1, "common": 5}, examples)
    page = write_page("rows", profile_of([write_part(tmp_path, "a", x=[1])], x="int"), told)

    assert examples["common"] == [RejectExample("inbox/a.csv", line, "z" * 81) for line in (2, 3, 4)]
    rows = [cells_of(line) for line in page.splitlines() if "inbox/a.csv" in line]
    assert [row[:4] for row in rows] == [
        ["common", "5", "inbox/a.csv", "2"],
        ["", "", "inbox/a.csv", "3"],
        ["", "", "inbox/a.csv", "4"],
        ["`` rare \\| `thing` ``", "1", "inbox/a.csv", "9"],
    ]
    assert rows[0][4] == "z" * 80 + "…"
    assert all(len(row) == 5 for row in rows)


def test_pictures_are_svg() -> None:
    """Bars are as high as their counts; one that is not zero is always seen."""
    (path,) = ET.fromstring(draw_bars([1, 0, 1_000_000]))  # noqa: S314 - our own

    assert re.findall(r"v(-?[\d.]+)h", path.attrib["d"]) == ["-1.0", "-24.0"]
    assert ET.fromstring(draw_bars([0])) is not None  # noqa: S314 - our own


def test_the_pictures_of_a_page_are_within_it(tmp_path: Path) -> None:
    """Each column of numbers and times has one, as data."""
    parts = [write_part(tmp_path, "a", **{"a|b": [1, 2], "t": [datetime(2024, 1, 1, tzinfo=UTC)] * 2})]

    page = write_page("rows", profile_of(parts, **{"a|b": "int", "t": "timestamp"}), TOLD)

    pictures = re.findall(r"!\[[\w ]+\]\(data:image/svg\+xml;base64,([\w+/=]+)\)", page)
    assert [base64.b64decode(data)[:4] for data in pictures] == [b"<svg"] * 2
    assert all(len(data) < 24 * BINS * 4 for data in pictures)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("dep_time", "dep_time"),
        ("-43.5", "-43.5"),
        ("2024-01-01 10:00:00", "2024-01-01 10:00:00"),
        ("inbox/a.csv", "inbox/a.csv"),
        ("größe", "größe"),
        ("", ""),
        ("_x_", "`_x_`"),
        ("a|b", "`a\\|b`"),
        ("a\\|b", "`a\\\u200b\\|b`"),
        ("`", "`` ` ``"),
        ("a``b", "```a``b```"),
        (" a ", "`  a  `"),
        ("<b>", "`<b>`"),
        ("&lt;", "`&lt;`"),
        ("a\nb\t\u202e", "`a\\nb\\t\\u202e`"),
        ("http://e.x", "`http://e.x`"),
        ("www.e.x", "`www.e.x`"),
        ("me@e.x", "`me@e.x`"),
        ("x" * 81, "x" * 80 + "…"),
    ],
)
def test_texts_are_shown_as_they_are(text: str, shown: str) -> None:
    """What may be markup or a link is code, on one line; what is plain stays plain."""
    assert escape(text) == shown


def test_changed_columns_are_shown() -> None:
    """What was removed, changed and added, between a table that was there before and now."""
    before = {"id": "int", "a|b": "string", "same": "date"}

    page = write_schema_change("rows", before, {"id": "float", "same": "date", "new": "bool"})

    assert page is not None
    assert page.splitlines()[2:] == [
        "3 columns before, 3 now.",
        "",
        "| change | column | before | now |",
        "| --- | --- | --- | --- |",
        "| removed | `a\\|b` | string |  |",
        "| changed | id | int | float |",
        "| added | new |  | bool |",
    ]
    assert write_schema_change("rows", {}, before) is None
    assert write_schema_change("rows", before, before) is None


def test_many_changes_are_cut() -> None:
    """A page of changes has a hundred of them at most."""
    page = write_schema_change("rows", {"id": "int"}, {f"c{n}": "int" for n in range(5_000)})

    assert page is not None
    assert "Not shown: 4,901 further changes." in page
    assert len(page.splitlines()) < 110


def test_of_a_million_rows_a_sample_is_looked_at(tmp_path: Path) -> None:
    """The profile of 36 parts of 28,000 rows and 19 columns is of as many rows as one of fewer."""
    random = np.random.default_rng(7)
    columns = {f"c{n}": random.integers(0, 5_000, 28_000) for n in range(15)}
    texts = {f"t{n}": random.choice(["EWR", "JFK", "LGA"], 28_000) for n in range(4)}
    path = write_part(tmp_path, "a", **columns, **texts).path
    types = {**dict.fromkeys(columns, "int"), **dict.fromkeys(texts, "string")}

    profile = profile_table([StoredPart(path)] * 36, types, 36 * 28_000)

    assert profile.sampled == pytest.approx(SAMPLE_ROWS, rel=0.01)


def cells_of(line: str) -> list[str]:
    """Return the cells of a table's line: bars divide them unless a backslash stands before."""
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


@pytest.mark.parametrize(
    ("numbers", "counts"),
    [([0.3, 0.30000000000000004], (1, 1)), ([1e17, 1e17 + 16, 1e17 + 16], (1, 2)), ([5e-324, 0.0], (2,))],
)
def test_numbers_between_which_there_is_no_room_are_counted(numbers: list[float], counts: tuple[int, ...]) -> None:
    """Where as many steps cannot be had there are fewer, and every number is in one."""
    found = _bins(pa.chunked_array([numbers]))

    assert sum(found) == sum(counts)
    assert 1 <= len(found) <= 2
