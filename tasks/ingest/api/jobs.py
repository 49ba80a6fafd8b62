"""Jobs of an API: made once, asked for until they are done, and their files read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

import httpx

from tasks.config import ApiSource, write_duration
from tasks.config.jobs import Job
from tasks.core.errors import PermanentSourceError, WrongPagesError
from tasks.core.escaping import count
from tasks.ingest.api.response import Document, ListNames, read_from_body
from tasks.ingest.api.sequential import find_address
from tasks.ingest.api.single import read_alone
from tasks.ingest.http.redaction import excerpt, quoted
from tasks.ingest.http.requests import Fetch, PageGroup, PageRequest, has_content, label_of, refusal

_QUOTED_CHARACTERS = 80
_ACCEPTED = 202
_GONE = frozenset({404, 410})
_NO_FILE = frozenset({403, *_GONE})  # an address that is signed says 403 when its time is over


@dataclass
class JobState:
    """A job that was made, and how many of its files are landed; the state from which reading goes on."""

    poll: str
    """Address that tells of it."""
    id: str | int | None = None
    files: int = 0


async def read_job(
    source: ApiSource, job: Job, first: PageRequest, fetch: Fetch, state: JobState | None
) -> AsyncGenerator[PageGroup, None]:
    """Yield the files of a job, which is made unless `state` tells of one; one that is made is told before it is asked for.

    Raises:
        PermanentSourceError: the answers do not tell what they are to, or the job is not done in time.
        WrongPagesError: the job has failed, or its file is gone, or it is gone and some of its files are landed, so that
            another has to be made.

    """
    done = None if state is None else await _wait(job, state, fetch, may_be_gone=True)
    warnings: tuple[str, ...] = ()
    if state is None or done is None:
        if state is not None and state.files:
            raise WrongPagesError(
                f"{state.poll}: the job that a run before had made is gone, and {state.files} of its files is landed; "
                "the next run makes another job"
            )
        if state is not None:
            warnings = (f"{state.poll}: the job that a run before had made is gone, and another was made",)
        state = await _make(job, first, fetch)
        yield PageGroup([], 0, replace(state), warnings, is_due=True)
        done = await _wait(job, state, fetch)
        assert done is not None
    names = ListNames(source.names)
    addresses = await _find_files(job, state, done)
    if addresses is None:
        async for group in read_alone(source, done, names):
            yield group
        return
    if not addresses:
        said = f"{label_of(done)}: the job is done and names no file, which was taken for no rows"
        yield PageGroup([], 1, None, (said,))
    for number, address in enumerate(addresses[state.files :], state.files + 1):
        response = await fetch(PageRequest(httpx.URL(address), answers=_NO_FILE))
        if not response.is_success:
            raise WrongPagesError(f"{refusal(response)}; the next run makes another job")
        state.files = number
        async for group in read_alone(source, response, names):
            is_whole = group.state is None and number < len(addresses)
            yield group._replace(state=replace(state), is_due=True) if is_whole else group


async def _make(job: Job, first: PageRequest, fetch: Fetch) -> JobState:
    """Make a job, and return it."""
    response = await fetch(first)
    found = None if job.id_at is None else await _at(response, job.id_at, "job.id_at")
    if job.id_at is not None and (isinstance(found, bool) or not isinstance(found, str | int) or found == ""):
        raise PermanentSourceError(
            f"{label_of(response)}: job.id_at: {job.id_at!r} is {quoted(found, _QUOTED_CHARACTERS)}, which is no id; correct id_at"
        )
    poll = job.poll
    if poll.url is not None:
        return JobState(_fill(poll.url, found), found)
    if poll.header is not None:
        key, value = "job.poll.header", response.headers.get(poll.header)
    else:
        key, value = "job.poll.url_at", await _at(response, str(poll.url_at), "job.poll.url_at")
    address = find_address(response, value, key)
    if address is None:
        raise PermanentSourceError(f"{label_of(response)}: {key}: the answer names no address to ask; correct {key}")
    return JobState(address, found)


async def _wait(job: Job, state: JobState, fetch: Fetch, *, may_be_gone: bool = False) -> httpx.Response | None:
    """Return the answer that says that a job is done; None where there is no such job any more, if that may be."""
    poll, now = job.poll, asyncio.get_running_loop().time
    page_request = PageRequest(httpx.URL(state.poll), answers=_GONE if may_be_gone else frozenset())
    until = now() + poll.timeout.total_seconds()
    while True:
        response = await fetch(page_request)
        if response.status_code in page_request.answers:
            return None
        status = f"status {response.status_code}"
        if poll.status_at is None:
            if response.status_code != _ACCEPTED:
                return response
        else:
            found = await _at(response, poll.status_at, "job.poll.status_at")
            if _is_one(found, poll.done):
                return response
            status = quoted(found, _QUOTED_CHARACTERS)
            if _is_one(found, poll.failed):
                raise WrongPagesError(
                    f"{label_of(response)}: the job has failed: {poll.status_at} is {status}: {excerpt(response)!r}; "
                    "correct what it is asked for; the next run makes another job"
                )
        if now() + poll.every.total_seconds() > until:
            raise PermanentSourceError(
                f"{label_of(response)}: the job is not done within job.poll.timeout ({write_duration(poll.timeout)}), at last it is {status}; "
                "run again to go on waiting for it, raise timeout, or add the status to done or failed"
            )
        await asyncio.sleep(poll.every.total_seconds())


async def _find_files(job: Job, state: JobState, done: httpx.Response) -> list[str] | None:
    """Return the addresses of a job's files; None where the answer itself is the file.

    Raises:
        WrongPagesError: it names fewer than it did when some were landed.

    """
    if job.download is None:
        return None
    if job.download.url is not None:
        return [_fill(job.download.url, state.id)]
    key = "job.download.url_at"
    found = await _at(done, str(job.download.url_at), key)
    addresses = [find_address(done, value, key) for value in (found if isinstance(found, list) else [found])]
    named = [address for address in addresses if address is not None]
    if state.files and len(named) <= state.files:  # which were not all when they were landed
        raise WrongPagesError(
            f"{label_of(done)}: the job names {count(len(named), 'file')}, where it named more when {state.files} were landed; "
            "the next run makes another job"
        )
    return named


async def _at(response: httpx.Response, path: str, key: str) -> Any:
    """Return what an answer has at a path, which `key` of the pipeline file gives."""

    def read(document: Document) -> Any:
        return document.at(path, key)

    if not has_content(response):
        raise PermanentSourceError(f"{label_of(response)}: {key}: the answer has no body; correct job")
    return await read_from_body(response, read)


def _is_one(found: Any, values: tuple[Any, ...]) -> bool:
    """Return whether a status is one of some values; 1 is not true."""
    return any(type(found) is type(value) and found == value for value in values)


def _fill(url: str, job: str | int | None) -> str:
    return url.replace("{job}", quote(str(job), safe=""))
