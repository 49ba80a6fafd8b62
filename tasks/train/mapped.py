"""The training set as a table over the mapped file: nothing is copied until it is read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa

_MAGIC_BYTES = 8  # ARROW1 and padding; an Arrow file then goes on as an Arrow stream does


@contextmanager
def mapped_table(path: Path) -> Iterator[pa.Table]:
    """Yield the table of an Arrow file.

    It is read as the stream that it holds: Arrow's reader of files starts
    threads, and a fit is to have one.
    """
    with pa.memory_map(str(path)) as mapped:
        mapped.seek(_MAGIC_BYTES)
        yield pa.ipc.open_stream(mapped).read_all()
