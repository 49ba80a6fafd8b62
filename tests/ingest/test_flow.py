"""The ingest flow on a real Prefect server: what is landed, skipped, retried and reported."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from prefect.client.orchestration import get_client

from flows.ingest import ingest
from flows.pipeline import pipeline as whole_pipeline
from tasks.errors import StageError
from tasks.ingest.warned import MOST
from tasks.store import read_json
from tasks.spec import Pipeline
from tests.ingest.sources import api, list_files, pages, read_rows
from tests.site import ITEMS, Site

pytestmark = [pytest.mark.flow, pytest.mark.usefixtures("prefect_server")]

ONCE = {"attempts": 1}


def pipeline(**sources: Any) -> Pipeline:
    """Return a pipeline of sources."""
    return Pipeline(name="test", sources=sources)


def partly(site: Site) -> dict[str, Any]:
    """Return a source of which one partition of three is refused."""
    return {"things": api(site, "/{part}", partitions={"part": ["items", "404", "busy"]})}


async def test_every_source_is_landed_and_then_skipped(site: Site, tmp_path: Path) -> None:
    """All partitions of all sources are landed; a second run finds them, and asks nothing, until told to."""
    spec = pipeline(
        items=api(site, "/items", partitions={"part": ["x", "y"], "month": {"range": [1, 2]}}),
        letters=pages(site, "/page-1"),
    )

    first = await ingest(spec, tmp_path)
    asked = len(site.seen)
    second = await ingest(spec, tmp_path)
    asked_again = len(site.seen)
    fresh = await ingest(spec, tmp_path, fresh=True)

    assert [(s.source, len(s.landed), s.total("rows"), s.total("requests"), s.failures) for s in first] == [
        ("items", 4, 28, 12, ()),
        ("letters", 1, 5, 3, ()),
    ]
    assert [landed.partition for landed in first[0].landed] == [
        "part=x,month=1",
        "part=x,month=2",
        "part=y,month=1",
        "part=y,month=2",
    ]
    assert [(s.total("rows"), s.total("requests"), s.total("reused")) for s in second] == [(28, 0, 4), (5, 0, 1)]
    assert (asked, asked_again, len(site.seen)) == (15, 15, 30)
    assert [(s.total("rows"), s.total("requests"), s.total("reused")) for s in fresh] == [(28, 12, 0), (5, 3, 0)]


async def test_a_partition_that_fails_does_not_stop_the_others(site: Site, tmp_path: Path) -> None:
    """One partition is refused: the others are landed, it is asked once, and the stage names it with the cause."""
    with pytest.raises(
        StageError,
        match=r"source things, partition part=404: GET http://.*/404\?page=1 was refused with 404 .*; correct",
    ):
        await ingest(pipeline(**partly(site)), tmp_path)

    assert list_files(tmp_path / "raw" / "things") == [
        "part=busy.json",
        "part=busy.jsonl.zst",
        "part=items.json",
        "part=items.jsonl.zst",
    ]
    assert site.paths.count("/404?page=1") == 1


async def test_partial_data_may_be_allowed(site: Site, tmp_path: Path) -> None:
    """With allow_partial the stage goes on, and says what is not there."""
    spec = pipeline(**partly(site)).model_copy(update={"allow_partial": True})

    (landed,) = await ingest(spec, tmp_path)

    assert [of_one.partition for of_one in landed.landed] == ["part=items", "part=busy"]
    assert [(failure.partition, "404 Not Found" in failure.cause) for failure in landed.failures] == [
        ("part=404", True)
    ]


async def test_a_partition_that_may_pass_is_tried_once_more(site: Site, tmp_path: Path) -> None:
    """What fails beyond the client's attempts is retried by Prefect: it comes, or fails for good."""
    spec = pipeline(
        comes=api(site, "/503-once", requests=ONCE, pagination={"kind": "single"}),
        stays=api(site, "/500-always", requests=ONCE),
    ).model_copy(update={"allow_partial": True})

    comes, stays = await ingest(spec, tmp_path)

    assert (read_rows(comes.landed[0].path), comes.failures) == (ITEMS[:3], ())
    assert [failure.cause.split("; ")[0] for failure in stays.failures] == [
        f"GET {site.url}/500-always?page=1 failed 1 times, at last with: 500 Internal Server Error"
    ]
    assert sorted(site.paths) == ["/500-always?page=1"] * 2 + ["/503-once"] * 2


async def test_a_missing_token_stops_its_source_only(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A source without its token is one failure; the others are landed, and what it has landed needs no token."""
    source = api(site, "/items", auth={"kind": "bearer", "token": {"env": "TIDEMILL_TEST_TOKEN"}}, partitions={"part": ["x"]})
    more = source.model_copy(update={"partitions": {"part": ("x", "y")}})
    monkeypatch.setenv("TIDEMILL_TEST_TOKEN", "sesame")
    await ingest(pipeline(closed=source), tmp_path)

    monkeypatch.delenv("TIDEMILL_TEST_TOKEN")
    again = await ingest(pipeline(closed=source), tmp_path)
    with pytest.raises(StageError, match=r"^source closed, partition part=y: auth.token: .* is not set; set it$"):
        await ingest(pipeline(closed=more, open=pages(site, "/page-3")), tmp_path)

    assert [of_one.total("reused") for of_one in again] == [1]
    assert list_files(tmp_path / "raw" / "open") == ["all.json", "all.jsonl.zst"]
