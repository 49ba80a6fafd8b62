"""Several tokens in turn, each with its own budget: in virtual time, and against a real site that counts for each."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tasks.config import ApiSource
from tasks.core.errors import PermanentSourceError, SourceError
from tasks.ingest.throttle.limiter import Answer, HostLimits, HostThrottle, RetryAfterTooLongError
from tasks.ingest.throttle.turns import Turns
from tests.ingest.simulation import Server, SlidingWindow, TokenBucket, now
from tests.ingest.sources import QUICK, WARNED, api, job_of, land_one, land_with, open_quietly, read_rows
from tests.site.budgets import BUDGETED, PER_TOKEN
from tests.site.server import Site
from tests.virtual_time import run

LIMITS = HostLimits(start=8, minimum=1, maximum=64)
HELD = [{"env": "TOKEN_1"}, {"env": "TOKEN_2"}]
SECRETS = {"tokens.0": "token-one-5e1a", "tokens.1": "token-two-9b3c"}
AUTH = {"kind": "bearer", "tokens": HELD}


async def ask_on(turns: Turns, throttles: Sequence[HostThrottle], servers: Sequence[Server], until_s: float) -> None:
    """Send one request after the other by whichever budget allows it, with back-off after a failure."""
    random, failed = Random(1), 0
    while now() < until_s:
        place, _ = await turns.acquire(60, range(len(throttles)))
        sent_at, answer = now(), await servers[place].answer()
        if answer is Answer.REFUSED and servers[place].retry_after_s:
            throttles[place].pause(servers[place].retry_after_s)
        throttles[place].release(sent_at, answer)
        failed = 0 if answer is Answer.CLEAN else failed + 1
        if failed:
            await asyncio.sleep(random.uniform(0, 0.2 * 2 ** min(failed - 1, 5)))


async def served(servers: Sequence[Server], *, clients: int = 60, until_s: float = 40.0) -> list[float]:
    """Return the answers a second that each server, which is one token's budget, gave once the throttles have settled."""
    throttles = [HostThrottle(LIMITS) for _ in servers]
    async with asyncio.TaskGroup() as group:
        for _ in range(clients):
            group.create_task(ask_on(Turns(throttles), throttles, servers, until_s))
    return [server.per_s(10, until_s) for server in servers]


@pytest.mark.parametrize("kind", [SlidingWindow, TokenBucket])
@pytest.mark.parametrize("retry_after_s", [0.0, 1.0])
def test_two_tokens_get_twice_what_one_gets(kind: type[SlidingWindow], retry_after_s: float) -> None:
    """Of a host that allows so many a second with each, and refuses the others."""
    one = run(served([kind(1, retry_after_s=retry_after_s)]))
    servers = [kind(seed, retry_after_s=retry_after_s) for seed in (1, 2)]
    two = run(served(servers))

    assert 1.8 * sum(one) <= sum(two) <= 2.2 * sum(one)
    assert min(two) >= 0.8 * max(two)
    assert max(server.refused_share(10.0) for server in servers) < 0.1


def test_a_token_that_is_to_rest_for_long_stops_nobody() -> None:
    """While one pauses for an hour, those who stood in line for it go by the other, and nothing is sent with the first."""

    async def ask() -> tuple[list[int], float]:
        throttles = [HostThrottle(HostLimits(1, 1, 1)) for _ in range(2)]
        turns, went = Turns(throttles), list[int]()

        async def send() -> None:
            place, _ = await turns.acquire(60, range(2))
            went.append(place)
            sent_at = now()
            await asyncio.sleep(0.1)
            if place == 0:
                throttles[0].pause(3600)
            throttles[place].release(sent_at, Answer.REFUSED if place == 0 else Answer.CLEAN)

        await asyncio.gather(*(send() for _ in range(20)))
        return went, now()

    went, took_s = run(ask())

    assert (went.count(0), went.count(1)) == (1, 19)
    assert took_s < 3


def test_where_all_are_to_rest_the_first_that_may_is_waited_for() -> None:
    """A rest that is longer than a request waits is an error only where that of each token is."""

    async def ask(rests: Sequence[float]) -> tuple[int, float]:
        throttles = [HostThrottle(LIMITS) for _ in rests]
        for throttle, rest_s in zip(throttles, rests, strict=True):
            throttle.pause(rest_s)
        place, stood_s = await Turns(throttles).acquire(60, range(len(rests)))
        assert stood_s == pytest.approx(0, abs=1e-3)
        return place, now()

    place, waited_s = run(ask([3600, 20]))

    assert (place, round(waited_s)) == (1, 20)
    with pytest.raises(RetryAfterTooLongError):
        run(ask([3600, 90]))


