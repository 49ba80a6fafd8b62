"""The endpoint over HTTP: what waits is answered together by one thread, within limits."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from threadpoolctl import threadpool_limits

from tasks.train.scoring.openapi import describe_endpoint
from tasks.train.scoring.scorer import FAILED, TOO_LARGE, Answer, Scorer, refuse

LOOKS_EVERY_S = 1.0
BODY_S = 30.0
_TOGETHER_BYTES = 2**20
_LATE, _BUSY = 408, 503


@dataclass(frozen=True)
class EndpointLimits:
    """What one request may have, and how many may be under way."""

    body_bytes: int
    requests: int


class Endpoint:
    """Routes, and the queue of what they are asked.

    One request is read and predicted at a time, all that has come meanwhile is
    the next: a model takes hardly longer for ten rows than for one.
    """

    def __init__(self, scorer: Scorer, limits: EndpointLimits, tell: Callable[[str], None]) -> None:
        self._scorer, self._limits, self._tell = scorer, limits, tell
        self._waiting = deque[tuple[bytes, asyncio.Future[Answer]]]()
        self._open = 0
        self._worker: asyncio.Task[None] | None = None
        self._pool = ThreadPoolExecutor(1, "predict", initializer=threadpool_limits, initargs=(1,))

    def app(self) -> Starlette:
        """Return the application."""
        return Starlette(
            routes=[
                Route("/predict", self._predict, methods=["POST"]),
                Route("/drift", self._drift),
                Route("/health", self._health),
                Route("/openapi.json", self._openapi),
            ],
            exception_handlers={HTTPException: _refuse_http, Exception: _tell_failure},
            lifespan=self._lifespan,
        )

    async def _predict(self, request: Request) -> Response:
        if self._open >= self._limits.requests:
            busy = f"{self._open} requests are under way, as many as may be; send it again in a second"
            return _respond(refuse(_BUSY, busy), {"Retry-After": "1"})
        self._open += 1
        try:
            body = await self._read(request)
            return _respond(body if isinstance(body, Answer) else await self._answered(body))
        finally:
            self._open -= 1

    async def _read(self, request: Request) -> bytes | Answer:
        """Return the body of a request, or the answer to one that is too large, or does not come."""
        most, body = self._limits.body_bytes, bytearray()
        large = refuse(TOO_LARGE, f"the body has more than {most:,} bytes, which it may have; send the rows in parts")
        if int(request.headers.get("Content-Length", 0)) > most:
            return large
        try:
            async with asyncio.timeout(BODY_S):
                async for piece in request.stream():
                    body += piece
                    if len(body) > most:
                        return large
        except TimeoutError:
            return refuse(_LATE, f"the body did not come within {BODY_S:g} s; send it again")
        except ClientDisconnect:
            return refuse(_LATE, "the body did not come")
        return bytes(body)

    async def _answered(self, body: bytes) -> Answer:
        future = asyncio.get_running_loop().create_future()
        self._waiting.append((body, future))
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._work())
        answer: Answer = await future
        return answer

    async def _work(self) -> None:
        """Answer what waits, until nothing does."""
        loop = asyncio.get_running_loop()
        while self._waiting:
            together = [self._waiting.popleft()]
            size = len(together[0][0])
            while self._waiting and (size := size + len(self._waiting[0][0])) <= _TOGETHER_BYTES:
                together.append(self._waiting.popleft())
            bodies = [body for body, _ in together]
            try:
                answers = await loop.run_in_executor(self._pool, self._scorer.answer, bodies)
            except Exception as error:  # noqa: BLE001 - each of them is to be answered, and the next as well
                self._tell(f"error: {len(bodies)} requests could not be answered ({error!r})")
                answers = [refuse(FAILED, f"the model failed of these rows ({error})")] * len(bodies)
            for (_, future), answer in zip(together, answers, strict=True):
                if not future.done():  # its client may be gone
                    future.set_result(answer)

    async def _drift(self, _: Request) -> Response:
        drift = await asyncio.get_running_loop().run_in_executor(self._pool, self._scorer.drift)
        return _respond(Answer(200, msgspec.json.encode(drift)))

    async def _health(self, _: Request) -> Response:
        return _respond(Answer(200, msgspec.json.encode(self._scorer.health())))

    async def _openapi(self, _: Request) -> Response:
        model = self._scorer.serving.model
        document = describe_endpoint(model, self._scorer.most_rows, self._limits.body_bytes)
        return _respond(Answer(200, msgspec.json.encode(document)))

    @asynccontextmanager
    async def _lifespan(self, _: Starlette) -> AsyncIterator[None]:
        watch = asyncio.create_task(self._watch())
        try:
            yield
        finally:
            watch.cancel()
            with suppress(asyncio.CancelledError):
                await watch
            self._pool.shutdown(wait=False)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(LOOKS_EVERY_S)
            try:
                await asyncio.to_thread(self._scorer.exchange, self._tell)
            except Exception as error:  # noqa: BLE001 - the next look may do
                self._tell(f"warning: the champion could not be looked at ({error!r})")


def _respond(answer: Answer, headers: dict[str, str] | None = None) -> Response:
    return Response(answer.content, answer.status, headers, "application/json")


async def _refuse_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    said = f"{request.method} {request.url.path}: {error.detail}; there are POST /predict, GET /drift, /health, /openapi.json"
    return _respond(refuse(error.status_code, said), dict(error.headers or {}))


async def _tell_failure(_: Request, error: Exception) -> Response:
    return _respond(refuse(FAILED, f"the endpoint failed ({error})"))
