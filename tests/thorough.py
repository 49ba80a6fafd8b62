"""How much is tried of what takes minutes: all of it where TIDEMILL_KILLS is set, and else a part."""

from __future__ import annotations

import os

import pytest

ALL = "TIDEMILL_KILLS" in os.environ
KILLS = 20 if ALL else 8
"""How often a stage is killed at a moment that is drawn."""


def takes_minutes(why: str) -> pytest.MarkDecorator:
    """Return the mark of a test that runs only where all of them do."""
    return pytest.mark.skipif(not ALL, reason=f"set TIDEMILL_KILLS=1: {why}")
