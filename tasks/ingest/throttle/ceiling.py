"""A host's ceiling, learned from its rejections: so many requests in flight, or so many a second; and the recovery after it."""

from __future__ import annotations

import math
from dataclasses import dataclass

CUT = 0.93  # of the ceiling: where the way begins
PLATEAU = 0.98  # of the ceiling: where it settles
FAR = 4.0  # ceilings by which it rises in another `settle_s` once it goes beyond
FIRST_S = 1.0
REST_S = 4.0
LONGEST_S = 8.0
LONGEST_AFTER_PAUSES_S = 16.0  # where trouble costs a second of silence, it has to be rare
PAUSE_S = 0.5
LATENCIES = 12  # trouble is heard of a latency late: the way takes at least so many


class CubicRecovery:
    """A limit as it goes with the time in which it is used.

    From somewhat below the ceiling it comes back quickly at first, lingers just
    below the ceiling for `settle_s`, and then rises beyond it, faster and faster:
    the cubic of TCP CUBIC (RFC 9438), by time and not by answers, so that a host
    that got faster is found as soon at a low rate as at a high one. A ceiling
    that proves right makes the next way longer.
    """

    def __init__(self) -> None:
        self.ceiling = math.inf
        self.age_s = 0.0
        self.settle_s = FIRST_S

    @property
    def limit(self) -> float:
        """Return the limit now."""
        beyond_s = self.age_s - self.settle_s
        if beyond_s < 0:
            return self.ceiling * (PLATEAU - (PLATEAU - CUT) * (-beyond_s / self.settle_s) ** 3)
        return self.ceiling * (PLATEAU + FAR * (beyond_s / self.settle_s) ** 3)

    @property
    def is_settled(self) -> bool:
        """Return whether the limit has been just below the ceiling, or is beyond."""
        return self.age_s >= self.settle_s

    def begin(self, ceiling: float) -> None:
        """Begin anew below a ceiling."""
        self.ceiling, self.age_s = ceiling, 0.0

    def rest(self, limit: float) -> None:
        """Linger at a limit for a while."""
        self.last_at_least(REST_S)
        self.ceiling, self.age_s = limit / PLATEAU, self.settle_s

    def lengthen(self, closed_s: float) -> None:
        """Take longer: the ceiling was right, and trouble cost `closed_s`."""
        self.settle_s = LONGEST_AFTER_PAUSES_S if closed_s > PAUSE_S else min(2 * self.settle_s, LONGEST_S)

    def last_at_least(self, seconds: float) -> None:
        """Take at least so long, to the ceiling and beyond."""
        self.settle_s = max(self.settle_s, seconds)


ALIKE = 1.2  # by which factor two figures may differ and be the same
COUNTED_FROM = 8  # in flight; fewer are too coarse a figure
NEAR = 0.75  # of the limit: a measured rate from here on says that the ceiling was hardly wrong
EARLY = 0.97
RATED = 1.02

BRAKE_FIRST_S = 0.1
BRAKE_GROWTH = 1.5
BRAKE_MAX_S = 1.0
EXHAUSTED_FROM = 8  # refusals in a row among what was in flight
SHARE_FROM = 10  # answers of which a share is taken


@dataclass(frozen=True)
class RejectionSample:
    """What was measured when a host refused a request."""

    limit: float
    in_flight: int
    per_s: float
    """Clean answers of the last second."""
    latency_s: float

    @property
    def held(self) -> float:
        """Return how many requests were in flight, as closely as can be said."""
        return min(self.limit, self.in_flight) if self.in_flight >= COUNTED_FROM else self.limit

    @property
    def rated(self) -> float:
        """Return how many requests in flight give the measured rate (Little's law)."""
        return min(self.per_s * self.latency_s, self.limit)


