"""Private fields stand in nothing that a run writes: raw files, tables, rejects, checkpoints, logs and Prefect's database."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from tasks.config import ApiSource, PagesSource, SecretReference
from tasks.config.answers import unread
from tasks.core.errors import PermanentSourceError, SourceError
from tasks.core.private_fields import PrivateFields
from tasks.ingest.http.redaction import NOT_SHOWN
from tasks.ingest.landing.private import check_key, clean_records, settle_key
from tasks.ingest.tasks import read_key
from tests.flows.conftest import Tidemill, call_command
from tests.ingest.sources import QUICK, land_one, read_rows
from tests.ingest.test_secrets import data_texts, database_texts, wait_until_stored
from tests.site.people import PEOPLE, PLANTED
from tests.site.server import Site
from tests.thorough import takes_minutes

KEY = "0123456789abcdef"
PRIVACY: dict[str, Any] = {
    "drop": ["email", "customer.phone"],
    "hash": {"fields": ["customer.number"], "secret": {"env": "SALT"}},
}
NOTES = {**PRIVACY, "drop": [*PRIVACY["drop"], "orders.note"]}
BY_NUMBER = {"kind": "page", "pages_at": "pages"}
BY_NEXT = {"kind": "next_url", "next_at": "next"}
_BEGUN_S = 120.0
FAULTS = ("malformed", "refused", "broken", "other", "scalars")


def people(site: Site, fault: str = "none", **changes: Any) -> dict[str, Any]:
    """Return a source of people, changed as said."""
    plain = {"kind": "api", "url": f"{site.url}/people/{fault}", "records_at": "items", "pagination": BY_NEXT}
    return {**plain, "requests": {**QUICK, "attempts": 2}, "privacy": NOTES, **changes}


def pages(site: Site, **changes: Any) -> dict[str, Any]:
    """Return the same people as web pages."""
    columns = {"id": "b::text", "number": ".customer::text"}
    plain = {"kind": "pages", "start": f"{site.url}/people.html", "rows": "li", "robots": "ignore", "requests": QUICK}
    private = {"hash": {"fields": ["number"], "secret": {"env": "SALT"}}, "drop": ["phone"]}
    return {**plain, "columns": columns, "pairs": "dl", "privacy": private, **changes}


def texts_of(data: Path) -> Iterator[tuple[str, str]]:
    """Yield what is in the files of a data folder, and in what of them is compressed."""
    yield from data_texts(data)
    for path in (each for each in data.rglob("*") if each.is_file() and ".zst" in each.name):
        with pa.input_stream(str(path), compression="zstd") as stream:
            try:
                yield str(path), stream.read().decode()
            except OSError:  # no raw file, but what stands beside it
                continue


def find_planted(data: Path, ended: str) -> set[str]:
    """Return where a run has written what is private."""
    home = Path(os.environ["PREFECT_HOME"])
    written = [("output", ended), *texts_of(data), *database_texts(home), *data_texts(home)]
    return {place for place, text in written if any(value in text for value in PLANTED)}


async def test_private_fields_are_never_in_a_raw_file(site: Site, tmp_path: Path) -> None:
    """All rows are there, without what is dropped; one value has one hash in every source that has the same secret."""
    api = ApiSource.model_validate(people(site)).guarded(KEY.encode())
    scraped = PagesSource.model_validate(pages(site)).guarded(KEY.encode())

    landed = await land_one(api, tmp_path / "api")
    of_pages = await land_one(scraped, tmp_path / "pages")

    rows, scraped_rows = read_rows(landed.path), read_rows(of_pages.path)
    assert [row["id"] for row in rows] == [each["id"] for each in PEOPLE]
    assert {tuple(row) for row in rows} == {("id", "customer", "orders")}
    assert {(*row["customer"], *row["orders"][0]) for row in rows} == {("number", "total")}
    assert len({row["customer"]["number"] for row in rows}) == len(PEOPLE)
    assert [row["id"] for row in scraped_rows if "id" in row] == [str(each["id"]) for each in PEOPLE]
    assert scraped_rows[0]["size"] == "1"
    assert "phone" not in scraped_rows[0]
    assert not [path for path, text in texts_of(tmp_path) if any(value in text for value in PLANTED)]
    assert sorted(landed.fields_met) == ["customer.number", "customer.phone", "email", "orders.note"]


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        ({"kind": "csv"}, b"id,email\n1,planted1\n2,planted2,3\n"),
        ({"kind": "ndjson"}, b'{"id": "1", "email": "planted"}\n{"id": planted2}\n'),
        ({"kind": "xml", "records": "//p"}, b"<a><p><id>1</id><email>planted</email></p></a>"),
    ],
)
async def test_answers_of_other_kinds_have_private_fields_too(
    site: Site, tmp_path: Path, answer: dict[str, str], body: bytes
) -> None:
    """Also records of them that cannot be read, whose text is not kept."""
    site.echo_body = body
    source = ApiSource.model_validate(
        {"url": f"{site.url}/echo/body", "answer": answer, "privacy": {"drop": ["email"]}}
    )

    landed = await land_one(source.guarded(b""), tmp_path)

    assert {row.get("id", row.get("text")) for row in read_rows(landed.path)} in ({"1"}, {"1", NOT_SHOWN})
    assert not [path for path, text in texts_of(tmp_path) if "planted" in text]


@pytest.mark.parametrize("fault", FAULTS)
async def test_no_error_quotes_what_a_host_sent(site: Site, tmp_path: Path, fault: str) -> None:
    """Nor is it in what the failed run leaves to be gone on from."""
    source = ApiSource.model_validate(people(site, fault)).guarded(KEY.encode())

    with pytest.raises(SourceError) as raised:
        await land_one(source, tmp_path)

    assert not any(value in str(raised.value) for value in PLANTED)
    assert not [path for path, text in texts_of(tmp_path) if any(value in text for value in PLANTED)]


async def test_a_source_with_privacy_is_not_read_unguarded(site: Site, tmp_path: Path) -> None:
    """Whoever reads it without saying how fails, rather than write what is private."""
    with pytest.raises(AssertionError, match="the source is not guarded"):
        await land_one(ApiSource.model_validate(people(site)), tmp_path)

    assert not [path for path, text in texts_of(tmp_path) if any(value in text for value in PLANTED)]


@pytest.mark.flow
@pytest.mark.usefixtures("prefect_server")
def test_private_values_are_written_nowhere(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Of sources that land, fail in every way and are killed, nothing is in the data folder, the logs or the database; a path that no record has is told."""
    data = tmp_path / "data"
    typo = {**NOTES, "drop": [*NOTES["drop"], "customer.fone"]}
    sources = {
        "whole": people(site, privacy=typo, key=["customer.number"]),
        "kept": people(site, privacy={"keep": ["id", "orders.total"]}, tables={"totals": {"explode": "orders"}}),
        "counted": people(site, pagination=BY_NUMBER, columns={"id": {"type": "int", "pattern": "([1-6])"}}),
        "scraped": pages(site),
        **{fault: people(site, fault) for fault in FAULTS},
    }
    (tmp_path / "people.yaml").write_text(json.dumps({"name": "people", "allow_partial": True, "sources": sources}))
    debug = {"PREFECT_LOGGING_LEVEL": "DEBUG", "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "DEBUG"}
    tidemill = Tidemill({"SALT": KEY, **debug})

    ended = tidemill("run", tmp_path / "people.yaml", "--data", data, "--verbose")
    monkeypatch.setenv("SALT", KEY)
    shown = call_command(capfd.readouterr, "preview", tmp_path / "people.yaml", "--data", data, "--ask")
    wait_until_stored(Path(os.environ["PREFECT_HOME"]))

    assert find_planted(data, ended.stdout + ended.stderr + shown.stdout + shown.stderr) == set()
    assert ended.returncode == 1
    assert [fault for fault in FAULTS if f"source {fault}, partition all: " not in ended.stderr] == []
    assert "privacy.drop: 'customer.fone' is in none of 9 records, so that nothing of it was dropped" in ended.stdout
    assert pq.read_table(data / "tables" / "kept").column_names == ["id", "orders"]
    assert pq.read_table(data / "tables" / "totals")["total"].to_pylist() == [each["id"] * 1.5 for each in PEOPLE]
    rejects = pq.read_table(data / "rejects" / "counted")["raw"].to_pylist()
    assert [json.loads(raw)["id"] for raw in rejects] == [7, 8, 9]


@pytest.mark.flow
@pytest.mark.usefixtures("prefect_server")
@takes_minutes("it runs a pipeline twice")
async def test_a_run_that_is_killed_leaves_nothing_private(site: Site, tmp_path: Path) -> None:
    """What it had come to is kept without what is private, and is gone on from."""
    data, source = tmp_path / "data", people(site, "stalls-once")
    (tmp_path / "people.yaml").write_text(json.dumps({"name": "people", "sources": {"people": source}}))

    killed = await asyncio.to_thread(_kill_once_begun, tmp_path / "people.yaml", data)
    landed = await land_one(ApiSource.model_validate(source).guarded(KEY.encode()), data / "raw" / "people")

    assert killed == set()
    assert (landed.resumed_from, site.paths.count("/people/stalls-once")) == (2, 1)
    assert [row["id"] for row in read_rows(landed.path)] == [each["id"] for each in PEOPLE]
    assert len({len(row["customer"]["number"]) for row in read_rows(landed.path)}) == 1
    assert find_planted(data, "") == set()


def _kill_once_begun(pipeline: Path, data: Path) -> set[str]:
    """Kill a run once it has kept what came first; return where it has written what is private."""
    child = Tidemill({"SALT": KEY}).start("run", pipeline, "--data", data, "--only", "ingest")
    deadline = time.monotonic() + _BEGUN_S
    while not list(data.glob("raw/people/.*.landing.json")) and time.monotonic() < deadline:
        time.sleep(0.1)
    os.killpg(child.pid, signal.SIGKILL)
    output, _ = child.communicate()
    assert list(data.glob("raw/people/.*.landing"))
    return find_planted(data, output)


def test_a_record_that_cannot_be_read_is_told_without_its_text() -> None:
    """What stands for it has the reason; a line that is no JSON is such a one, too."""
    lines = [
        unread("2 fields where there are 3 columns", "planted;1"),
        b"{planted",
        b'{"$reject":"planted","email":"planted"}',
    ]

    cleaned = clean_records(lines, PrivateFields(["email"], [], ["id"]))

    assert [json.loads(line) for line in cleaned] == [
        {"$reject": "2 fields where there are 3 columns", "text": NOT_SHOWN},
        {"$reject": "no JSON", "text": NOT_SHOWN},
        {},
    ]


def test_another_secret_is_refused(tmp_path: Path) -> None:
    """With it the same value would have two hashes; what is fetched all anew may have another."""
    check_key(KEY.encode(), tmp_path, fresh=False)
    check_key(KEY.encode(), tmp_path, fresh=False)

    with pytest.raises(
        PermanentSourceError, match=r"^privacy\.hash\.secret: is another one than what is landed was hashed"
    ):
        check_key(KEY[::-1].encode(), tmp_path, fresh=False)
    check_key(KEY[::-1].encode(), tmp_path, fresh=True)
    with pytest.raises(PermanentSourceError, match=r"has not come to its end; run with --fresh again$"):
        check_key(KEY[::-1].encode(), tmp_path, fresh=False)
    check_key(KEY[::-1].encode(), tmp_path, fresh=True)
    settle_key(tmp_path)
    check_key(KEY[::-1].encode(), tmp_path, fresh=False)


@pytest.mark.flow
@pytest.mark.usefixtures("prefect_server")
def test_all_that_is_fetched_anew_may_have_another_secret(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Once it is all there; the run before, with --fresh as well, had not come to that."""
    (tmp_path / "people.yaml").write_text(json.dumps({"name": "people", "sources": {"people": people(site)}}))
    folder = tmp_path / "data" / "raw" / "people"
    check_key(KEY[::-1].encode(), folder, fresh=False)
    check_key(KEY.encode(), folder, fresh=True)
    run = ("run", tmp_path / "people.yaml", "--data", tmp_path / "data", "--only", "ingest")

    monkeypatch.setenv("SALT", KEY)

    ended = [call_command(capfd.readouterr, *run, *more) for more in ((), ("--fresh",))]

    assert [each.code for each in ended] == [1, 0]
    assert "has not come to its end; run with --fresh again" in ended[0].stderr
    check_key(KEY.encode(), folder, fresh=False)


async def test_a_short_secret_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hashes that are made with it could be undone by trying; it is not quoted."""
    monkeypatch.setenv("SALT", "pepper")

    with pytest.raises(PermanentSourceError, match="the environment variable SALT holds 6 characters, and hashes made"):
        await read_key("privacy.hash.secret", SecretReference(env="SALT"))


API = {"url": "http://127.0.0.1/"}
PAGES = {"kind": "pages", "start": "http://127.0.0.1/", "rows": "li", "columns": {"name": "b::text"}}


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        ({"privacy": {}}, "names no field; write drop, hash or keep, or take privacy out"),
        ({"privacy": {"drop": ["a..b"]}}, "'a..b' has an empty name; write one like customer.phone"),
        ({"privacy": {"drop": ["a", "a.b"]}}, "drop has 'a.b', and drop has 'a': take one of them out"),
        ({"privacy": {"drop": ["a"], "keep": ["a.b"]}}, "keep has 'a.b', and drop has 'a': take one of them out"),
        ({"key": ["email"]}, "key needs 'email', and by privacy it is dropped; hash it, or take it out of key"),
        (
            {"key": ["mail"], "columns": {"email": {"rename": "mail"}}},
            "key needs 'email', and by privacy it is dropped",
        ),
        (
            {"key": ["id"], "privacy": {"keep": ["nr"]}},
            "key needs 'id', and privacy.keep has it not; add it to privacy.keep",
        ),
        ({"partitions": {"email": ["a"]}}, "partitions.email needs 'email', and by privacy it is dropped; take it out"),
        ({"columns": {"id": "int"}}, "columns.id needs 'id', and by privacy it is hashed; take it out of privacy"),
        ({"explode": "email"}, "explode needs 'email', and by privacy it is dropped; take it out of privacy"),
        (
            {"key": ["id"], "incremental": {"field": "id", "param": "since", "start": 0}},
            "incremental.field needs 'id', and by privacy it is hashed; take it out of privacy",
        ),
        (
            {"pagination": {"kind": "keyset", "value_at": "id", "param": "after"}},
            "pagination.value_at needs 'id', and by privacy it is hashed; take it out of privacy",
        ),
        (
            {"tables": {"lines": {"explode": "lines", "key": ["email"]}}, "privacy": {"drop": ["lines.email"]}},
            "tables.lines.key needs 'lines.email', and by privacy it is dropped; hash it",
        ),
    ],
)
def test_what_is_needed_is_not_private(keys: dict[str, Any], sentence: str) -> None:
    """It is told before anything is fetched: what stands in requests, in names of files, or tells rows apart."""
    privacy = {"drop": ["email"], "hash": {"fields": ["id"], "secret": {"env": "SALT"}}}

    with pytest.raises(ValidationError, match=re.escape(sentence)):
        ApiSource.model_validate({**API, "privacy": privacy, **keys})


