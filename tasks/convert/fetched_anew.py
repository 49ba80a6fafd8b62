"""Rows that were fetched anew because they were lost: how many of them the source gives otherwise now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from tasks.convert.draft import Draft
from tasks.convert.files import ConvertedFile, InputFile
from tasks.convert.manifest import TableManifest
from tasks.convert.part import Part
from tasks.spec import FilesSource


def tell_fetched_anew(draft: Draft, manifest: TableManifest, changed: Sequence[InputFile]) -> tuple[str, ...]:
    """Return a sentence on raw files that hold other rows than when the table was made of them.

    A source without `refresh` is asked again only where what was landed is gone, or
    is asked for in another way: its table mixes rows of then and now.
    """
    source = draft.job.source
    if isinstance(source, FilesSource) or source.refresh is not None:
        return ()
    names = [file.name for file in changed if _is_other(manifest.files.get(file.name), draft.files.get(file.name))]
    if not names:
        return ()
    versions = draft.job.versions
    before = _hashes({versions.current / "table" / part.name: part for part in manifest.parts.values()}, names)
    now = _hashes({versions.find_part("table", part.name): part for part in draft.parts.values()}, names)
    gone, new = _count_beyond(before, now), _count_beyond(now, before)
    if not (gone or new):
        return ()
    more = f" and {len(names) - 1} more raw files" if len(names) > 1 else ""
    return (
        f"{names[0]}{more} came anew and the source has changed meanwhile: {gone:,} of {len(before):,} rows are no longer "
        f"as they were, and {new:,} are new; what was fetched at another time stands beside them",
    )


def _is_other(before: ConvertedFile | None, now: ConvertedFile | None) -> bool:
    return before is not None and now is not None and bool(before.digest) and before.digest != now.digest


def _hashes(parts: Mapping[Path, Part], names: Sequence[str]) -> np.ndarray:
    """Return a hash of each row that is of one of the files."""
    wanted = set(names)
    found = [_hash_rows(path, part, wanted) for path, part in parts.items() if part.rows.keys() & wanted]
    return np.concatenate(found) if found else np.array([], dtype=np.uint64)


def _hash_rows(path: Path, part: Part, names: set[str]) -> np.ndarray:
    """Return a hash of each row, whatever types and order its columns have; of a part that cannot be read, nothing."""
    try:
        table = pq.read_table(path, partitioning=None)
    except (OSError, pa.ArrowException):
        return np.array([], dtype=np.uint64)
    kept = np.repeat([name in names for name in part.rows], list(part.rows.values()))
    frame: pd.DataFrame = table.filter(pa.array(kept)).to_pandas()
    numbers = frame.select_dtypes("number").columns  # 1 is 1.0, where a value that is new has widened the type
    plain = frame.astype(dict.fromkeys(numbers, "float64")).astype(str)
    texts = plain.where(frame.notna(), "")[sorted(frame.columns)]
    hashes: np.ndarray = pd.util.hash_pandas_object(texts, index=False).to_numpy()
    return hashes


def _count_beyond(some: np.ndarray, others: np.ndarray) -> int:
    """Return how many of some values have no partner among others."""
    values, counts = np.unique(some, return_counts=True)
    other_values, other_counts = np.unique(others, return_counts=True)
    partners = dict(zip(other_values.tolist(), other_counts.tolist(), strict=True))
    return int(sum(max(0, n - partners.get(v, 0)) for v, n in zip(values.tolist(), counts.tolist(), strict=True)))
