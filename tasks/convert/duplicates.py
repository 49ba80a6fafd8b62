"""Duplicates: of the rows with the same key one is kept, the first or the last."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from tasks.errors import TableError
from tasks.store import commit


def find_duplicates(
    parts: Mapping[str, Path], key: Sequence[str], keep: Literal["first", "last"]
) -> dict[str, list[int]]:
    """Return, for each part that has any, the indices of the rows whose key another row has, which is kept.

    Parts count in the order given. A row with a null in its key is no duplicate:
    nothing identifies it.

    Raises:
        TableError: a column of the key is not in the table.

    """
    keys = {name: _read_key(path, key) for name, path in parts.items()}
    every = pd.concat(keys.values(), ignore_index=True) if keys else pd.DataFrame(columns=list(key))
    repeated = every.duplicated(keep=keep) & every.notna().all(axis=1)
    ends = np.cumsum([len(frame) for frame in keys.values()])
    by_part = zip(keys, np.split(repeated.to_numpy(), ends[:-1]), strict=True) if keys else ()
    return {name: np.flatnonzero(rows).tolist() for name, rows in by_part if rows.any()}


def drop_rows(source: Path, target: Path, rows: Sequence[int]) -> None:
    """Commit the part at `source` without `rows` as `target`."""
    table = pq.read_table(source)
    kept = np.ones(table.num_rows, dtype=bool)
    kept[list(rows)] = False
    with commit(target) as part:
        pq.write_table(table.filter(pa.array(kept)), part, compression="zstd")


def _read_key(path: Path, key: Sequence[str]) -> pd.DataFrame:
    names = pq.read_schema(path).names
    if not names:  # a table of nothing but empty files
        return pd.DataFrame(columns=list(key))
    for name in key:
        if name not in names:
            raise TableError(f"key: {name!r} is not a column; the columns are {', '.join(names)}")
    # Beside a null, integers as floats would make long ones look the same.
    frame: pd.DataFrame = pq.read_table(path, columns=list(key)).to_pandas(integer_object_nulls=True)
    return frame
