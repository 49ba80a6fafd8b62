"""The code that a page of documentation shows, as tests run it."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tasks.config import kinds
from tasks.config.base import MODELS
from tasks.core.registry import Registry

PROJECT = Path(__file__).parent.parent
README = PROJECT / "README.md"
DOCS = PROJECT / "docs"
PAGES = [README, *sorted(DOCS.glob("*.md"))]
MOST_LINES = 40


def blocks(page: Path, language: str) -> list[str]:
    """Return the code blocks of a language on a page."""
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def code_of(page: str, heading: str) -> str:
    """Return the Python code below a heading of a page; an example is short."""
    text = (DOCS / page).read_text(encoding="utf-8")
    found = re.search(rf"^## {re.escape(heading)}$.*?^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert found, f"{page} has no Python code below {heading!r}"
    assert len(found[1].splitlines()) < MOST_LINES
    return found[1]


@contextmanager
def documented(registry: Registry[Any], heading: str, module: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have the code below a heading of the page on extensions as a module while the block runs; its kinds, and others added, are unknown after it."""
    module.write_text(code_of("extending.md", heading))
    monkeypatch.syspath_prepend(module.parent)
    yield
    sys.modules.pop(module.stem, None)
    for name in registry.outside():
        registry.kinds.pop(name, None)
    registry._paths.clear()
    kinds._added.clear()
    for model in MODELS:
        model.model_rebuild(force=True)
