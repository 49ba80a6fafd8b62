"""A lease in a bucket: one run of a pipeline at a time, and none that is held for ever."""

from __future__ import annotations

import os
import time

import pytest
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from tasks.core.bucket.lease import Lease
from tasks.core.bucket.mirror import Mirror
from tasks.core.storage import process_lives
from tests.stores import relaying


def lease_of(mirror: Mirror, holder: str) -> Lease:
    """Return the lease of a pipeline for a run."""
    return Lease(mirror.store, "shop", holder, process_lives)


def test_answers_that_are_lost_leave_a_lease_where_it_is(here: Mirror, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who took it, or renewed it, has it; and a store whose answer was lost is not taken for one that keeps no conditions."""
    monkeypatch.setattr("tasks.core.bucket.lease.RENEWED_EVERY_S", 0.05)
    with relaying(os.environ["AWS_ENDPOINT_URL"]) as relay:
        monkeypatch.setenv("AWS_ENDPOINT_URL", relay.address)
        mirror = Mirror.at(here.root)
        assert mirror is not None
        relay.lost_answers_of = ".proof-"
        mirror.store.prove_conditions(".tidemill/.proof-1")
        lease = Lease(mirror.store, "shop", "run 1", process_lives)
        relay.lost_answers_of = "turns/shop.json"
        assert lease.take()
        relay.lost_answers_of = "turns/shop.json"
        renewed = len(relay.asked) + 20
        for attempt in Retrying(stop=stop_after_delay(90), wait=wait_fixed(0.05)):
            with attempt:
                assert len(relay.asked) > renewed
        assert lease.is_renewing
        lease.give_back()

    assert lease_of(here, "run 2").take()


def test_a_lease_is_one_runs_until_it_gives_it_back(here: Mirror, there: Mirror) -> None:
    """The other is told who has it, and takes it then."""
    first, second = lease_of(here, "run 1"), lease_of(there, "run 2")
    assert first.take()
    try:
        assert (second.take(), second.held_by) == (False, "run 1")
    finally:
        first.give_back()

    assert second.take()
    second.give_back()


def test_a_lease_of_a_killed_run_of_this_machine_is_taken_at_once(here: Mirror, there: Mirror) -> None:
    """Its process is gone."""
    killed = Lease(here.store, "shop", "killed", process_lives)
    assert killed.take()
    after = Lease(there.store, "shop", "next", lambda _: False)

    assert after.take()
    for lease in (killed, after):
        lease.give_back()
    assert lease_of(here, "last").take()


def test_a_lease_of_another_machine_is_taken_when_no_sign_comes(
    here: Mirror, there: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not while its holder renews it; and of two that find it left one takes it."""
    monkeypatch.setattr("tasks.core.bucket.lease.RENEWED_EVERY_S", 0.05)
    monkeypatch.setattr("tasks.core.bucket.lease.LEFT_AFTER_S", 0.5)
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr("tasks.core.bucket.lease._place", lambda: "elsewhere")
        held = lease_of(here, "run 1")
    waiting = [lease_of(there, "run 2"), lease_of(there, "run 3")]
    assert held.take()
    ended = time.monotonic() + 1.0
    while time.monotonic() < ended:
        assert not any(lease.take() for lease in waiting)
    held._ended.set()
    until = Retrying(
        stop=stop_after_delay(90), wait=wait_fixed(0.05), retry=retry_if_result(lambda took: not any(took))
    )
    taken = until(lambda: [lease.take() for lease in waiting])

    assert taken.count(True) == 1
    for lease in waiting:
        lease.give_back()
