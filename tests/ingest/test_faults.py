"""Servers that fail: what may pass is asked for again, what cannot is one error, and no half is written."""

from __future__ import annotations

import asyncio
import re
import socket
import tracemalloc
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from tasks.core.errors import PermanentSourceError, SourceError
from tasks.core.escaping import count
from tests.ingest.kinds import COUNTED, COUNTED_OFFSETS, FOLLOWED, KINDS, SINGLE, UNCOUNTED, count_asked, of_kind
from tests.ingest.sources import QUICK, api, land_one, list_files, read_rows
from tests.site.api import BOMB_BYTES, CHANGED, bomb
from tests.site.items import ITEMS
from tests.site.raw import self_signed, serving_raw
from tests.site.server import Site

MIB = 2**20
POSTED: dict[str, Any] = {"method": "POST", "body": {"q": 1}, "pagination": {"kind": "single"}}


async def land_kinds(site: Site, kinds: Iterable[str], fault: str, folder: Path, **requests: Any) -> dict[str, Any]:
    """Land some kinds of pages at once, by a client each, and return the rows of each, or what went wrong."""

    async def land(kind: str) -> Any:
        try:
            landed = await land_one(of_kind(kind, site, fault, **requests), folder / kind)
        except SourceError as error:
            return error
        return read_rows(landed.path)

    return dict(zip(kinds, await asyncio.gather(*map(land, kinds)), strict=True))


def whole(kinds: Iterable[str]) -> dict[str, Any]:
    """Return all the rows of each kind of pages; a single one has the first page's."""
    return {kind: ITEMS[:3] if kind in SINGLE else ITEMS for kind in kinds}


@pytest.mark.parametrize("fault", ["none", "slow-drip", "chunks", "gzip", "deflate", "wrong-charset"])
async def test_what_is_no_fault_is_landed(site: Site, tmp_path: Path, fault: str) -> None:
    """Every kind of pages brings all rows in order, however the body is sent, with one request for each page that is."""
    assert await land_kinds(site, KINDS, fault, tmp_path) == whole(KINDS)
    assert {count_asked(site)[kind] for kind in COUNTED | COUNTED_OFFSETS | FOLLOWED} == {3}


@pytest.mark.parametrize(
    "fault",
    [
        "500-once",
        "429-once-retry-after-seconds",
        "429-once-retry-after-date",
        "503-once-retry-after-seconds",
        "drop-once",
        "chunks-cut-off-once",
        "truncated-once",
        "truncated-gzip-once",
        "broken-gzip-once",
        "silence-once",
        "slow-body-once",
    ],
)
async def test_a_fault_that_passes_costs_one_more_request(site: Site, tmp_path: Path, fault: str) -> None:
    """A page in the middle fails once and then comes: every kind of pages has all its rows, and asked once more."""
    assert await land_kinds(site, KINDS, fault, tmp_path, timeout_s=1.0) == whole(KINDS)
    assert {count_asked(site)[kind] for kind in COUNTED | COUNTED_OFFSETS | FOLLOWED} == {4}


@pytest.mark.parametrize(
    ("fault", "sentence", "asked"),
    [
        ("500-always", r"failed 3 times, at last with: 500 Internal Server Error; try again later", 3),
        ("404-always", r"was refused with 404 Not Found: 'not now'; correct the address", 1),
        ("huge-by-length", r"larger than requests.max_body_bytes \(1,048,576\): Content-Length is 1,000,000,000", 1),
        ("huge", r"larger than requests.max_body_bytes \(1,048,576\): it goes on; ask for smaller pages", 1),
        ("gzip-bomb", r"larger than requests.max_body_bytes \(1,048,576\): it goes on after decompression", 1),
        ("broken-json", r"answered application/json, which is not JSON: '\{\"items\":.*'; correct the address", 1),
        ("html", r"answered text/html, which is not JSON: '<h1>Please log in</h1>'; correct the address", 1),
    ],
)
async def test_a_fault_that_stays_is_one_error(
    site: Site, tmp_path: Path, fault: str, sentence: str, asked: int
) -> None:
    """A page in the middle that never comes is one sentence with the request and the cure, and no file is written."""
    kinds = [kind for kind in KINDS if (fault, kind) != ("404-always", "page, until none")]

    errors = await land_kinds(site, kinds, fault, tmp_path, max_body_bytes=MIB, backoff_first_s=0.01)

    said = {kind: re.search(sentence, str(error)) is not None for kind, error in errors.items()}
    assert said == dict.fromkeys(kinds, True)
    assert {str(error).split("/paged/")[0] for error in errors.values()} == {f"GET {site.url}", f"POST {site.url}"}
    assert {count_asked(site)[kind] for kind in SINGLE} == {asked}
    assert {count_asked(site)[kind] for kind in FOLLOWED} == {1 + asked}
    assert list_files(tmp_path) == []


