"""Which columns of a part are compressed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from tasks.core.storage import DataFolder
from tests.convert.conftest import files_source, make_table

_ROWS = 12_000


def test_whole_numbers_that_compression_makes_no_smaller_are_stored_as_they_are(tmp_path: Path) -> None:
    """Each part tells by itself, whichever of them is made first; the values are the same, and others are compressed."""
    numbers = np.random.default_rng(1).integers(0, 10**9, (3, _ROWS))
    for name, column in zip("abc", numbers, strict=True):
        rows = "".join(f"{number},{place // 500},x{place % 7}\n" for place, number in enumerate(column))
        (tmp_path / f"{name}.csv").write_text(f"any,run,text\n{rows}")

    make_table(tmp_path, files_source("*.csv"))

    parts = sorted(DataFolder(tmp_path).table("rows").glob("*.parquet"))
    assert [_codecs(path) for path in parts] == [{"any": "UNCOMPRESSED", "run": "ZSTD", "text": "ZSTD"}] * 3
    assert [pq.read_table(path)["any"].to_pylist() for path in parts] == numbers.tolist()


def test_every_column_of_small_parts_is_compressed(tmp_path: Path) -> None:
    """To try it would take as long as it saves."""
    for name in "abc":
        (tmp_path / f"{name}.csv").write_text("any,text\n" + "".join(f"{n * 7919 % 1000},x\n" for n in range(50)))

    make_table(tmp_path, files_source("*.csv"))

    for path in DataFolder(tmp_path).table("rows").glob("*.parquet"):
        assert _codecs(path) == {"any": "ZSTD", "text": "ZSTD"}


def _codecs(path: Path) -> dict[str, str]:
    group = pq.read_metadata(path).row_group(0)
    chunks = [group.column(number) for number in range(group.num_columns)]
    return {chunk.path_in_schema: chunk.compression for chunk in chunks}
