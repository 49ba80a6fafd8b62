"""What a partition's requests cost, counted where they are made."""

from __future__ import annotations

from dataclasses import dataclass

import httpx

_EXTENSION = "tidemill"


@dataclass
class Tally:
    """What one partition has cost and brought so far; retries are the attempts after each first, refused are answers of 429."""

    rows: int = 0
    pages: int = 0
    requests: int = 0
    retries: int = 0
    refused: int = 0
    body_bytes: int = 0
    in_flight: int = 0
    coming_bytes: int = 0
    """Of bodies that are not there whole yet, as they are sent."""


@dataclass(slots=True)
class Account:
    """One request's part: whose tally it goes into, what is asked, and how long it has stood in line for its host.

    `url` is without what proves who asks.
    """

    tally: Tally
    method: str
    url: httpx.URL
    stood_s: float = 0.0
    coming_bytes: int = 0

    def add(self, received: int) -> None:
        """Count a part of the body, which is on its way."""
        self.coming_bytes += received
        self.tally.coming_bytes += received

    def end_body(self) -> None:
        """Count the body as on its way no more, whether it is there or failed."""
        self.tally.coming_bytes -= self.coming_bytes
        self.coming_bytes = 0

    @property
    def said(self) -> str:
        """Return what the request is called where something is said of it."""
        return f"{self.method} {self.url}"


def charge(tally: Tally, method: str, url: httpx.URL) -> dict[str, Account]:
    """Return the extensions of a request to `url` that goes into `tally`."""
    return {_EXTENSION: Account(tally, method, url)}


def account_of(request: httpx.Request) -> Account:
    """Return the account of a request."""
    account: Account = request.extensions[_EXTENSION]
    return account
