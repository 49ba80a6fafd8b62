"""How many requests a host is worth at once, learned from its answers alone; time is passed in."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum, auto

from tasks.ingest.throttle.ceiling import (
    FIRST_S,
    LATENCIES,
    CeilingEstimator,
    Cooldown,
    CubicRecovery,
    RejectionSample,
)
from tasks.ingest.throttle.measurements import Failures, Latency, Throughput

LATE = 2.0  # baselines: a latency from here on is a sign of load
LOWERED = 0.6  # of the limit: what a late or failing host keeps at least, at one step
STILL = 0.8  # of a latency: so late under a lower limit, and the load is not its cause
HEADROOM = 1.3  # times what the measured rate needs at the baseline latency
WINDOW_S = 1.5  # a host that was closed for longer counts over more than a second
MIN_SPACING_S = 0.001  # below it the limit alone spaces requests well enough
SLOWEST_PER_S = 0.5  # requests; the limit of a host whose minimum is 1 falls no further
STEP_S = 0.1  # that one answer lets pass at least


class Answer(Enum):
    """How a request went, as far as it tells of the host's strength."""

    CLEAN = auto()
    """An answer."""
    REFUSED = auto()
    """The host says that it is too much: 429, or 503 with Retry-After."""
    STRAINED = auto()
    """The host may be overloaded: 503, 408, 504, no answer in time, a broken connection."""
    OTHER = auto()
    """Anything else, which tells nothing."""


@dataclass(frozen=True)
class HostLimits:
    """What a host may get."""

    start: int
    """Requests in flight at once to begin with."""
    minimum: int
    """Requests in flight at once however slow the host is; 1 lets it fall to fractions, by spacing."""
    maximum: int
    """Requests in flight at once however fast the host is."""
    requests_per_s: float | None = None
    """Requests a second."""
    body_bytes: int = 128 * 1024 * 1024
    """Bytes the bodies in flight may have together."""


