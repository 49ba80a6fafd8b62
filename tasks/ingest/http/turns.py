"""Several tokens of one source in turn, each with a budget of its own at the host."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import httpx

from tasks.core.hosts import host_of
from tasks.ingest.http.auth import UNAUTHORIZED, Origin, SigningCredential, is_own
from tasks.ingest.http.requests import context_of
from tasks.ingest.http.retries import Warn
from tasks.ingest.http.throttling import ThrottleTransport, too_long
from tasks.ingest.throttle.limiter import RetryAfterTooLongError, Throttle
from tasks.ingest.throttle.turns import Turns


@dataclass(frozen=True)
class Turn:
    """One of several tokens: its key in the pipeline file, what it is known by among those of the run, and what it signs."""

    key: str
    secret: str
    credential: SigningCredential


class TurnsTransport(httpx.AsyncBaseTransport):
    """Sends each request to the source's own origins with the token whose budget allows it first.

    A token that is refused where another is not is left out from then on, which is told.
    """

    def __init__(
        self,
        inner: ThrottleTransport,
        turns: Sequence[Turn],
        origins: Collection[Origin],
        throttle: Throttle,
        warn: Warn,
    ) -> None:
        self._inner = inner
        self._turns = turns
        self._origins = origins
        self._throttle = throttle
        self._warn = warn
        self._good = set(range(len(turns)))

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Return the answer; one of 401 only where every token was refused.

        Raises:
            TransientError: as the inner transport.
            SourceError: the host asks to be left alone, with each token, for longer than the request may take.

        """
        if not is_own(request.url, self._origins):
            return await self._inner.handle_async_request(request)
        host, refused = host_of(request.url), set[int]()
        throttles = [self._throttle.share(host, turn.secret, len(self._turns)) for turn in self._turns]
        while True:
            try:
                place, stood_s = await Turns(throttles).acquire(self._inner.patience_s, self._good - refused)
            except RetryAfterTooLongError as error:
                raise too_long(request, error, self._inner.patience_s) from None
            context_of(request).stood_s += stood_s
            signed = self._turns[place].credential.sign(request)
            response = await self._inner.send(signed, throttles[place], f"{host} with {self._turns[place].key}")
            response.request = request
            if response.status_code != UNAUTHORIZED:
                self._leave_out(refused)
                return response
            refused.add(place)
            if not self._good - refused:
                return response

    def _leave_out(self, refused: Collection[int]) -> None:
        """Send nothing more with tokens that were refused where another was not."""
        for place in self._good.intersection(refused):
            if len(self._good) == 1:
                return
            self._good.discard(place)
            self._warn(
                f"{self._turns[place].key} was refused with 401, and another was not: it is left out from now on"
            )
