"""Blocks of whole records, as a file's bytes come."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

from tasks.convert.cutting import Cutter
from tasks.convert.files import Plan, Target

BLOCK_BYTES = 256 * 1024


def test_a_record_of_many_blocks_is_in_memory_twice_at_most() -> None:
    """It is copied once for each block that it goes on in: where it lay, and where the next bytes are to follow it."""
    cutter = Cutter(Plan(Target("rows", Path(), {}), None), ".jsonl", BLOCK_BYTES, BLOCK_BYTES)

    tracemalloc.start()
    record_bytes = 0
    for _ in range(32):
        record_bytes += len(cutter.room)
        assert cutter.feed(len(cutter.room), final=False) == []
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert record_bytes < peak_bytes < 2 * record_bytes + 2 * BLOCK_BYTES
