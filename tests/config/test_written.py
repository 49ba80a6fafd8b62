"""Numbers of a request are sent as they are written, or refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from tasks.config import ApiSource, load_pipeline
from tasks.core.errors import ConfigError

API = "name: p\nsources:\n  s:\n    kind: api\n    url: http://h/\n    method: POST\n    body: {a: 1}\n"
BODY = "    body: {a: 1}\n"


def load(folder: Path, lines: str, without: str = "") -> ApiSource:
    """Return the source of a pipeline file with some lines more."""
    path = folder / "pipeline.yaml"
    path.write_text(API.replace(without, "") + f"    {lines}\n" if without else API + f"    {lines}\n")
    source = load_pipeline(path).sources["s"]
    assert isinstance(source, ApiSource)
    return source


@pytest.mark.parametrize(
    ("lines", "key", "written", "sent"),
    [
        ("partitions: {fips: [02, 01]}", "partitions.fips.1", "01", "1"),
        ("partitions: {month: {range: [01, 12]}}", "partitions.month.range.0", "01", "1"),
        ("params: {zip: 01234}", "params.zip", "01234", "1234"),
        ("params: {v: 1.10}", "params.v", "1.10", "1.1"),
        ("params: {limit: 1_000}", "params.limit", "1_000", "1000"),
        ("params: {a: 0x1F}", "params.a", "0x1F", "31"),
        ("params: {a: +1}", "params.a", "+1", "1"),
        ("params: {a: 1e3}", "params.a", "1e3", "1000.0"),
        ("headers: {X-Version: 1.0}\n    params: {a: &x {b: 2.50}}", "params.a.b", "2.50", "2.5"),
        ("headers: {X-Version: 2.0}\n    params: {<<: {v: 1.20}}", "params.v", "1.20", "1.2"),
    ],
)
def test_a_number_that_would_be_sent_otherwise_is_refused(
    tmp_path: Path, lines: str, key: str, written: str, sent: str
) -> None:
    """01 is not 1 to a server: the sentence gives both, and the cure."""
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, lines)

    sentence = (
        f"sources.s.{key}: {written} is a number to YAML, and would be sent as {sent}; "
        f'write it in quotes, "{written}", or write {sent}'
    )
    assert any(mistake.endswith(sentence) for mistake in caught.value.mistakes)


def test_a_number_in_a_body_is_refused_as_well(tmp_path: Path) -> None:
    """However deep it stands."""
    with pytest.raises(ConfigError, match=r"sources\.s\.body\.filter\.zips\.0: 01 is a number to YAML"):
        load(tmp_path, "body: {filter: {zips: [01]}}", without=BODY)


@pytest.mark.parametrize(
    ("value", "read"), [('"01"', "01"), ("1", 1), ("1.1", 1.1), ("-5", -5), ("2013-01-01", "2013-01-01"), ("1.0", 1.0)]
)
def test_a_value_that_is_sent_as_it_is_written_is_right(tmp_path: Path, value: str, read: float | str) -> None:
    """In quotes, as a number that is written plainly, or as a date."""
    assert load(tmp_path, f"params: {{a: {value}}}").params["a"] == read
