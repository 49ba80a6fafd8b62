"""SECURITY.md names the test of each guard: each is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PROJECT = Path(__file__).parent.parent
NAMED = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", (PROJECT / "SECURITY.md").read_text(encoding="utf-8"))


@pytest.mark.parametrize(("path", "name"), NAMED, ids="::".join)
def test_a_guard_that_is_named_has_its_test(path: str, name: str) -> None:
    """A test that is renamed is renamed there too."""
    text = (PROJECT / path).read_text(encoding="utf-8")

    assert re.search(rf"^(async )?def {name}\(" if name else "", text, re.MULTILINE)


def test_each_threat_has_a_test() -> None:
    """A row of a table of threats ends with the test that fails without the guard."""
    rows = re.findall(
        r"^\|(?! *(?:threat|-)).*\|$", (PROJECT / "SECURITY.md").read_text(encoding="utf-8"), re.MULTILINE
    )

    assert len(rows) > 20
    assert [row for row in rows if "`tests/" not in row.split("|")[3]] == []