@pytest.mark.parametrize("fault", ["empty", "null", "204"])
async def test_an_empty_page_ends_only_what_it_is_said_to_end(site: Site, tmp_path: Path, fault: str) -> None:
    """An empty page before others is no end; but where an answer that should name the next page has nothing, it is."""
    ends = FOLLOWED if fault == "204" else {}
    goes_on = COUNTED | UNCOUNTED | ({} if ends else FOLLOWED)

    rows = await land_kinds(site, KINDS.keys() - COUNTED_OFFSETS, fault, tmp_path)

    assert rows == (
        {kind: [] for kind in SINGLE} | dict.fromkeys(goes_on, ITEMS[:3] + ITEMS[6:]) | dict.fromkeys(ends, ITEMS[:3])
    )


@pytest.mark.parametrize(("fault", "rows"), [("short", 1), ("empty", 0)])
async def test_offsets_do_not_pass_over_rows(site: Site, tmp_path: Path, fault: str, rows: int) -> None:
    """A page with fewer rows than asked for, which is not the last by the count, is an error: rows may be missing."""
    errors = await land_kinds(site, COUNTED_OFFSETS, fault, tmp_path)

    sentence = f"a page has {count(rows, 'row')} where pagination.size says 3, and more follow"
    assert [sentence in str(error) for error in errors.values()] == [True, True]


async def test_records_that_change_their_type_are_landed_as_received(site: Site, tmp_path: Path) -> None:
    """Whether a value is a number, a text or a list is not asked when it is landed."""
    rows = await land_kinds(site, KINDS, "changed-types", tmp_path)

    changed = ITEMS[:3] + CHANGED + ITEMS[6:]
    assert rows == {kind: CHANGED if kind in SINGLE else changed for kind in KINDS}


async def test_a_bomb_is_stopped_early(site: Site, tmp_path: Path) -> None:
    """A GiB of zeros, sent as one MiB of gzip, takes no more memory than what is allowed of it."""
    source = api(
        site, "/paged/gzip-bomb?at=0", pagination={"kind": "single"}, requests=QUICK | {"max_body_bytes": "10MiB"}
    )
    sent = len(bomb())
    tracemalloc.start()

    with pytest.raises(PermanentSourceError, match=r"max_body_bytes \(10,485,760\): it goes on after decompression"):
        await land_one(source, tmp_path)

    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert sent < 2 * MIB < 32 * MIB < BOMB_BYTES
    assert most < 32 * MIB


async def test_a_body_as_large_as_allowed_is_landed(site: Site, tmp_path: Path) -> None:
    """The bound is the most that is allowed, compressed or not."""
    size = len(b'{"items":[{"id":1,"name":"item 1"}],"pages":3}')
    requests = QUICK | {"max_body_bytes": 400}

    landed = await land_one(api(site, "/paged/gzip?at=0", requests=requests), tmp_path)

    assert (read_rows(landed.path), size < 400) == (ITEMS, True)


async def test_a_body_longer_than_it_says_is_one_error(site: Site, tmp_path: Path) -> None:
    """A server whose bodies are longer than it tells is not to be trusted with where one ends."""
    body = b'[{"id": 1}]'
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (len(body) - 1)

    async with serving_raw(head + body) as (url, asked):
        with pytest.raises(
            SourceError, match=r"failed 3 times, at last with: the connection broke \(Bad status line\); try"
        ):
            await land_one(api(site, "", url=url), tmp_path)

    assert (len(asked), list_files(tmp_path)) == (3, [])


@pytest.mark.parametrize("status", [b"200 Gr\xfcn", b"404 Gr\xfcn", b"503 Gr\xfcn"])
async def test_the_words_of_a_status_are_of_no_matter(site: Site, tmp_path: Path, status: bytes) -> None:
    """Whatever bytes they are, the number says how it went."""
    async with serving_raw(b'HTTP/1.1 %b\r\nContent-Length: 11\r\n\r\n[{"id": 1}]' % status) as (url, _):
        source = api(site, "", url=url, pagination={"kind": "single"}, records_at=None)
        if status.startswith(b"200"):
            assert read_rows((await land_one(source, tmp_path)).path) == [{"id": 1}]
            return
        with pytest.raises(SourceError, match=status[:3].decode()):
            await land_one(source, tmp_path)


async def test_a_failure_counts_its_own_attempts_only(site: Site, tmp_path: Path) -> None:
    """Pages that are fetched beside it do not add to the attempts that an error tells of."""
    source = api(site, "/429-above-4-in-flight", requests=QUICK | {"attempts": 1})

    with pytest.raises(SourceError, match="failed 1 time, at last with: 429 Too Many Requests"):
        await land_one(source, tmp_path)