def budgeted(site: Site, auth: dict[str, Any], **changes: Any) -> ApiSource:
    """Return a source of numbered pages, of which each token is given a few at a time."""
    return api(site, "/budgeted", auth=auth, requests=QUICK | {"deadline_s": 60, "max_in_flight": 16} | changes)


@pytest.mark.parametrize(
    ("auth", "secrets"),
    [
        (AUTH, SECRETS),
        (
            {"kind": "api_key", "name": "key", "place": "query", "keys": HELD},
            {key.replace("token", "key"): secret for key, secret in SECRETS.items()},
        ),
    ],
)
async def test_a_site_that_counts_for_each_token_gives_all_pages_by_both(
    site: Site, tmp_path: Path, auth: dict[str, Any], secrets: dict[str, str]
) -> None:
    """Where one is used up with a long Retry-After, every other page comes by the other: nothing waits, and no page is lost."""
    landed = await land_one(budgeted(site, auth), tmp_path, secrets)

    assert read_rows(landed.path) == [{"page": page} for page in range(1, BUDGETED + 1)]
    assert site.given["token-one-5e1a"] == PER_TOKEN
    assert site.given["token-two-9b3c"] == BUDGETED - PER_TOKEN
    assert landed.requests - BUDGETED <= 8
    assert not [secret for secret in secrets.values() if secret in str(WARNED)]
    assert [word for word in WARNED if "with auth.tokens.0 is left alone for 30 s" in word or "auth.keys.0" in word]


async def test_tokens_that_are_all_used_up_are_one_error(site: Site, tmp_path: Path) -> None:
    """With the time that the host asks for."""
    source = budgeted(site, AUTH, deadline_s=5)

    with pytest.raises(
        SourceError, match=r"the host asks to be left alone for [0-9]+ s, longer than requests.deadline_s"
    ):
        await land_one(source, tmp_path, {"tokens.0": "token-one-5e1a", "tokens.1": "token-one-5e1a"})


async def test_two_sources_share_the_budget_of_a_token(site: Site, tmp_path: Path) -> None:
    """Which is that of the token, and of no source: what one used up, the other does not try."""
    source = budgeted(site, AUTH)
    async with open_quietly(source) as client:
        jobs = [job_of(source, tmp_path / str(number)) for number in range(2)]
        landed = [await land_with(client, job, SECRETS) for job in jobs]

    assert [each.rows for each in landed] == [BUDGETED] * 2
    assert site.given["token-one-5e1a"] == PER_TOKEN
    assert landed[1].requests == BUDGETED


async def test_a_token_that_is_refused_is_left_out(site: Site, tmp_path: Path) -> None:
    """One that has ended is tried once in a run, and told; the pages come by the other."""
    secrets = SECRETS | {"tokens.0": "token-of-yore"}
    source = budgeted(site, AUTH, start_in_flight=1, max_in_flight=1)

    landed = await land_one(source, tmp_path, secrets)

    assert landed.rows == BUDGETED
    assert len([seen for seen in site.seen if "yore" in seen.headers["authorization"]]) == 1
    assert WARNED == [
        "auth.tokens.0 was refused with 401, and another was not: it is left out from now on",
    ]


async def test_tokens_that_are_all_refused_are_one_error(site: Site, tmp_path: Path) -> None:
    """Each was tried once."""
    secrets = {"tokens.0": "token-of-yore", "tokens.1": "token-of-long-ago"}

    with pytest.raises(
        PermanentSourceError, match=r"was refused with 401 Unauthorized: 'who is \*\*\*\?'; check what auth"
    ):
        await land_one(api(site, "/budgeted", auth=AUTH, pagination={"kind": "single"}), tmp_path, secrets)

    assert len(site.seen) == 2


async def test_no_other_host_is_told_a_token(site: Site, other_site: Site, tmp_path: Path) -> None:
    """Where a redirect leads to one that the source may go to."""
    site.redirect_to = other_site.url
    host = other_site.url.split("/")[2]

    await land_one(
        api(site, "/redirect-to-other-host", auth=AUTH, allow_hosts=[host], pagination={"kind": "single"}),
        tmp_path,
        SECRETS,
    )

    assert [seen.headers.get("authorization") for seen in other_site.seen] == [None]
