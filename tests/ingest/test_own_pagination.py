"""A kind of pagination from outside, as the page on extensions shows one."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from flows.ingest import ingest
from tasks.config import ApiSource, Pipeline, load_pipeline
from tasks.config.pagination import PAGINATORS
from tasks.core.errors import ConfigError, PermanentSourceError
from tasks.ingest.landing.conditional_requests import is_validated_by_body
from tests.documented import documented
from tests.ingest.sources import land_one, read_rows
from tests.site.keyset import keyset_at
from tests.site.server import Site

ROWS = [{"id": place} for place in range(7)]
PIPELINE = """
name: own
extensions: [span_pages:SpanPagination]
sources:
  rows: {{kind: api, url: "{url}/keyset/span", records_at: items, pagination: {{kind: {kind}, {keys}}}}}
"""
KEYS = "end_at: span.end, total_at: span.of"


@pytest.fixture(autouse=True)
def _documented(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Put the documented module where it can be imported, and take its kind away again."""
    with documented(PAGINATORS, "A paginator", tmp_path / "span_pages.py", monkeypatch):
        yield


def load(site: Site, folder: Path, keys: str = KEYS, kind: str = "span") -> ApiSource:
    """Return the source of a pipeline file whose pagination has some keys."""
    keyset_at(site, rows=ROWS)
    file = folder / "pipeline.yaml"
    file.write_text(PIPELINE.format(url=site.url, kind=kind, keys=keys))
    source = load_pipeline(file).sources["rows"]
    assert isinstance(source, ApiSource)
    return source


async def test_a_kind_of_ones_own_turns_the_pages(site: Site, tmp_path: Path) -> None:
    """Its rows are all landed, with one request a page."""
    source = await asyncio.to_thread(load, site, tmp_path)

    landed = await land_one(source, tmp_path)

    assert read_rows(landed.path) == ROWS
    assert [seen.headers.get("x-continue-after") for seen in site.seen] == [None, "3", "6"]


def test_a_kind_that_does_not_say_so_may_read_headers(site: Site, tmp_path: Path) -> None:
    """An unchanged first body then does not mean that there are no further pages."""
    assert not is_validated_by_body(load(site, tmp_path))


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        (f"{KEYS}, max_pages: 1", r"more pages than pagination.max_pages \(1\)"),
        ("end_at: span.to, total_at: span.of", r"span\.to is None, no place; correct end_at and total_at"),
    ],
)
async def test_its_errors_are_those_of_the_source(site: Site, tmp_path: Path, keys: str, sentence: str) -> None:
    """Bounds are kept for it, and what it says itself is told in its words."""
    source = await asyncio.to_thread(load, site, tmp_path, keys)

    with pytest.raises(PermanentSourceError, match=sentence):
        await land_one(source, tmp_path)


@pytest.mark.parametrize(
    ("keys", "mistake"),
    [
        (f"{KEYS}, total: 3", r"rows\.pagination\.total: unknown key; did you mean total_at\?"),
        ("end_at: span.end", r"rows\.pagination\.total_at: is missing; add it"),
    ],
)
def test_its_keys_are_checked(site: Site, tmp_path: Path, keys: str, mistake: str) -> None:
    """A mistake in them is told as in those of any kind."""
    with pytest.raises(ConfigError, match=mistake):
        load(site, tmp_path, keys)


def test_an_error_names_it_beside_the_others(site: Site, tmp_path: Path) -> None:
    """A kind that there is not is told with all that there are."""
    with pytest.raises(ConfigError, match=r"'spam' is not one of single, .*, span; did you mean span\?"):
        load(site, tmp_path, kind="spam")


def test_it_stands_in_the_form(site: Site, tmp_path: Path) -> None:
    """The schema of the pipeline has its keys with their words."""
    load(site, tmp_path)

    schema = Pipeline.model_json_schema()["$defs"]["SpanPagination"]
    assert schema["properties"]["end_at"]["description"] == "Path in the body to the place of the last row."


@pytest.mark.flow
@pytest.mark.usefixtures("prefect_server")
async def test_a_run_lands_its_rows(site: Site, tmp_path: Path) -> None:
    """The flow takes it through its tasks as any other."""
    await asyncio.to_thread(load, site, tmp_path)
    config = await asyncio.to_thread(load_pipeline, tmp_path / "pipeline.yaml")

    (source,) = await ingest(config, tmp_path / "data")

    assert (source.total("rows"), source.failures) == (len(ROWS), ())