async def test_the_deadline_ends_the_attempts(site: Site, tmp_path: Path) -> None:
    """When the deadline has passed there is no further attempt, however many are allowed."""
    requests = {"attempts": 100, "deadline_s": 0.3}

    with pytest.raises(SourceError, match=r"failed \d+ times, at last with: 500 .*deadline_s \(0.3\)") as error:
        await land_one(api(site, "/500-always", requests=requests), tmp_path)

    assert not isinstance(error.value, PermanentSourceError)
    assert 1 <= len(site.seen) < 20


async def test_standing_in_line_does_not_count_towards_the_deadline(site: Site, tmp_path: Path) -> None:
    """Pages that wait for their turn for longer than the deadline still have their second attempt."""
    requests = {"max_in_flight": 1, "start_in_flight": 1, "attempts": 100, "deadline_s": 0.5, "backoff_max_s": 0.1}

    landed = await land_one(api(site, "/busy-503-once", requests=requests), tmp_path)

    assert (landed.rows, landed.requests, landed.retries) == (12, 24, 12)


async def test_an_answer_that_takes_too_long_is_given_up(site: Site, tmp_path: Path) -> None:
    """An attempt ends after timeout_s; after the last the error says so."""
    requests = {"attempts": 2, "timeout_s": 0.1}

    with pytest.raises(
        SourceError, match=r"failed 2 times, at last with: no whole answer within 0.1 s; try again later"
    ):
        await land_one(api(site, "/slow", requests=requests), tmp_path)

    assert (len(site.seen), list_files(tmp_path)) == (2, [])


@pytest.mark.parametrize("fault", ["500-once", "drop-once", "429-once-retry-after-seconds"])
async def test_a_post_is_not_sent_again(site: Site, tmp_path: Path, fault: str) -> None:
    """A POST that failed may have changed something: it is one request and one error, which names the key that allows more."""
    source = api(site, f"/paged/{fault}?at=0", **POSTED)

    with pytest.raises(
        PermanentSourceError, match=r"^POST .* a POST is not sent again, .*: add idempotent: true where"
    ):
        await land_one(source, tmp_path)

    assert [(seen.method, bytes(seen.body)) for seen in site.seen] == [("POST", b'{"q": 1}')]


async def test_a_post_that_is_idempotent_is_sent_again(site: Site, tmp_path: Path) -> None:
    """Where the pipeline file says that it changes nothing, the same body is sent once more."""
    landed = await land_one(api(site, "/paged/500-once?at=0", **POSTED, idempotent=True), tmp_path)

    assert (read_rows(landed.path), landed.retries) == (ITEMS[:3], 1)
    assert [bytes(seen.body) for seen in site.seen] == [b'{"q": 1}', b'{"q": 1}']


async def test_a_host_that_never_answers_is_given_up(site: Site, tmp_path: Path) -> None:
    """A port where nobody listens is named and asked again, for it may be starting, but not by Prefect once more."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    with pytest.raises(
        PermanentSourceError,
        match=rf"failed 3 times.*the host 127.0.0.1:{port} cannot be reached \(Connect call failed",
    ):
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


async def test_a_host_that_does_not_speak_http_is_one_error(site: Site, tmp_path: Path) -> None:
    """What is no HTTP is asked for as often as allowed, for a host may be starting, and then named."""
    async with serving_raw(b"220 smtp ready\r\n") as (url, _):
        with pytest.raises(
            SourceError, match=r"failed 3 times, at last with: the connection broke \(Bad status line\)"
        ):
            await land_one(api(site, "", url=url), tmp_path)


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


async def test_a_certificate_that_nobody_vouches_for_is_refused(site: Site, tmp_path: Path) -> None:
    """A host that proves itself by itself alone is asked nothing, and not tried again."""
    async with serving_raw(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]", tls=self_signed(tmp_path)) as (
        url,
        asked,
    ):
        with pytest.raises(
            PermanentSourceError,
            match=r"^GET https://127.0.0.1:\d+\?page=1: the certificate of 127.0.0.1 is not to be trusted "
            r"\(self-signed certificate\); correct the address",
        ):
            await land_one(api(site, "", url=url), tmp_path / "raw")

    assert (asked, list_files(tmp_path / "raw")) == ([], [])


async def test_a_host_without_tls_is_named(site: Site, tmp_path: Path) -> None:
    """An address of https where there is only http is to be corrected."""
    with pytest.raises(PermanentSourceError, match=r"127.0.0.1 does not speak TLS as it should \(.*\); correct the"):
        await land_one(api(site, "", url=site.url.replace("http", "https")), tmp_path)
