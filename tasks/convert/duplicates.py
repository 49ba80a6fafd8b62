"""Duplicates: of the rows with the same key one is kept, the first or the last."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from tasks.convert.part import Part
from tasks.errors import TableError


def find_duplicates(
    parts: Mapping[str, tuple[Part, Path]], files: Sequence[str], key: Sequence[str], keep: Literal["first", "last"]
) -> dict[str, np.ndarray]:
    """Return, for each part that has any, which of its rows have a key that another row has, which is kept.

    Files count in the order given. A row with a null in its key is no duplicate:
    nothing identifies it.

    Raises:
        TableError: a column of the key is not in the table.

    """
    pieces = []
    for name, (part, path) in parts.items():
        frame = _read_key(path, part, key)
        order = {file: number for number, file in enumerate(files)}
        frame["_file"] = np.repeat([order[file] for file in part.rows], list(part.rows.values()))
        frame["_part"], frame["_row"] = name, np.arange(len(frame))
        pieces.append(frame)
    if not pieces:
        return {}
    every = pd.concat(pieces, ignore_index=True).sort_values("_file", kind="stable")
    names = [f"key {name}" for name in key]
    repeated = every[every.duplicated(names, keep=keep) & every[names].notna().all(axis=1)]
    return {str(name): rows["_row"].to_numpy() for name, rows in repeated.groupby("_part")}


def _read_key(path: Path, part: Part, key: Sequence[str]) -> pd.DataFrame:
    names = pq.read_schema(path).names
    if not names:  # of nothing but empty files
        return pd.DataFrame({f"key {name}": [] for name in key})
    for name in key:
        if name not in names:
            raise TableError(f"key: {name!r} is not a column; the columns are {', '.join(names)}")
    # Beside a null, integers as floats would make long ones look the same.
    table = pq.read_table(path, columns=list(dict.fromkeys(key)), partitioning=None)
    frame: pd.DataFrame = table.to_pandas(integer_object_nulls=True)
    return pd.DataFrame({f"key {name}": frame[name] for name in key}, index=range(part.total))
