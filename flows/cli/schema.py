"""What editors know of pipeline files."""

from __future__ import annotations

import json
from pathlib import Path

from tasks.config.load import add_kinds_of
from tasks.config.schema import editor_schema


def print_schema(pipeline: Path | None) -> int:
    """Print the JSON Schema of pipeline files, with the kinds that one of them adds."""
    if pipeline is not None:
        add_kinds_of(pipeline)
    print(json.dumps(editor_schema(), indent=2, ensure_ascii=False))
    return 0