@pytest.mark.parametrize(
    "keys",
    [
        {"key": ["unit_price"], "table": {"clean_names": True}, "privacy": {"keep": ["Unit Price"]}},
        {"key": ["full"], "columns": {"full": {"expression": "id || 'x'"}}, "privacy": {"keep": ["id"]}},
        {"key": ["order"], "partitions": {"id": {"from": "orders", "column": "id", "take": {"order": "id"}}}},
        {"tables": {"lines": {"explode": "lines"}}, "privacy": {"keep": ["lines.sku"]}},
        {"key": ["id", "lines.sku"], "privacy": {"keep": ["id", "lines"]}},
    ],
)
def test_what_is_of_another_name_or_made_is_no_mistake(keys: dict[str, Any]) -> None:
    """Nor is what is taken of a parent, or stands within what is kept."""
    assert ApiSource.model_validate({**API, "privacy": {"keep": ["nr"]}, **keys}).privacy


def test_what_is_taken_of_a_parent_is_kept() -> None:
    """It is in each record when the record's own fields are taken out."""
    parents = {"id": {"from": "orders", "column": "id", "take": {"of.order": "id"}}}
    source = ApiSource.model_validate({**API, "partitions": parents, "privacy": {"keep": ["nr"]}}).guarded(b"")

    assert source.private_fields is not None
    assert source.private_fields.clean(b'{"of.order":1,"nr":2,"x":3}') == b'{"of.order":1,"nr":2}'


def test_a_private_column_of_pages_is_one() -> None:
    """A name that no selector has is a mistake, unless pages name columns themselves."""
    with pytest.raises(ValidationError, match=r"privacy: 'nmae' is no column with a selector; did you mean name\?"):
        PagesSource.model_validate({**PAGES, "privacy": {"drop": ["nmae"]}})

    assert PagesSource.model_validate({**PAGES, "pairs": "dl", "privacy": {"drop": ["phone"]}}).privacy
