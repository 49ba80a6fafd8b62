"""The routes of the test site that make jobs: ordered by a POST, done after some questions, and fetched as files."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from tests.site.api import fail

if TYPE_CHECKING:
    from tests.site.server import Site

Route = Callable[[Request], Awaitable[Response]]

QUESTIONS = 3
"""So many times a job is asked for before it is done."""


def job_routes(site: Site) -> dict[str, Route]:
    """Return the routes of a site that make jobs of a kind, which is named for what is odd of them, tell of them, and give their files."""
    asked: dict[str, int] = {}

    async def make(request: Request) -> Response:
        if request.method != "POST":
            return PlainTextResponse("only by POST", 405)
        await request.body()
        kind, job = request.path_params["kind"], str(len(asked) + 1)
        asked[job] = 0
        body: dict[str, Any] = {"job": {"id": int(job)}, "links": {"self": f"{kind}/{job}"}}
        return JSONResponse(body, 202, headers={"Location": f"{kind}/{job}"})

    async def tell(request: Request) -> Response:
        kind, job = request.path_params["kind"], request.path_params["job"]
        if job not in asked or _is_gone(kind, job, asked[job]):
            return PlainTextResponse("no such job", 404)
        asked[job] += 1
        if asked[job] < QUESTIONS or kind == "never-done":
            return JSONResponse({"status": "running"}, 202)
        if kind in ("answers-itself", "breaks-off-first"):
            return await give(request)
        return JSONResponse(_tell_end(kind, job, site.redirect_to, is_first=asked[job] == QUESTIONS))

    async def give(request: Request) -> Response:
        kind, number = request.path_params["kind"], request.query_params.get("n", "1")
        if kind == "breaks-off-first":
            lines = b"".join(b"%d,x\n" % number for number in range(100))
            return Response(b"id,of\n" + lines + (b'9,"' if site.is_first(request, "file") else b""))
        if refused := _refuse_file(kind, request.path_params["job"], number):
            return refused
        well = Response(f"id,of\n{number}1,{number}\n{number}2,{number}\n", headers={"Content-Type": "text/csv"})
        return await fail(kind, well, request, first=site.is_first(request)) if "-once" in kind else well

    return {"/jobs/{kind}": make, "/jobs/{kind}/{job}": tell, "/jobs/{kind}/{job}/file": give}


def _is_gone(kind: str, job: str, asked: int) -> bool:
    """Return whether the first job is not known any more, which of one kind it is until it was done."""
    return job == "1" and (kind == "gone" or (kind == "gone-between" and asked >= QUESTIONS))


def _refuse_file(kind: str, job: str, number: str) -> Response | None:
    """Return why a file is not given; None where it is."""
    if kind == "expired":
        return PlainTextResponse("the address is no longer valid", 403)
    is_second = kind in ("gone-between", "fewer-later") and (job, number) == ("1", "2")
    return PlainTextResponse("wait for a minute", 409) if is_second else None


def _tell_end(kind: str, job: str, elsewhere: str, *, is_first: bool) -> dict[str, Any]:
    """Return what is told of a job that has ended."""
    if kind == "fails":
        return {"status": "failed", "why": "too many days"}
    files = {
        "no-file": None,
        "two-files": [f"{job}/file?n=1", f"{job}/file?n=2"],
        "gone-between": [f"{job}/file?n=1", f"{job}/file?n=2"],
        "fewer-later": [f"{job}/file?n=1", f"{job}/file?n=2"][: 1 if job == "1" and not is_first else 2],
        "no-address": 5,
        "elsewhere": f"{elsewhere}/jobs/plain/{job}/file",
    }
    return {"status": "done", "result": {"url": files.get(kind, f"{job}/file")}}
