"""A kind of answer from outside, as the page on extensions shows one."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.config import load_pipeline
from tasks.config.answers import ANSWERS
from tests.documented import documented
from tests.ingest.sources import land_one, read_rows
from tests.site.server import Site

PIPELINE = """
name: own
extensions: [fixed_answers:FixedAnswer]
sources:
  rows: {{kind: api, url: "{url}/echo/typed", answer: {{kind: fixed, widths: {{id: 3, name: 5}}}}}}
"""


@pytest.fixture(autouse=True)
def _documented(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Put the documented module where it can be imported, and take its kind away again."""
    with documented(ANSWERS, "An answer", tmp_path / "fixed_answers.py", monkeypatch):
        yield


async def test_a_kind_of_ones_own_makes_the_records(site: Site, tmp_path: Path) -> None:
    """Its rows are landed as texts, and what it cannot read as a reject."""
    site.echo, site.echo_body = "text/plain", b"001spoon\n12\n002fork \n"
    file = tmp_path / "pipeline.yaml"
    await asyncio.to_thread(file.write_text, PIPELINE.format(url=site.url))
    source = (await asyncio.to_thread(load_pipeline, file)).fetched["rows"]

    landed = await land_one(source, tmp_path / "raw")

    assert read_rows(landed.path) == [
        {"id": "001", "name": "spoon"},
        {"$reject": "2 characters where there are 8", "text": "12"},
        {"id": "002", "name": "fork"},
    ]
