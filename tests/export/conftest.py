"""Tables to export."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tasks.config import Pipeline, load_pipeline
from tests.tables.conftest import data, make, pipeline_of

__all__ = ["data"]

VALUES = """
SELECT * FROM (VALUES
  (1, true, 9223372036854775807, 1.5::DOUBLE, DATE '0044-03-15', TIMESTAMP '2024-01-05 10:00:00.123456',
   TIMESTAMPTZ '2024-01-05 10:00:00+02', 'x"y''z', -0.01::DECIMAL(4,2),
   123456789012345678901234567890.12345678::DECIMAL(38,8)),
  (2, false, -9223372036854775808, '-inf'::DOUBLE, DATE '2024-02-29', TIMESTAMP '1500-01-01 00:00:00',
   TIMESTAMPTZ '9999-12-31 23:59:59.999999+00', '', 99.99, -0.00000001),
  (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL))
AS t(id, flag, whole, part, day, moment, moment_utc, "Some word", small, large)
"""


@pytest.fixture
def values(data: Path) -> Path:
    """Return a data folder with the table `things`, which has a column of each type."""
    make(data, pipeline_of(things={"query": VALUES}))
    return data


@pytest.fixture
def written(data: Path) -> Callable[..., Pipeline]:
    """Return what makes the pipeline of a file with a section `export`."""

    def write(exports: str, query: str = "SELECT * FROM rows ORDER BY id") -> Pipeline:
        path = data / "pipeline.yaml"
        path.write_text(
            f"name: made\nsources:\n  rows: {{kind: files, path: inbox/*}}\ntables:\n  things: {{query: {query!r}}}\n"
            f"export:\n{exports}\n"
        )
        return load_pipeline(path)

    return write
