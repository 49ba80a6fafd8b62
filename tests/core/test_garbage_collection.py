"""The garbage collector while much is made and little is garbage."""

from __future__ import annotations

import gc
from contextlib import ExitStack

import pytest

from tasks.core.garbage_collection import tuned_gc


@pytest.mark.parametrize("first_ends_first", [True, False])
def test_blocks_beside_each_other_leave_the_collector_as_it_was(*, first_ends_first: bool) -> None:
    """Sources are converted at once: the last to end, whichever it is, thaws what was frozen."""
    before, first, second = gc.get_threshold(), ExitStack(), ExitStack()
    first.enter_context(tuned_gc())
    second.enter_context(tuned_gc())
    begun = (gc.get_freeze_count() > 0, gc.get_threshold()[0] > before[0])

    ended = [first, second] if first_ends_first else [second, first]
    ended[0].close()
    between = (gc.get_freeze_count() > 0, gc.get_threshold()[0] > before[0])
    ended[1].close()

    assert begun == between == (True, True)
    assert (gc.get_threshold(), gc.get_freeze_count()) == (before, 0)