class CeilingEstimator:
    """Finds a host's ceiling from its refusals.

    A host bounds what it serves at once, or what it serves a second. Which of the
    two stayed the same from one trouble to the next is what it bounds.
    """

    def __init__(self) -> None:
        self.per_s = math.inf
        self.is_rate = False
        """Whether the host seems to bound what it serves a second."""
        self._held = math.inf
        self._in_vain = 0

    def judge(self, trouble: RejectionSample, course: CubicRecovery) -> tuple[float, bool]:
        """Return the ceiling after a refusal, and whether the refusal confirms the one before."""
        held, rated = _unlike(trouble.held, self._held), _unlike(trouble.per_s, self.per_s)
        is_alike = min(held, rated) < ALIKE
        if max(held, rated) > 1.05 * min(held, rated):
            self.is_rate = rated < held
        self.learn(trouble.held, trouble.per_s)
        if not course.is_settled:
            return self._judge_early(trouble), is_alike and course.age_s >= course.settle_s / 2
        self._in_vain = 0
        ceiling = trouble.held
        if held > rated * 1.05:
            ceiling = max(trouble.rated, trouble.limit / 4)
        elif rated < ALIKE:
            ceiling = min(trouble.held, RATED * trouble.rated)
        return ceiling, is_alike

    def learn(self, held: float, per_s: float) -> None:
        """Keep what was in flight, and the rate, for the next comparison."""
        self._held, self.per_s = held, per_s

    def learn_rate(self, per_s: float, latency_s: float) -> None:
        """Keep the rate of a host that was seen to bound it."""
        self.learn(per_s * latency_s, per_s)
        self.is_rate = True

    def _judge_early(self, trouble: RejectionSample) -> float:
        """Judge a refusal below the ceiling: it is too high, by a little or by far."""
        if trouble.rated > NEAR * trouble.limit:
            return EARLY * (trouble.limit + trouble.rated) / 2
        self._in_vain += 1
        return 0.9 * max(trouble.rated, trouble.limit * 0.5**self._in_vain)


class Cooldown:
    """The time from a cut to the first clean answer to a request sent after it."""

    def __init__(self) -> None:
        self.cut_at = -math.inf
        self.began_at = -math.inf
        self.is_over = True
        self.is_exhausted = False
        self._is_braked = False
        self._brake_s = BRAKE_FIRST_S
        self._heard_from = math.inf
        self._clean = self._refused = 0

    @property
    def share(self) -> float | None:
        """Return the share of clean answers in the round trip of the first refused one; None when too few came."""
        heard = self._clean + self._refused
        return self._clean / heard if heard >= SHARE_FROM else None

    def begin(self, now: float, sent_at: float, latency_s: float) -> None:
        """Begin with the refusal of a request; what was sent with it in one burst tells nothing further."""
        self.cut_at = self.began_at = now
        self._heard_from = sent_at + latency_s / 4
        self._clean = self._refused = 0
        self.is_over = self.is_exhausted = self._is_braked = False
        self._brake_s = BRAKE_FIRST_S

    def hear(self, sent_at: float, *, is_clean: bool) -> None:
        """Count the answer to a request that was sent after the first refused one, and before the cut.

        Where all of them are refused, what the host serves in a span of time is used up.
        """
        if self.is_over or sent_at <= self._heard_from:
            return
        self._clean += is_clean
        self._refused += not is_clean
        self.is_exhausted = self._is_braked or (not self._clean and self._refused >= EXHAUSTED_FROM)

    def brake(self, now: float) -> float:
        """Note that a request sent after the cut was refused too; return until when nothing is to be sent."""
        self.is_exhausted = self._is_braked = True
        self.cut_at = now
        until = now + self._brake_s
        self._brake_s = min(BRAKE_GROWTH * self._brake_s, BRAKE_MAX_S)
        return until

    def end(self) -> None:
        """End with a clean answer."""
        self.is_over = True
        self.is_exhausted = False


def _unlike(one: float, other: float) -> float:
    """Return the factor between two figures; infinite where one is not known."""
    if math.inf in (one, other):
        return math.inf
    return max(one, other) / max(min(one, other), 1e-9)
