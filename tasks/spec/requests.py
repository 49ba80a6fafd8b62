"""How a source's host is asked: how much at once, how long, how often again."""

from __future__ import annotations

from typing import Annotated

from pydantic import ByteSize, Field, model_validator

from tasks.spec.base import Duration, Part

RETRIED_STATUSES = (408, 425, 429, 500, 502, 503, 504)

InFlight = Annotated[int, Field(ge=1, le=1000)]
Seconds = Annotated[float, Field(gt=0)]


class Requests(Part):
    """How a source's host is asked: how much at once, how long, how often again.

    The bound on requests in flight adapts to the host between its minimum and
    maximum; sources of the same host share it, and the strictest of their bounds.
    """

    start_in_flight: InFlight = 8
    """Requests in flight at once to begin with."""
    min_in_flight: InFlight = 1
    """Requests in flight at once however slow the host is."""
    max_in_flight: InFlight = 64
    """Requests in flight at once however fast the host is."""
    requests_per_s: Annotated[float, Field(gt=0)] | None = None
    """Requests a second that the host allows; without it only what is in flight is bounded."""
    timeout_s: Seconds = 30.0
    """Seconds one attempt may take, from the request to the end of the body."""
    attempts: Annotated[int, Field(ge=1, le=100)] = 8
    """Attempts at one request when it fails in a way that may pass: a status of retry_statuses, a broken connection, a timeout."""
    retry_statuses: tuple[Annotated[int, Field(ge=400, le=599)], ...] = RETRIED_STATUSES
    """Statuses that may pass."""
    backoff_first_s: Seconds = 0.2
    """Most seconds before the second attempt; doubled before each further one, and a random part of it waited."""
    backoff_max_s: Seconds = 10.0
    """Most seconds between two attempts."""
    deadline_s: Seconds = 120.0
    """Seconds all attempts at one request may take together."""
    partition_deadline_s: Seconds = 21_600.0
    """Seconds one partition may take; what has landed until then is gone on from by the next run."""
    max_body_bytes: Annotated[ByteSize, Field(gt=0)] = ByteSize(64 * 1024 * 1024)
    """Bytes one body may have, as sent and after decompression, e.g. 64MiB."""

    max_in_flight_bytes: Annotated[ByteSize, Field(gt=0)] = ByteSize(128 * 1024 * 1024)
    """Bytes the bodies in flight may have together, as large as those before were: fewer requests are in flight where pages are large. One always may."""

    @model_validator(mode="after")
    def _ascend(self) -> Requests:
        if self.min_in_flight > self.max_in_flight:
            raise ValueError(
                f"min_in_flight ({self.min_in_flight}) is above max_in_flight ({self.max_in_flight}); raise max_in_flight"
            )
        return self


class Refresh(Part):
    """When what is landed is fetched again."""

    after: Duration
    """Age at which a landed partition is fetched again, e.g. 24h."""
