"""The garbage collector kept from walking, again and again, over what was imported."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def freezing_old_objects() -> Iterator[None]:
    """Leave the objects there are out of collections while the block runs.

    Half a million objects of imported packages are not garbage: walking over
    them took a fifth of the time of an ingest of 3,000 pages.
    """
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
