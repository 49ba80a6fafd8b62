"""Formats: told by what is declared, by endings, and by what lies in a .zip."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tasks.config import Reading
from tasks.convert.formats.registry import format_of
from tasks.core.errors import TableError
from tests.convert.files.test_opening import zipped


@pytest.mark.parametrize(
    ("name", "reading", "expected"),
    [
        ("a.CSV", {}, ".csv"),
        ("a.txt.bz2", {}, ".csv"),
        ("a.ndjson.zst", {}, ".jsonl"),
        ("a.xlsm", {}, ".xlsx"),
        ("a.pq", {}, ".parquet"),
        ("a.dat", {"format": "tsv"}, ".tsv"),
        ("a.csv", {"format": "excel"}, ".xlsx"),
        ("a.json.zip", {}, ".json"),
        ("a.zip", {"member": "b/c.jsonl"}, ".jsonl"),
        ("https://h/a.csv.gz?x=1.json", {}, ".csv"),
    ],
)
def test_a_format_is_told_by_name_or_declaration(name: str, reading: dict[str, Any], expected: str) -> None:
    """What is declared counts, then the file's ending, then that of its member."""
    assert format_of(name, Reading.model_validate(reading)).suffixes[0] == expected


def test_a_zip_is_asked_what_it_holds(tmp_path: Path) -> None:
    """Where neither a name nor a declaration tells, the only member does; of several one must be named."""
    one, two = tmp_path / "one.zip", tmp_path / "two.zip"
    one.write_bytes(zipped(a_jsonl=b"{}"))
    two.write_bytes(zipped(a_jsonl=b"{}", b_csv=b""))

    assert format_of("one.zip", Reading(), one).suffixes[0] == ".jsonl"
    assert format_of("two.zip", Reading(member="b.csv"), two).suffixes[0] == ".csv"
    with pytest.raises(TableError, match=r"^holds 2 files \(a.jsonl, b.csv\); name one as read.member$"):
        format_of("two.zip", Reading(), two)


@pytest.mark.parametrize(("name", "said"), [("a.pdf", ".pdf"), ("a", "no ending"), ("a.tar.gz", ".tar")])
def test_what_is_of_no_format_is_one_sentence(name: str, said: str) -> None:
    """The error lists the formats, and says what to declare."""
    with pytest.raises(TableError, match=rf"^{said} is not a format; known are .csv, .*; declare read.format"):
        format_of(name, Reading())
