"""The way back after trouble: how a host's limit goes on once it was cut."""

from __future__ import annotations

import math

CUT = 0.93  # of the ceiling: where the way begins
PLATEAU = 0.98  # of the ceiling: where it settles
FAR = 4.0  # ceilings by which it rises in `probe_s` once it goes beyond
FIRST_S = 1.0
REST_S = 4.0
LONGEST_S = 8.0
LONGEST_AFTER_PAUSES_S = 16.0  # where trouble costs a second of silence, it has to be rare
PAUSE_S = 0.5
LATENCIES = 12  # trouble is heard of a latency late: the way takes at least so many


class Course:
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
        self._probe_s = FIRST_S

    @property
    def limit(self) -> float:
        """Return the limit now."""
        beyond_s = self.age_s - self.settle_s
        if beyond_s < 0:
            return self.ceiling * (PLATEAU - (PLATEAU - CUT) * (-beyond_s / self.settle_s) ** 3)
        return self.ceiling * (PLATEAU + FAR * (beyond_s / self._probe_s) ** 3)

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
        self._probe_s = min(4 * self._probe_s, LONGEST_S)

    def shorten(self) -> None:
        """Take less time: the ceiling was wrong."""
        self.settle_s /= 2
        self._probe_s /= 2

    def last_at_least(self, seconds: float) -> None:
        """Take at least so long, to the ceiling and beyond."""
        self.settle_s = max(self.settle_s, seconds)
        self._probe_s = max(self._probe_s, seconds)
