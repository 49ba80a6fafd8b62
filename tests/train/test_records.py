"""What one client sends is told to that client alone."""

from __future__ import annotations

import pytest

from tasks.core.errors import ConfigError
from tasks.train.scoring.records import read_records


@pytest.mark.parametrize("body", [b'[{"x": "\xff"}]', b'[{"x": 1', b"\xff\xfe"])
def test_a_body_that_is_no_json_is_a_mistake(body: bytes) -> None:
    """And no error of the endpoint, which all that are answered together would get."""
    with pytest.raises(ConfigError, match="the body is not JSON"):
        read_records(body, {"x": "number"}, 10)


def test_names_of_many_columns_are_told_at_once() -> None:
    """They are compared with those that lack as long as that helps a reader."""
    row = ", ".join(f'"feature_{number}x": 1' for number in range(20_000))

    with pytest.raises(ConfigError) as told:
        read_records(f"[{{{row}}}]".encode(), {f"feature_{number}": "number" for number in range(12)}, 10)

    assert "row 1: has no column 'feature_0'" in str(told.value)
