"""A pipeline file that is deeper or larger than any that is written by hand ends in one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from tasks.config import load_pipeline
from tasks.core.errors import ConfigError

SOURCES = "name: p\nsources: {s: {kind: api, url: 'http://h/{a}', partitions: %s}}\n"
LAUGHS = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12)
)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (LAUGHS, "holds more than 100,000 values, each alias counted as what it stands for"),
        ("name: " + "[" * 150 + "]" * 150, "is nested in more than 100 levels"),
        ("name: " + "[" * 20_000 + "]" * 20_000, "is nested too deeply; write a pipeline file by hand"),
        ("name: " + "9" * 5000, "has a value that is none .*digits.*; write a pipeline file by hand"),
        ("name: " + "9" * 4000, r"99999999999999999999\.\.\. has more digits than a number may; write it in quotes"),
        (
            SOURCES % "{a: {range: [1, 1000000000]}}",
            "has 1,000,000,000 values, and a source may have 100,000 partitions",
        ),
        (
            SOURCES % "{a: {range: [1, 1000]}, b: {range: [1, 1000]}}",
            "partitions have 1,000,000 combinations, and a source may have 100,000; fetch more with each",
        ),
    ],
)
def test_what_has_no_end_is_refused(tmp_path: Path, text: str, says: str) -> None:
    """Aliases upon aliases, brackets in brackets, digits, and ranges of all numbers."""
    path = tmp_path / "pipeline.yaml"
    path.write_text(text)

    with pytest.raises(ConfigError, match=says) as caught:
        load_pipeline(path)

    assert all(len(mistake) < 400 for mistake in caught.value.mistakes)
