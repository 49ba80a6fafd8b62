"""Kinds of file formats as classes: what half a kind is told, and how light their names are."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.config import kinds
from tasks.config.formats import FORMATS
from tests.config.files import mistakes_of

MODULE = """\
from typing import ClassVar
from tasks.convert.formats.format import LineFormat, StreamedFormat, WholeFormat

class Half({base}):
{body}
"""
NAME = """\
    name: ClassVar[str] = "half"
"""
SUFFIXES = """\
    suffixes: ClassVar[tuple[str, ...]] = ({suffix},)
"""
READ_LINE = """\
    def read_line(self, line): return {{"id": line}}
"""
PIPELINE = """\
name: own
extensions: [half_a_format:Half]
sources:
  rows: {kind: files, path: "*.half"}
"""


@pytest.fixture(autouse=True)
def _forgotten() -> Iterator[None]:
    """Take the kinds away again."""
    yield
    sys.modules.pop("half_a_format", None)
    FORMATS.kinds.pop("half", None)
    kinds._added.clear()


@pytest.mark.parametrize(
    ("base", "parts", "said"),
    [
        ("LineFormat", (SUFFIXES, READ_LINE), "Half has no name; add it"),
        ("LineFormat", (NAME, READ_LINE), "Half has no suffixes; add it"),
        ("LineFormat", (NAME, SUFFIXES), "Half has no read_line; add it"),
        ("StreamedFormat", (NAME, SUFFIXES), "Half has no block; add it"),
        ("WholeFormat", (NAME, SUFFIXES), "Half has no read; add it"),
        (
            "LineFormat",
            (NAME, SUFFIXES.replace("{suffix},", ""), READ_LINE),
            "Half has no suffixes; add one, e.g. .half",
        ),
        (
            "LineFormat",
            (NAME, SUFFIXES.replace("{suffix}", "'LOG'"), READ_LINE),
            "Half has the ending 'LOG'; write a dot and small letters, e.g. .log",
        ),
        (
            "LineFormat",
            (NAME, SUFFIXES.replace("{suffix}", "'.txt'"), READ_LINE),
            ".txt is an ending of csv already; give half others",
        ),
        (
            "LineFormat",
            (NAME.replace("half", "csv"), SUFFIXES, READ_LINE),
            "'csv' is the name of another kind of tidemill.formats already; call yours otherwise",
        ),
    ],
)
def test_half_a_kind_is_refused_where_it_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, base: str, parts: tuple[str, ...], said: str
) -> None:
    """What lacks a part, or takes another's, would fail in a run: one sentence says what is missing, before there is one."""
    monkeypatch.syspath_prepend(tmp_path)
    body = "".join(parts).replace("{suffix}", "'.half'").replace("{{", "{").replace("}}", "}")
    (tmp_path / "half_a_format.py").write_text(MODULE.format(base=base, body=body))

    (mistake,) = mistakes_of(tmp_path / "pipeline.yaml", PIPELINE)

    assert said in mistake


def test_the_names_of_formats_cost_no_reader() -> None:
    """Whoever asks which formats there are imports them, and none of the packages that read their files."""
    code = (
        "import sys; from tasks.config.formats import FORMATS; print(*FORMATS.kinds, *FORMATS.called); "
        "print({'openpyxl', 'pandas', 'lxml', 'duckdb'} & set(sys.modules))"
    )

    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    known, imported = run.stdout.splitlines()
    assert {"csv", "excel", ".csv", ".xlsx"} <= set(known.split())
    assert imported == "set()"
