"""A pipeline file to be written."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return the path of a pipeline file to be written."""
    return tmp_path / "pipeline.yaml"
