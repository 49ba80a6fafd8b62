"""What the answers of a host tell."""

from __future__ import annotations

from random import Random

import pytest

from tasks.ingest.throttle.measurements import Failures, Latency, Throughput


def test_the_rate_is_that_of_the_last_second() -> None:
    """Answers of more than a second ago do not count in it."""
    delivered = Throughput()
    for number in range(1000):
        delivered.add(number / 100)  # 100 a second, for 10 s

    assert delivered.per_s(10.0) == pytest.approx(100, rel=0.15)
    assert delivered.per_s(10.5) == pytest.approx(50, rel=0.25)
    assert delivered.per_s(12.0) == 0


def test_a_cycle_counts_the_time_without_answers() -> None:
    """The rate of a cycle is over all of it."""
    delivered = Throughput()
    for number in range(200):
        delivered.add(number / 1000)

    assert delivered.cycle_s(2.0) == 2
    assert delivered.cycle_per_s(2.0) == 100

    delivered.begin_cycle(2.0)
    delivered.add(2.5)
    assert delivered.cycle_per_s(3.0) == 1


def test_the_baseline_is_the_lowest_window() -> None:
    """The recent latency is the mean of the last window, and the baseline the lowest of them."""
    latency = Latency()
    means = []
    for seconds in (0.02, 0.01, 0.05):
        for number in range(50):
            latency.add(number, number + seconds)
        assert latency.turn(8, is_first=False)
        means.append((round(latency.recent, 6), round(latency.baseline, 6)))

    assert means == [(0.02, 0.02), (0.01, 0.01), (0.05, 0.01)]
    assert not latency.turn(8, is_first=False)


@pytest.mark.parametrize(("share", "too_many"), [(0.04, False), (0.25, True), (1.0, True)])
def test_too_many_failures_are_told_from_accident(share: float, *, too_many: bool) -> None:
    """Four in a hundred are accident, a quarter is none."""
    random, failures = Random(1), Failures()

    assert any(fails(failures, share, random) for _ in range(2_000)) == too_many
    assert failures.share == pytest.approx(share, abs=0.15) or too_many


def test_a_share_that_is_usual_is_accident_from_then_on() -> None:
    """A host that always fails a third of its answers is strained by more only."""
    random, failures = Random(1), Failures()
    for _ in range(1_000):
        fails(failures, 0.3, random)

    assert sum(fails(failures, 0.3, random) for _ in range(1_000)) == 0
    assert any(fails(failures, 0.9, random) for _ in range(200))


def fails(failures: Failures, share: float, random: Random) -> bool:
    """Count an answer, which fails at random; return whether that is one too many."""
    if random.random() < share:
        return failures.failed()
    failures.answered()
    return False
