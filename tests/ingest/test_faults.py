"""Servers that fail: what may pass is asked for again, what cannot is one error, and no half is written."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import Any

import pytest

from tasks.errors import PermanentSourceError, SourceError
from tests.ingest.sources import QUICK, api, land_one, list_files, read_rows
from tests.site import ITEMS, Site


@pytest.mark.parametrize("path", ["/503-once", "/drop-once", "/truncated-once", "/broken-gzip-once"])
async def test_a_fault_that_passes_costs_one_more_request(site: Site, tmp_path: Path, path: str) -> None:
    """Each of three pages fails once and then comes: all rows are there, and the retries are counted."""
    landed = await land_one(api(site, path), tmp_path)

    assert read_rows(landed.path) == ITEMS
    assert (landed.rows, landed.pages, landed.requests, landed.retries) == (7, 3, 6, 3)
    assert sorted(site.paths) == [f"{path}?page={page}" for page in (1, 1, 2, 2, 3, 3)]


async def test_a_fault_that_stays_is_one_error_after_every_attempt(site: Site, tmp_path: Path) -> None:
    """An answer of 500 is asked for as often as attempts says; the error may pass and names the bounds."""
    with pytest.raises(
        SourceError, match=r"/500-always\?page=1 failed 3 times, at last with: 500 .*attempts \(3\)"
    ) as e:
        await land_one(api(site, "/500-always"), tmp_path)

    assert not isinstance(e.value, PermanentSourceError)
    assert (len(site.seen), list_files(tmp_path)) == (3, [])


async def test_a_failure_counts_its_own_attempts_only(site: Site, tmp_path: Path) -> None:
    """Pages that are fetched beside it do not add to the attempts that an error tells of."""
    source = api(site, "/429-above-4-in-flight", requests=QUICK | {"attempts": 1})

    with pytest.raises(SourceError, match="failed: 429 Too Many Requests"):
        await land_one(source, tmp_path)


async def test_the_deadline_ends_the_attempts(site: Site, tmp_path: Path) -> None:
    """When the deadline has passed there is no further attempt, however many are allowed."""
    requests = {"attempts": 100, "deadline_s": 0.3}

    with pytest.raises(SourceError, match=r"failed \d+ times, at last with: 500 .*deadline_s \(0.3\)"):
        await land_one(api(site, "/500-always", requests=requests), tmp_path)

    assert 1 <= len(site.seen) < 20


async def test_standing_in_line_does_not_count_towards_the_deadline(site: Site, tmp_path: Path) -> None:
    """Pages that wait for their turn for longer than the deadline still have their second attempt."""
    requests = {"max_in_flight": 1, "attempts": 100, "deadline_s": 0.5}
    source = api(site, "/busy-503-once", requests=requests)

    landed = await land_one(source, tmp_path)

    assert (landed.rows, landed.requests, landed.retries) == (12, 24, 12)


async def test_an_answer_that_takes_too_long_is_given_up(site: Site, tmp_path: Path) -> None:
    """An attempt ends after timeout_s; after the last the error says so."""
    requests = {"attempts": 2, "timeout_s": 0.1}

    with pytest.raises(
        SourceError, match=r"failed 2 times, at last with: no whole answer within 0.1 s; try again later"
    ):
        await land_one(api(site, "/slow", requests=requests), tmp_path)

    assert (len(site.seen), list_files(tmp_path)) == (2, [])


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("/401", r"refused with 401 Unauthorized: 'refused: None'; check what auth names"),
        ("/404", r"refused with 404 Not Found: 'no such thing'; correct the address or the partitions"),
        ("/redirect-loop", r"/redirect-loop\?page=1: more than 20 redirects, one after the other; correct the address"),
    ],
)
async def test_a_refusal_is_not_asked_for_again(site: Site, tmp_path: Path, path: str, sentence: str) -> None:
    """What trying again cannot help is one request, and one error that quotes the answer and says the cure."""
    with pytest.raises(PermanentSourceError, match=sentence):
        await land_one(api(site, path), tmp_path)

    assert len([seen for seen in site.seen if "page" in seen.path]) == 1
    assert list_files(tmp_path) == []


async def test_a_host_that_never_answers_is_given_up(site: Site, tmp_path: Path) -> None:
    """A port where nobody listens is named and asked again, for it may be starting, but not by Prefect once more."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    with pytest.raises(PermanentSourceError, match=rf"failed 3 times.*the host 127.0.0.1:{port} cannot be reached"):
        await land_one(api(site, "", url=f"http://127.0.0.1:{port}/items"), tmp_path)


async def test_a_host_that_hangs_up_is_asked_again(site: Site, tmp_path: Path) -> None:
    """A connection that is closed without an answer is a failure that may pass."""
    calls = []

    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        calls.append(await reader.readuntil(b"\r\n\r\n"))
        writer.close()

    async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(
            SourceError, match=r"failed 3 times, at last with: the connection broke \(Server disconnected"
        ):
            await land_one(api(site, "", url=f"http://127.0.0.1:{port}/items"), tmp_path)

    assert 3 <= len(calls) <= 6  # aiohttp itself asks a second time, at once, where the first connection is closed


@pytest.mark.parametrize(
    ("url", "value", "sentence"),
    [
        ("http://{part}/items", "a..b", r"GET http://a..b/items\?page=1: .*; correct the address"),
        ("http://127.0.0.1/{part}", "x" * 70_000, "the partition's values make no address: URL too long; correct them"),
    ],
)
async def test_an_address_that_cannot_be_is_one_error(
    site: Site, tmp_path: Path, url: str, value: str, sentence: str
) -> None:
    """An address that a partition's value makes impossible is refused at once."""
    with pytest.raises(PermanentSourceError, match=sentence):
        await land_one(api(site, "", url=url, partitions={"part": [value]}), tmp_path)


@pytest.mark.parametrize("changes", [{}, {"pagination": {"kind": "page"}, "records_at": None}])
async def test_what_was_landed_stays_when_it_cannot_be_fetched_again(
    site: Site, tmp_path: Path, changes: dict[str, Any]
) -> None:
    """After a failure the old rows are those of the old request still; nothing half-written is left."""
    before = await land_one(api(site, "/items"), tmp_path)

    with pytest.raises(PermanentSourceError):
        await land_one(api(site, "/third-page-broken", **changes), tmp_path)

    assert (list_files(tmp_path), read_rows(before.path)) == (["all.json", "all.jsonl.zst"], ITEMS)
