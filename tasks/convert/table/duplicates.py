"""Duplicates: of the rows with the same key one is kept, the first or the last."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import pyarrow.parquet as pq

from tasks.convert.parts.part import Part
from tasks.core.errors import TableError
from tasks.core.imports import import_once

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Duplicates:
    """By part, which of its rows have a key that another row has, which is kept; by file, how many `yielded` to an older file's."""

    rows: Mapping[str, np.ndarray] = field(default_factory=dict)
    yielded: Mapping[str, int] = field(default_factory=dict)


def find_duplicates(
    parts: Mapping[str, tuple[Part, Path]],
    files: Sequence[str],
    key: Sequence[str],
    keep: Literal["first", "last"],
    late: Collection[str] = (),
    places: Mapping[str, np.ndarray] | None = None,
) -> Duplicates:
    """Return the duplicates among the rows of all parts.

    Files count in the order given; `late` are those that are newer than their place in
    it. A row with a null in its key is no duplicate: nothing identifies it. `places`
    tells by part where its rows stood in their block, if they stand otherwise.

    Raises:
        TableError: a column of the key is not in the table.

    """
    pieces = []
    blocks: dict[str, int] = {}
    for name, (part, path) in parts.items():
        frame = _read_key(path, part, key)
        numbers = {file: number for number, file in enumerate(files)}
        frame["_file"] = np.repeat([numbers[file] for file in part.rows], list(part.rows.values()))
        frame["_part"], frame["_row"] = name, np.arange(len(frame))
        if places:  # the parts of one block are called alike, in their folders
            frame["_block"] = blocks.setdefault(name.rpartition("/")[2], len(blocks))
            frame["_place"] = places.get(name, frame["_row"])
        pieces.append(frame)
    if not pieces:
        return Duplicates()
    order = ["_file", "_block", "_place"] if places else ["_file"]
    every: pd.DataFrame = import_once("pandas").concat(pieces, ignore_index=True).sort_values(order, kind="stable")
    names = [f"key {name}" for name in key]
    is_repeated = every.duplicated(names, keep=keep) & every[names].notna().all(axis=1)
    repeated = every[is_repeated]
    rows = {str(name): rows["_row"].to_numpy() for name, rows in repeated.groupby("_part")}
    newer = [place for place, file in enumerate(files) if file in late]
    lost = repeated[repeated["_file"].isin(newer)]
    if lost.empty:
        return Duplicates(rows)
    kept = lost.merge(every[~is_repeated], on=names, suffixes=("", "_kept"))
    counts = Counter(kept.loc[~kept["_file_kept"].isin(newer), "_file"].tolist())
    return Duplicates(rows, {files[place]: count for place, count in sorted(counts.items())})


def _read_key(path: Path, part: Part, key: Sequence[str]) -> pd.DataFrame:
    new_frame: type[pd.DataFrame] = import_once("pandas").DataFrame
    names = pq.read_schema(path).names
    if not names:  # of nothing but empty files
        return new_frame({f"key {name}": [] for name in key})
    for name in key:
        if name not in names:
            raise TableError(f"key: {name!r} is not a column; the columns are {', '.join(names)}")
    # Beside a null, integers as floats would make long ones look the same.
    table = pq.read_table(path, columns=list(dict.fromkeys(key)), partitioning=None)
    frame: pd.DataFrame = table.to_pandas(integer_object_nulls=True)
    return new_frame({f"key {name}": frame[name] for name in key}, index=range(part.total))
