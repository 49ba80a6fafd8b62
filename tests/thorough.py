"""How much is tried of what takes long: all of it where TIDEMILL_THOROUGH is set, and else one of each kind."""

from __future__ import annotations

import os

import pytest

ALL = "TIDEMILL_THOROUGH" in os.environ
KILLS = 20 if ALL else 5
"""How often a stage is killed at a moment that is drawn."""


def takes_minutes(why: str) -> pytest.MarkDecorator:
    """Return the mark of a test that runs only where all of them do."""
    return pytest.mark.skipif(not ALL, reason=f"set TIDEMILL_THOROUGH=1: {why}")
