"""The key `extensions` of a pipeline file."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from tasks.config import Pipeline, load_pipeline
from tasks.core.errors import ConfigError

SOURCES = {"rows": {"kind": "files", "path": "inbox/*.csv"}}


def test_an_extension_that_is_not_there_is_a_mistake(tmp_path: Path) -> None:
    """It is told as every other mistake of the file."""
    file = tmp_path / "pipeline.yaml"
    file.write_text('name: own\nsources: {rows: {kind: files, path: "*.csv"}}\nextensions: [gone.away:Kind]\n')

    with pytest.raises(ConfigError, match=r"pipeline\.yaml: extensions: gone\.away:Kind: cannot be imported"):
        load_pipeline(file)


def test_a_form_imports_nothing() -> None:
    """Whoever may start a run may not have any module of the machine imported."""
    with pytest.raises(ValidationError, match="'this:Kind' is added from a pipeline file on disk alone"):
        Pipeline.model_validate({"name": "own", "sources": SOURCES, "extensions": ["this:Kind"]})
