"""Reports that are ordered, waited for and fetched: once, also by a run that goes on, and what is told where that cannot be."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from tasks.config import ApiSource, Pipeline
from tasks.core.errors import OtherHostError, PermanentSourceError, SourceError, WrongPagesError
from tests.ingest.sources import QUICK, api, land_one, list_files, read_rows
from tests.killed import Order
from tests.site.jobs import QUESTIONS
from tests.site.server import Site
from tests.zygote import Zygote

ROWS = [{"id": "11", "of": "1"}, {"id": "12", "of": "1"}]
MORE = [{"id": "21", "of": "2"}, {"id": "22", "of": "2"}]
PATIENCE_S = 60


def ordering(site: Site, kind: str, poll: dict[str, Any] | None = None, **changes: Any) -> ApiSource:
    """Return a source whose report is a job of a kind."""
    asked = {"url": f"{site.url}/jobs/{kind}/{{job}}", "status_at": "status", "done": ["done"], "failed": ["failed"]}
    job = {"id_at": "job.id", "poll": {"every": "0.01s", **(poll or asked)}, "download": {"url_at": "result.url"}}
    plain = {"method": "POST", "body": {"days": 7}, "pagination": {"kind": "single"}, "records_at": None}
    return api(site, f"/jobs/{kind}", **{**plain, "answer": {"kind": "csv"}, "job": job, **changes})


def count_made(site: Site) -> int:
    """Return how many jobs were made."""
    return sum(seen.method == "POST" for seen in site.seen)


async def test_a_job_is_made_once_and_its_file_becomes_the_rows(site: Site, tmp_path: Path) -> None:
    """It is asked for until it is done; its file is read as the answer says, and a further run asks for nothing."""
    landed = await land_one(ordering(site, "plain"), tmp_path)

    assert read_rows(landed.path) == ROWS
    assert site.paths == ["/jobs/plain", *["/jobs/plain/1"] * QUESTIONS, "/jobs/plain/1/file"]
    assert bytes(site.seen[0].body) == b'{"days": 7}'
    assert landed.warnings == ()


@pytest.mark.parametrize("poll", [{"header": "Location"}, {"url_at": "links.self"}])
async def test_an_answer_that_is_no_longer_202_is_the_file(site: Site, tmp_path: Path, poll: dict[str, Any]) -> None:
    """The address to ask stands in a header, or in the answer, and no status: the code tells, and no id is needed."""
    job = {"poll": {"every": "0.01s", **poll}}

    landed = await land_one(ordering(site, "answers-itself", job=job), tmp_path)

    assert read_rows(landed.path) == ROWS
    assert site.paths == ["/jobs/answers-itself", *["/jobs/answers-itself/1"] * QUESTIONS]


async def test_a_job_with_several_files_has_the_rows_of_all(site: Site, tmp_path: Path) -> None:
    """They are fetched in their order, each once."""
    landed = await land_one(ordering(site, "two-files"), tmp_path)

    assert (read_rows(landed.path), landed.pages) == (ROWS + MORE, 2)


async def test_a_job_without_a_file_has_no_rows_and_is_told(site: Site, tmp_path: Path) -> None:
    """Null in place of an address is what some servers give of a report without rows."""
    landed = await land_one(ordering(site, "no-file"), tmp_path)

    assert (landed.rows, len(landed.warnings)) == (0, 1)
    assert "the job is done and names no file, which was taken for no rows" in landed.warnings[0]


@pytest.mark.parametrize("fault", ["500-once", "429-once-retry-after-seconds", "drop-once", "truncated-once"])
async def test_a_fault_of_the_file_costs_one_request(site: Site, tmp_path: Path, fault: str) -> None:
    """It is asked for again, and no other job is made."""
    landed = await land_one(ordering(site, fault), tmp_path)

    assert (read_rows(landed.path), count_made(site), site.paths[-2:]) == (ROWS, 1, [f"/jobs/{fault}/1/file"] * 2)


@pytest.mark.parametrize(
    ("kind", "changes", "sentence"),
    [
        ("fails", {}, 'the job has failed: status is \'failed\': \'{"status":"failed","why":"too many days"}\''),
        ("expired", {}, "was refused with 403 Forbidden: 'the address is no longer valid'"),
        ("no-address", {}, "job.download.url_at: 5 is no address; correct url_at"),
        ("plain", {"job": {"poll": {"url_at": "links.me"}}}, "job.poll.url_at: 'links.me' is not in the body"),
        ("plain", {"job": {"poll": {"header": "X-Job"}}}, "job.poll.header: the answer names no address to ask"),
        ("plain", {"answer": {"kind": "xml", "records": "//a"}}, "cannot be read as answer: xml: it is no whole XML"),
        ("plain", {"requests": {**QUICK, "max_body_bytes": 20}}, "larger than requests.max_body_bytes (20)"),
    ],
)
async def test_what_is_wrong_with_a_job_is_told(
    site: Site, tmp_path: Path, kind: str, changes: dict[str, Any], sentence: str
) -> None:
    """The sentence has the words of the answer and the cure, and nothing is put in place."""
    with pytest.raises(PermanentSourceError, match=re.escape(sentence)):
        await land_one(ordering(site, kind, **changes), tmp_path)

    assert list_files(tmp_path) == []


@pytest.mark.parametrize(("kind", "made"), [("fails", 2), ("expired", 2), ("no-address", 1)])
async def test_a_job_that_has_failed_is_made_anew_by_the_next_run(
    site: Site, tmp_path: Path, kind: str, made: int
) -> None:
    """One that has failed, or whose file is gone, is forgotten; one whose answer could not be read is asked for again."""
    for _ in range(2):
        with pytest.raises(PermanentSourceError):
            await land_one(ordering(site, kind), tmp_path)

    assert count_made(site) == made


async def test_a_job_that_takes_too_long_is_waited_for_by_the_next_run(site: Site, tmp_path: Path) -> None:
    """Questions end after the timeout, and the job is kept; how long is no part of what is asked for."""
    url = f"{site.url}/jobs/never-done/{{job}}"
    poll = {"url": url, "status_at": "status", "done": ["done"], "timeout": "0.05s"}

    with pytest.raises(
        PermanentSourceError, match=r"not done within job.poll.timeout \(0.05s\), at last it is 'running'"
    ):
        await land_one(ordering(site, "never-done", poll), tmp_path)
    asked = len(site.seen)
    with pytest.raises(PermanentSourceError, match=r"job.poll.timeout \(0.1s\)"):
        await land_one(ordering(site, "never-done", {**poll, "timeout": "0.1s"}), tmp_path)

    assert (count_made(site), 2 < asked < 12) == (1, True)


async def test_a_job_that_is_gone_is_made_anew(site: Site, tmp_path: Path) -> None:
    """A run that goes on finds that its server knows the job no more, makes another, and tells."""
    with pytest.raises(SourceError, match="no such job"):
        await land_one(ordering(site, "gone"), tmp_path)

    landed = await land_one(ordering(site, "gone"), tmp_path)

    assert (read_rows(landed.path), count_made(site)) == (ROWS, 2)
    assert "the job that a run before had made is gone, and another was made" in landed.warnings[0]


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        ("gone-between", "1 of its files is landed; the next run makes another job"),
        (
            "fewer-later",
            "the job names 1 file, where it named more when 1 were landed; the next run makes another job",
        ),
    ],
)
async def test_a_job_that_changes_between_its_files_leaves_no_row_of_the_first(
    site: Site, tmp_path: Path, kind: str, sentence: str
) -> None:
    """All files of the next job are read, so that no row of the one before may stay beside them."""
    source = ordering(site, kind)
    with pytest.raises(SourceError, match="wait for a minute"):
        await land_one(source, tmp_path)
    with pytest.raises(WrongPagesError, match=sentence):
        await land_one(source, tmp_path)

    landed = await land_one(source, tmp_path)

    assert (read_rows(landed.path), count_made(site)) == (ROWS + MORE, 2)


async def test_a_file_elsewhere_is_fetched_without_proof_where_it_is_allowed(
    site: Site, other_site: Site, tmp_path: Path
) -> None:
    """Nothing is asked of another host unless allow_hosts names it, and it is not told who asks."""
    site.redirect_to = other_site.url
    auth = {"auth": {"kind": "bearer", "token": {"env": "T"}}}

    with pytest.raises(OtherHostError, match=r"add 127.0.0.1:[0-9]+ to allow_hosts"):
        await land_one(ordering(site, "elsewhere", **auth), tmp_path, {"token": "a-secret-token"})
    allowed = ordering(site, "elsewhere", **auth, allow_hosts=[other_site.url.split("/")[2]])
    landed = await land_one(allowed, tmp_path, {"token": "a-secret-token"})

    assert read_rows(landed.path) == ROWS
    assert {seen.headers.get("authorization") for seen in site.seen} == {"Bearer a-secret-token"}
    assert [seen.headers.get("authorization") for seen in other_site.seen] == [None]


@pytest.mark.flow
def test_a_run_that_is_killed_while_it_waits_makes_no_other_job(forked: Zygote, site: Site, tmp_path: Path) -> None:
    """After SIGKILL between the questions the next run asks for the same job, and ends with its rows."""
    poll = {"url": f"{site.url}/jobs/plain/{{job}}", "status_at": "status", "done": ["done"], "every": "0.5s"}
    config = Pipeline(name="killed", sources={"report": ordering(site, "plain", poll)}).model_dump_json()
    order = Order("ingest", config, str(tmp_path), 1)
    process, until = forked.start(order), time.monotonic() + PATIENCE_S
    while len(site.seen) < 2 and time.monotonic() < until:
        time.sleep(0.01)
    os.killpg(process, signal.SIGKILL)
    killed = forked.end()
    forked.start(order)
    ended = forked.end()

    assert (killed, ended, count_made(site)) == (-signal.SIGKILL, 0, 1)
    assert read_rows(tmp_path / "raw" / "report" / "all.jsonl.zst") == ROWS


async def test_a_landing_that_is_cancelled_keeps_its_job(site: Site, tmp_path: Path) -> None:
    """A run that is interrupted while it waits goes on with the same job."""
    poll = {"url": f"{site.url}/jobs/plain/{{job}}", "status_at": "status", "done": ["done"], "every": "30s"}
    landing = asyncio.create_task(land_one(ordering(site, "plain", poll), tmp_path))
    while len(site.seen) < 2:  # noqa: ASYNC110 - the site is a server, and tells nobody
        await asyncio.sleep(0.01)
    landing.cancel()
    await asyncio.wait([landing])

    landed = await land_one(ordering(site, "plain"), tmp_path)

    assert (read_rows(landed.path), count_made(site)) == (ROWS, 1)


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        ({"poll": {}}, "name one place of the address to ask: url, url_at"),
        ({"poll": {"url": "http://h/{id}"}}, "'http://h/{id}' has {id}, which is not a partition"),
        ({"poll": {"url": "http://h/jobs"}}, "names no job; write {job} where its id stands"),
        ({"poll": {"url": "http://h/{job}"}}, "{job} stands for the id of the job; add id_at"),
        ({"poll": {"header": "Location", "status_at": "status"}}, "status_at, the path of the status, and done"),
        ({"poll": {"header": "Location", "failed": ["no"]}}, "failed is of the status; add status_at"),
        (
            {"poll": {"header": "Location", "status_at": "s", "done": [1], "failed": [1]}},
            "1 is in done, and in failed; take it out of one of them",
        ),
        ({"poll": {"header": "Location"}, "download": {}}, "name one place of the file: url, or url_at"),
    ],
)
def test_a_job_that_cannot_be_is_refused(keys: dict[str, Any], sentence: str) -> None:
    """What is missing, or belongs together, is told before anything is asked."""
    with pytest.raises(ValidationError, match=re.escape(sentence)):
        ApiSource.model_validate({"url": "http://h/", "job": keys})


def test_a_job_has_no_pages() -> None:
    """Its file is fetched whole."""
    with pytest.raises(ValidationError, match="the file of a job is fetched whole; take pagination out"):
        ApiSource.model_validate(
            {"url": "http://h/", "job": {"poll": {"header": "Location"}}, "pagination": {"kind": "page"}}
        )