class AdaptiveLimit:
    """The limit of one host.

    Until the first sign of trouble it rises by one with each answer, as TCP's
    slow start does. A refusal cuts it, at most once in a round trip; from then on
    it follows a `CubicRecovery` below the ceiling that the refusals tell, and requests
    are spaced evenly, which makes a limit of any fraction real. Failures count
    when they are too many to be accident, and late answers when they are late
    because of the load.
    """

    def __init__(self, bounds: HostLimits) -> None:
        self._bounds = bounds
        self._delivered, self._latency, self._failures = Throughput(), Latency(), Failures()
        self._course, self._refusals, self._closure = CubicRecovery(), CeilingEstimator(), Cooldown()
        self._is_slow_start = self._is_first_closure = True
        self._is_spaced = self._is_confirmed = False
        self._late_limit = 0.0  # before it was lowered for its latency, while that is on trial
        self._late_s = math.inf  # the latency then
        self._answered_at = 0.0
        self.limit = float(bounds.start)
        """Requests in flight."""
        self.window = 1
        """The same in whole requests: a request may be sent while fewer are in flight."""
        self.spacing_s = 0.0
        """Seconds between two requests."""
        self.held_until = -math.inf
        """When requests may be sent again."""
        self._fit()

    def answered(self, now: float, sent_at: float, answer: Answer, in_flight: int, *, is_used: bool) -> None:
        """Learn from a request's end.

        Args:
            now: the time, in seconds.
            sent_at: when the request was sent.
            answer: how it went.
            in_flight: requests in flight, this one included.
            is_used: whether the limit is what holds requests back.

        """
        if answer is Answer.CLEAN:
            self._clean(now, sent_at, is_used=is_used)
        elif answer is Answer.REFUSED:
            self._refused(now, sent_at, in_flight)
        elif answer is Answer.STRAINED and sent_at > self._closure.cut_at and self._failures.failed():
            self._lower_for_failures(now)
        self._answered_at = now

    def _clean(self, now: float, sent_at: float, *, is_used: bool) -> None:
        self._delivered.add(now)
        self._latency.add(sent_at, now)
        self._failures.answered()
        if not self._closure.is_over:
            if sent_at > self._closure.cut_at:
                self._open(sent_at)
            else:
                self._closure.hear(sent_at, is_clean=True)
        if is_used:
            self._grow(now)
            if self._latency.turn(self.limit, is_first=self._is_slow_start):
                self._judge_latency(now)

    def _grow(self, now: float) -> None:
        if self._is_slow_start:
            if self.limit == self._bounds.maximum:
                return
            self.limit += 1
        elif not self._late_limit:
            self._course.age_s += min(now - self._answered_at, max(STEP_S, self._latency.smoothed, 2 * self.spacing_s))
            self.limit = self._course.limit
        self._fit()

    def _refused(self, now: float, sent_at: float, in_flight: int) -> None:
        if sent_at <= self._closure.cut_at:
            self._closure.hear(sent_at, is_clean=False)
        elif self._closure.is_over:
            self._cut(now, sent_at, in_flight)
        else:
            self.held_until = self._closure.brake(now)
        self._fit()

    def _cut(self, now: float, sent_at: float, in_flight: int) -> None:
        latency_s = self._latency.smoothed
        trouble = RejectionSample(self.limit, in_flight, self._delivered.per_s(now), latency_s)
        self._is_first_closure = self._is_slow_start
        self._closure.begin(now, sent_at, latency_s)
        if self._is_slow_start:
            self._refusals.learn(trouble.held, trouble.per_s)
            self.held_until = now + latency_s  # until it is known what became of all that is in flight
            self._is_confirmed = False
            self._begin(self.limit / 2)
        else:
            ceiling, self._is_confirmed = self._refusals.judge(trouble, self._course)
            self._begin(ceiling)
        self._is_spaced = True

    def _open(self, sent_at: float) -> None:
        """Go on after the first clean answer since a cut."""
        closure, ceiling = self._closure, self._course.ceiling
        closed_s = sent_at - closure.began_at
        if was_exhausted := closure.is_exhausted:
            ceiling = min(ceiling, self._rate_found(sent_at, closed_s) * self._latency.smoothed)
        elif self._is_first_closure and closure.share is not None:
            ceiling = 2 * ceiling * closure.share
        closure.end()
        if self._is_confirmed:
            self._course.lengthen(closed_s)
        self._course.last_at_least(max(FIRST_S * (1 + was_exhausted), LATENCIES * self._latency.smoothed))
        self._begin(ceiling)

    def _rate_found(self, now: float, closed_s: float) -> float:
        """Return the rate that a host serves which was closed because it had served enough."""
        rate = self._delivered.cycle_per_s(now)
        if closed_s <= WINDOW_S:
            rate = max(rate, self._refusals.per_s)
        if closed_s > 0.1 * self._delivered.cycle_s(now):
            self._delivered.begin_cycle(now)
        self._refusals.learn_rate(rate, self._latency.smoothed)
        return rate

    def _lower_for_failures(self, now: float) -> None:
        self._closure.cut_at = now
        self._rest((1 - self._failures.share) * self.limit)

    def _judge_latency(self, now: float) -> None:
        """Lower the limit of a host that answers late, unless it is as late under a lower limit."""
        latency, late_limit = self._latency, self._late_limit
        if latency.recent <= LATE * latency.baseline:
            self._late_limit = 0.0
        elif late_limit and latency.recent > STILL * self._late_s:
            latency.accept()
            self._late_limit = 0.0
            self._rest(late_limit)
            self._is_slow_start = not self._is_spaced
        else:
            # Where the limit rose meanwhile, it is not known for which one they were late.
            self._late_limit, self._late_s = self.limit, math.inf if self._is_slow_start else latency.recent
            self._rest(self.limit * max(LOWERED, HEADROOM * latency.baseline / latency.recent))
            latency.begin_window(now)

    def _begin(self, ceiling: float) -> None:
        self._course.begin(ceiling)
        self._follow()

    def _rest(self, limit: float) -> None:
        self._course.rest(limit)
        self._follow()

    def _follow(self) -> None:
        self._is_slow_start = False
        self.limit = self._course.limit
        self._fit()

    def _fit(self) -> None:
        """Keep the limit within its bounds, and make window and spacing of it."""
        minimum, maximum, latency_s = self._bounds.minimum, self._bounds.maximum, self._latency.smoothed
        least = minimum if minimum > 1 else min(1.0, max(latency_s * SLOWEST_PER_S, 0.001))
        self.limit = min(max(self.limit, least), float(maximum))
        spacing_s = latency_s / self.limit if self._is_spaced and self.limit < maximum else 0.0
        if self._closure.is_exhausted:
            self.window, self.spacing_s = 1, spacing_s
        elif spacing_s > MIN_SPACING_S:
            # Where the rate is what counts, one request may be late without holding up the next.
            self.window = min(math.ceil(self.limit) + self._refusals.is_rate, maximum)
            self.spacing_s = spacing_s
        else:
            self.window, self.spacing_s = max(1, round(self.limit)), 0.0
