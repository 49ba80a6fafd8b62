"""What the answers of a host tell: how many came, how soon, and how many failed."""

from __future__ import annotations

import math

_TENTHS = 10
_LONGEST_CYCLE_S = 20.0
_SMOOTHED_OVER = 50  # answers
_WINDOW = 50  # answers, or twice what is in flight: of a shorter one the quickest answers are the mean
_FIRST_WINDOW = 20
_FAILED_OVER = 100  # answers
_USUAL_OVER = 500
_ALARMING = 0.15  # more of the answers fail than is usual
_LOST = 0.9  # of the answers: where so many fail, each that fails is one too many


class Throughput:
    """How many clean answers came: in the last second, and since the host was last found open."""

    def __init__(self) -> None:
        self._tenths = [0] * _TENTHS  # a ring; the tenth of a second that is running is among them
        self._tenth = -1
        self._cycle_from: float | None = None
        self._cycle = 0.0

    def add(self, now: float) -> None:
        """Count an answer."""
        if (tenth := int(now * _TENTHS)) != self._tenth:
            self._turn_to(tenth, now)
        self._tenths[tenth % _TENTHS] += 1
        self._cycle += 1

    def per_s(self, now: float) -> float:
        """Return the answers of the last second, per second."""
        self._turn_to(int(now * _TENTHS), now)
        return sum(self._tenths) / ((_TENTHS - 1 + now * _TENTHS % 1) / _TENTHS)

    def cycle_s(self, now: float) -> float:
        """Return for how long the cycle has run."""
        return now - (now if self._cycle_from is None else self._cycle_from)

    def cycle_per_s(self, now: float) -> float:
        """Return the answers per second since the cycle began."""
        return self._cycle / max(self.cycle_s(now), 1 / _TENTHS)

    def begin_cycle(self, now: float) -> None:
        """Begin another cycle."""
        self._cycle_from, self._cycle = now, 0.0

    def _turn_to(self, tenth: int, now: float) -> None:
        if self._cycle_from is None:
            self._cycle_from = now
        for passed in range(max(self._tenth, tenth - _TENTHS) + 1, tenth + 1):
            self._tenths[passed % _TENTHS] = 0
        self._tenth = tenth
        if self.cycle_s(now) > _LONGEST_CYCLE_S:  # what is long ago counts less and less
            self._cycle /= 2
            self._cycle_from = (now + self._cycle_from) / 2


class Latency:
    """How soon clean answers come: smoothed, over the last window, and at best."""

    def __init__(self) -> None:
        self.smoothed = 0.0
        self.recent = 0.0
        self.baseline = math.inf
        self._answers = 0
        self._in_window = 0
        self._window_s = 0.0
        self._since = -math.inf

    def add(self, sent_at: float, now: float) -> None:
        """Count the answer to a request."""
        seconds = now - sent_at
        self._answers += 1
        self.smoothed += (seconds - self.smoothed) / min(self._answers, _SMOOTHED_OVER)
        if sent_at > self._since:
            self._in_window += 1
            self._window_s += seconds

    def turn(self, in_flight: float, *, is_first: bool) -> bool:
        """Return whether a window is full; its mean is then the recent latency, and the baseline if it is the lowest."""
        if self._in_window < (_FIRST_WINDOW if is_first else max(_WINDOW, 2 * in_flight)):
            return False
        self.recent = self._window_s / self._in_window
        self.baseline = min(self.baseline, self.recent)
        self._in_window, self._window_s = 0, 0.0
        return True

    def accept(self) -> None:
        """Take the recent latency for the baseline."""
        self.baseline = self.recent

    def begin_window(self, now: float) -> None:
        """Begin another window, of requests sent from now on."""
        self._since, self._in_window, self._window_s = now, 0, 0.0


class Failures:
    """The share of answers that fail, and whether it is more than is usual for the host."""

    def __init__(self) -> None:
        self.share = 0.0
        self._usual = 0.0

    def answered(self) -> None:
        """Count a clean answer."""
        if self.share or self._usual:
            self.share -= self.share / _FAILED_OVER
            self._usual += (self.share - self._usual) / _USUAL_OVER

    def failed(self) -> bool:
        """Count a failure; return whether more fail than usual, which is then usual from now on."""
        self.share += (1 - self.share) / _FAILED_OVER
        self._usual += (self.share - self._usual) / _USUAL_OVER
        if self.share < min(self._usual + _ALARMING, _LOST):
            return False
        self._usual = self.share
        return True
