"""Jobs of an API: reports that are ordered, waited for and then fetched."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from pydantic import Field, model_validator

from tasks.config.base import BodyPath, ConfigModel, Duration, NonEmpty, Scalar
from tasks.config.http import HeaderName, check_url

_JOB = "job"
State = bool | Scalar


def _check_address(key: str, url: str | None) -> None:
    if url is not None:
        check_url(url, {_JOB})
        if f"{{{_JOB}}}" not in url:
            raise ValueError(f"{key}: {url!r:.80} names no job; write {{job}} where its id stands")


class JobPoll(ConfigModel):
    """How a job is asked whether it is done."""

    url: NonEmpty | None = None
    """Address that tells of the job, with {job} where its id stands."""
    url_at: BodyPath | None = None
    """Path to that address in the answer that made the job, instead of url."""
    header: HeaderName | None = None
    """Header of that answer with the address, e.g. Location, instead of url."""
    every: Annotated[Duration, Field(gt=timedelta(0))] = timedelta(seconds=5)
    """Time from one question to the next, e.g. 10s."""
    timeout: Annotated[Duration, Field(gt=timedelta(0))] = timedelta(hours=1)
    """Time after which a job that is not done is an error; the next run goes on waiting for it."""
    status_at: BodyPath | None = None
    """Path to the job's status in the answer; without it a job is done when the answer is no longer 202."""
    done: tuple[State, ...] = ()
    """Values of the status that mean it is done, e.g. [done, completed]; with any other that is not in failed it is under way."""
    failed: tuple[State, ...] = ()
    """Values of the status that mean it has failed, e.g. [failed, cancelled]: an error with the answer's words."""

    @model_validator(mode="after")
    def _fits_together(self) -> JobPoll:
        if sum(each is not None for each in (self.url, self.url_at, self.header)) != 1:
            raise ValueError(
                "name one place of the address to ask: url, url_at: a path in the answer, or header: Location"
            )
        _check_address("url", self.url)
        if (self.status_at is None) == bool(self.done):
            raise ValueError(
                "status_at, the path of the status, and done, the values by which it is done, belong together; write both, or none"
            )
        if self.failed and self.status_at is None:
            raise ValueError("failed is of the status; add status_at, or take failed out")
        if both := [value for value in self.done if value in self.failed]:
            raise ValueError(f"{both[0]!r} is in done, and in failed; take it out of one of them")
        return self


class JobDownload(ConfigModel):
    """Where the file of a job that is done is."""

    url: NonEmpty | None = None
    """Address of the file, with {job} where the job's id stands."""
    url_at: BodyPath | None = None
    """Path to the file's address, or a list of them, in the answer that says the job is done, instead of url; null is a job without rows."""

    @model_validator(mode="after")
    def _is_one(self) -> JobDownload:
        if (self.url is None) == (self.url_at is None):
            raise ValueError(
                "name one place of the file: url, or url_at: a path in the answer that says the job is done"
            )
        _check_address("url", self.url)
        return self


class Job(ConfigModel):
    """A report that the source's request orders: it is asked for until it is done, and its file is fetched."""

    id_at: BodyPath | None = None
    """Path in the answer to the source's request to the id of the job, which {job} stands for."""
    poll: JobPoll
    """How the job is asked whether it is done."""
    download: JobDownload | None = None
    """Where its file is; without it the answer that says it is done is the file."""

    @model_validator(mode="after")
    def _has_an_id(self) -> Job:
        has_url = self.poll.url is not None or (self.download is not None and self.download.url is not None)
        if has_url and self.id_at is None:
            raise ValueError(
                "{job} stands for the id of the job; add id_at: the path of it in the answer that makes the job"
            )
        return self
