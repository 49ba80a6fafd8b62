"""The code that a page of documentation shows, as tests run it."""

from __future__ import annotations

import re
from pathlib import Path

DOCS = Path(__file__).parent.parent / "docs"
MOST_LINES = 40


def code_of(page: str, heading: str) -> str:
    """Return the Python code below a heading of a page; an example is short."""
    text = (DOCS / page).read_text(encoding="utf-8")
    found = re.search(rf"^## {re.escape(heading)}$.*?^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert found, f"{page} has no Python code below {heading!r}"
    assert len(found[1].splitlines()) < MOST_LINES
    return found[1]
