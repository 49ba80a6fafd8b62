"""What rows that have landed give reason to doubt: kept with them, and told by every run that uses them."""

from __future__ import annotations

from pathlib import Path

from flows.recorder import RunRecorder
from tasks.ingest.http.requests import PageGroup
from tasks.ingest.landing.plan import Landed, find_landed
from tasks.ingest.landing.writer import RawWriter
from tasks.ingest.results import LandedSource
from tasks.raw.files import RawManifest
from tests.flows.conftest import ended_with
from tests.ingest.sources import api, job_of
from tests.site.server import Site

ODD = "GET http://x/?n=1: one row is odd"


def test_a_reused_partition_tells_its_warnings_again(site: Site, tmp_path: Path) -> None:
    """Warnings of page groups stand in the manifest, each once, also those from before a kill."""
    job = job_of(api(site, "/paged/none"), tmp_path)
    asked = PageGroup([b"{}"], 1, {"page": 2}, ("first",)), PageGroup([b"{}"], 1, None, ("second", "first"))
    for group in asked:
        writer = RawWriter(job.raw, RawManifest(job.fingerprint, 0, 0, 0, "", ""))
        writer.open()
        (writer.finish if group.state is None else writer.add)(group, None)
        if writer.checkpoint.is_complete:
            writer.put_in_place()
        writer.close()

    landed = find_landed(job, fresh=False)

    assert landed is not None
    assert landed.warnings == ("first", "second")


async def test_warnings_stand_in_the_summary(tmp_path: Path) -> None:
    """What several partitions are warned of alike is said once, with the first of them and how many others."""
    landed = [
        Landed(name, Path("raw"), 1, 1, 9, reused=False, warnings=(ODD.replace("=1", f"={name}"), *more))
        for name, more in [("a", ()), ("b", ("else",)), ("c", ())]
    ]
    record = RunRecorder("p", tmp_path)

    await record.add("ingest", ended_with, [LandedSource("news", tuple(landed), ())])

    assert record.summary(None).warnings == [
        "source news, partition a and 2 more: GET http://x/?n=a: one row is odd",
        "source news, partition b: else",
    ]
