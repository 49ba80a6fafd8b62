"""How many requests a host is worth at once, learned from its answers alone."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum, auto

from tasks.ingest.measures import Delivered, Latency, Strain

CUT = 0.9
PLATEAU = 0.97
FIRST_SETTLE_S = 1.0
MAX_SETTLE_S = 8.0
MAX_CLOSED_SETTLE_S = 12.0
BRAKE_FIRST_S = 0.1
BRAKE_GROWTH = 1.5
BRAKE_MAX_S = 1.0
MIN_SPACING_S = 0.001
SLOWEST_PER_S = 0.5


class Outcome(Enum):
    CLEAN = auto()
    REFUSED = auto()
    STRAINED = auto()
    OTHER = auto()


@dataclass(frozen=True)
class Bounds:
    start: int
    minimum: int
    maximum: int
    requests_per_s: float | None = None


@dataclass(frozen=True)
class Trouble:
    in_flight: float
    per_s: float


class Course:
    def __init__(self) -> None:
        self.ceiling = math.inf
        self.settle_s = FIRST_SETTLE_S
        self.age_s = 0.0

    def limit(self) -> float:
        x = self.age_s / self.settle_s
        if x < 1:
            return self.ceiling * (PLATEAU - (PLATEAU - CUT) * (1 - x) ** 3)
        return self.ceiling * (PLATEAU + 4 * (x - 1) ** 3)


def unlike(a: float, b: float) -> float:
    return max(a, b) / max(min(a, b), 1e-9)


class AdaptiveLimit:
    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self.limit = float(min(max(bounds.start, bounds.minimum), bounds.maximum))
        self.window = int(self.limit)
        self.spacing_s = 0.0
        self.held_until = -math.inf
        self._delivered = Delivered()
        self._latency = Latency()
        self._strain = Strain()
        self._course = Course()
        self._last: Trouble | None = None
        self._strikes = 0
        self._confirmed = False
        self._first = False
        self._answered_at = 0.0
        # closed
        self._cut_at = -math.inf
        self._closed_at = -math.inf
        self._is_open = True
        self._probing = False
        self._brake_s = BRAKE_FIRST_S
        self._evidence_from = math.inf
        self._later_clean = 0
        self._later_refused = 0
        self._lowered_from: tuple[float, float] | None = None
        self._troubled = False
        self._keep = False
        self._opened_at = 0.0
        self.log: list[str] | None = None

    def answered(self, now: float, sent_at: float, outcome: Outcome, in_flight: int, used: bool) -> None:
        if outcome is Outcome.CLEAN:
            self._clean(now, sent_at, used)
        elif outcome is Outcome.REFUSED:
            self._refused(now, sent_at, in_flight)
        elif outcome is Outcome.STRAINED and sent_at > self._cut_at and self._strain.failed():
            self._strained(now)
        self._answered_at = now

    def _clean(self, now: float, sent_at: float, used: bool) -> None:
        self._delivered.add(now)
        self._strain.answered()
        self._latency.add(sent_at, now)
        if not self._is_open:
            if sent_at > self._cut_at:
                self._open(now, sent_at)
            elif sent_at > self._evidence_from:
                self._later_clean += 1
        if used:
            self._grow(now)
            if self._latency.turn(self.limit, is_first=not self._troubled):
                self._judge_latency(now)
            self._fit()

    def _grow(self, now: float) -> None:
        if not self._troubled:
            self.limit += 1
            return
        self._course.age_s += min(now - self._answered_at, max(0.1, self._latency.smoothed, 2 * self.spacing_s))
        self.limit = self._course.limit()

    def _refused(self, now: float, sent_at: float, in_flight: int) -> None:
        if sent_at <= self._cut_at:
            if not self._is_open and sent_at > self._evidence_from:
                self._later_refused += 1
                if self._later_refused >= 3 and not self._later_clean:
                    self._probing = True
                    self._fit()
        elif self._is_open:
            self._cut(now, sent_at, in_flight)
        else:
            self._brake(now)

    def _brake(self, now: float) -> None:
        self._note(now, "brake")
        self._probing = True
        self._cut_at = now
        self.held_until = now + self._brake_s
        self._brake_s = min(BRAKE_GROWTH * self._brake_s, BRAKE_MAX_S)
        self._fit()

    def _cut(self, now: float, sent_at: float, in_flight: int) -> None:
        course, smoothed = self._course, self._latency.smoothed
        held = min(self.limit, in_flight) if in_flight >= 8 else self.limit
        per_s = self._delivered.per_s(now)
        rated = min(per_s * smoothed, self.limit)
        steady = now - self._opened_at > 1
        trouble = Trouble(held, per_s if steady else self._last.per_s if self._last else math.inf)
        keep = False
        self._confirmed = False
        was = course.ceiling
        self._first = not self._troubled
        if not self._troubled:
            self.held_until = now + smoothed
            course.ceiling = self.limit / 2
        elif course.age_s < course.settle_s / 2:
            if rated > 0.75 * self.limit:
                course.ceiling = 0.97 * (self.limit + rated) / 2
                keep = True
            else:
                self._strikes += 1
                course.ceiling = 0.9 * max(rated, self.limit / 2**self._strikes)
        else:
            self._strikes = 0
            course.ceiling = held
            if self._last is not None:
                a, b = unlike(held, self._last.in_flight), unlike(trouble.per_s, self._last.per_s)
                self._confirmed = min(a, b) < 1.2
                if a > 1.05 * b:
                    course.ceiling = max(rated, self.limit / 4)
                elif b < 1.2:
                    course.ceiling = min(held, 1.02 * rated)
        self._last, self._keep = trouble, keep
        self._note(now, f"cut in flight {in_flight} rate {trouble.per_s:.0f} ceiling {was:.2f} -> {course.ceiling:.2f} age {course.age_s:.1f} of {course.settle_s:.1f} {'confirmed' if self._confirmed else ''}")
        self._cut_at = self._closed_at = now
        self._evidence_from = sent_at + smoothed / 4
        self._later_clean = self._later_refused = 0
        self._is_open = False
        self._troubled = True
        self._restart()

    def _strained(self, now: float) -> None:
        course = self._course
        course.ceiling = min(self.limit, max(self._delivered.per_s(now) * self._latency.smoothed, self.limit / 2))
        self._note(now, f"strained ceiling {course.ceiling:.2f}")
        self._troubled = True
        self._cut_at = now
        course.settle_s = max(4.0, course.settle_s)
        self._restart()

    def _restart(self) -> None:
        self._course.age_s = 0.0
        self.limit = self._course.limit()
        self._fit()

    def _open(self, now: float, sent_at: float) -> None:
        course = self._course
        closed_s = sent_at - self._closed_at
        self._is_open = True
        self._opened_at = now
        self._brake_s = BRAKE_FIRST_S
        later = self._later_clean + self._later_refused
        rate_type = self._probing
        if self._probing:
            self._probing = False
            before = self._last
            rate = self._delivered.cycle_per_s(sent_at)
            if closed_s <= 1.5:
                rate = max(rate, self._last.per_s)
            course.ceiling = min(course.ceiling, rate * self._latency.smoothed)
            self._last = Trouble(course.ceiling, rate)
            if closed_s > 0.1 * self._delivered.cycle_s(sent_at):
                self._delivered.begin_cycle(sent_at)
            self._note(now, f"open rate {rate:.0f} ceiling {course.ceiling:.2f}")
        elif self._first and later >= 10:
            course.ceiling = 2 * course.ceiling * self._later_clean / later
            self._note(now, f"share {self._later_clean}/{later} ceiling {course.ceiling:.2f}")
        base = max(FIRST_SETTLE_S * (1 + rate_type), 8 * self._latency.smoothed)
        if self._confirmed:
            factor, most = (4, MAX_CLOSED_SETTLE_S) if closed_s > 0.5 else (2, MAX_SETTLE_S)
            course.settle_s = max(base, min(course.settle_s * factor, most))
        elif not self._keep:
            course.settle_s = max(base, course.settle_s / 2)
        self._restart()

    def _judge_latency(self, now: float) -> None:
        latency, before = self._latency, self._lowered_from
        if latency.recent <= 2 * latency.baseline:
            self._lowered_from = None
            return
        if before is None:
            if self._troubled:
                self._lowered_from = (self.limit, latency.recent)
        elif self.limit <= 0.6 * before[0] and latency.recent > 0.85 * before[1]:
            latency.baseline = latency.recent
            self._settle_at(before[0], now)
            self._lowered_from = None
            return
        target = max(self._delivered.per_s(now) * latency.baseline * 1.3, 0.8 * self.limit)
        if target < self.limit:
            self._settle_at(target, now)

    def _settle_at(self, limit: float, now: float) -> None:
        self._note(now, f"latency {limit:.1f}")
        course = self._course
        self._troubled = True
        self._latency.begin_window(now)
        course.settle_s = max(course.settle_s, 4.0)
        course.ceiling = limit / PLATEAU
        course.age_s = course.settle_s
        self.limit = limit

    def _fit(self) -> None:
        bounds, smoothed = self._bounds, self._latency.smoothed
        least = bounds.minimum if bounds.minimum > 1 else min(1.0, max(smoothed * SLOWEST_PER_S, 0.001))
        self.limit = min(max(self.limit, least), bounds.maximum)
        self.spacing_s = 0.0
        self.window = int(self.limit) or 1
        if self._troubled and self.limit < bounds.maximum:
            spacing_s = smoothed / self.limit
            if spacing_s > MIN_SPACING_S:
                self.spacing_s = spacing_s
                self.window = min(math.ceil(self.limit) + 1, bounds.maximum)
        if self._probing:
            self.window = 1

    def _note(self, now: float, what: str) -> None:
        if self.log is not None:
            self.log.append(f"{now:.3f} {what} (limit {self.limit:.2f}, srtt {self._latency.smoothed*1000:.1f} ms)")
