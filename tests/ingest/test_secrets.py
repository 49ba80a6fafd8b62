"""Secrets stand in nothing that a run writes but the rows that it was sent: output, data folder, Prefect's database and its home."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import time
from base64 import b64encode
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from joserfc.jwk import RSAKey
from prefect.blocks.system import Secret

from tests.convert.test_secret_addresses import CSV, files
from tests.flows.conftest import Tidemill
from tests.ingest.sources import read_rows
from tests.site.secrets import REFRESH, SAID_PAGES, SESSION, SIGNS, TOKEN
from tests.site.server import Site

pytestmark = [pytest.mark.flow, pytest.mark.usefixtures("prefect_server")]

HELD = {
    name: f"{name.lower()}7f3a{SIGNS}"
    for name in ("BEARER", "BASIC", "HEADER", "QUERY", "BODY", "CLIENT", "REFRESH", "PASSWORD", "LOGIN", "TURN")
}
"""The secrets, by the names of the environment variables, or the Secret block, that hold them."""
KEY = RSAKey.generate_key(2048).as_pem(private=True).decode()
"""The private key of a service account."""
CORES = [secret.removesuffix(SIGNS) for secret in (*HELD.values(), TOKEN, REFRESH, SESSION)] + KEY.splitlines()[1:-1]
"""What of each is written alike everywhere."""
PAIRS = [b64encode(f"me:{HELD[name]}".encode()).decode().rstrip("=") for name in ("BASIC", "CLIENT")]
BLOCK = "said-client-secret"
REFRESH_BLOCK = "said-refresh-token"
_STORED_S = 15.0
_POLL_S = 1.2  # Prefect's recorder flushes every second: two equal counts this far apart are the last word

ALL_BUT_ONE = {"attempts": 4, "backoff_first_s": 0.01}
BEARER = {"kind": "bearer", "token": {"env": "BEARER"}}
BASIC = {"kind": "basic", "username": "me", "password": {"env": "BASIC"}}
HEADER = {"kind": "api_key", "name": "X-Api-Key", "key": {"env": "HEADER"}}
QUERY = {"kind": "api_key", "name": "key", "place": "query", "key": {"env": "QUERY"}}
BODY = {"kind": "api_key", "name": "key", "place": "body", "key": {"env": "BODY"}}
BY_REFRESH = {"grant": "refresh_token", "client_secret": None, "refresh_token": {"secret_block": REFRESH_BLOCK}}
BY_PASSWORD = {"grant": "password", "username": "me", "password": {"env": "PASSWORD"}}
IN_TURN = {"kind": "bearer", "tokens": [{"env": "BEARER"}, {"env": "TURN"}]}
KEYS_IN_TURN = {"kind": "api_key", "name": "key", "place": "query", "keys": [{"env": "QUERY"}, {"env": "TURN"}]}
IN_A_HEADER = {"token_at": "access_token", "send_as": "header", "name": "X-Api-Key"}
NEXT = {"pagination": {"kind": "next_url", "next_at": "next"}, "records_at": "items"}


def client(site: Site, path: str, **changes: Any) -> dict[str, Any]:
    """Return the auth of a client whose secret a Secret block holds, and whose token comes from a path."""
    held = {"client_id": "me", "client_secret": {"secret_block": BLOCK}}
    return {"kind": "oauth2", "token_url": f"{site.url}/said/{path}", **held, **changes}


def service(site: Site, path: str) -> dict[str, Any]:
    """Return the auth of a service account, whose token comes from a path."""
    return {"kind": "jwt_bearer", "token_url": f"{site.url}/said/{path}", "issuer": "me", "key": {"env": "KEY"}}


def login(site: Site, path: str, **changes: Any) -> dict[str, Any]:
    """Return the auth of who logs in at a path."""
    return {"kind": "login", "url": f"{site.url}/said/{path}", "secrets": {"password": {"env": "LOGIN"}}, **changes}


def landing_sources(site: Site) -> dict[str, Any]:
    """Return sources of every kind of auth, whose rows, redirects and next links repeat it."""
    api = {"kind": "api", "url": f"{site.url}/said/page", **NEXT}
    return {
        "bearer": {**api, "auth": BEARER},
        "basic": {**api, "auth": BASIC},
        "header": {**api, "url": f"{site.url}/said/moved", "auth": HEADER},
        "query": {**api, "auth": QUERY},
        "body": {**api, "method": "POST", "auth": BODY, "idempotent": True},
        "oauth2": {**api, "auth": client(site, "token")},
        "oauth2-body": {**api, "auth": client(site, "token", send_as="body")},
        "refresh": {**api, "auth": client(site, "token", **BY_REFRESH)},
        "password": {**api, "auth": client(site, "token", **BY_PASSWORD)},
        "service": {**api, "auth": service(site, "token")},
        "turns": {**api, "auth": IN_TURN},
        "keys": {**api, "auth": KEYS_IN_TURN},
        "login": {**api, "auth": login(site, "session")},
        "login-token": {**api, "auth": login(site, "token", **IN_A_HEADER)},
        "pages": {
            "kind": "pages",
            "start": f"{site.url}/said/html",
            "follow": "a::attr(href)",
            "rows": "li",
            "columns": {"said": "b::text"},
            "auth": QUERY,
        },
    }


def failing_sources(site: Site) -> dict[str, Any]:
    """Return sources that fail for good, in answers that repeat what they were sent or before there is one."""
    api = {"kind": "api", "url": f"{site.url}/said/500", "requests": ALL_BUT_ONE, **NEXT}
    sources: dict[str, dict[str, Any]] = {
        "refused": {"url": f"{site.url}/said/401", "auth": BEARER},
        "broken": {"url": f"{site.url}/said/broken", "auth": BASIC},
        "failing": {"auth": QUERY},
        "failing-turns": {"auth": KEYS_IN_TURN},
        "refused-turns": {"url": f"{site.url}/said/401", "auth": IN_TURN},
        "failing-post": {"method": "POST", "auth": BODY},
        "half": {"url": f"{site.url}/said/half", "auth": QUERY},
        "moved-for-ever": {"url": f"{site.url}/said/moved-for-ever", "auth": QUERY},
        "moved-to-nowhere": {"url": f"{site.url}/said/moved-to-nowhere", "auth": HEADER},
        "no-token": {"url": f"{site.url}/said/page", "auth": client(site, "no-token")},
        "no-token-later": {"url": f"{site.url}/said/page", "auth": client(site, "500", send_as="body")},
        "no-refresh": {"url": f"{site.url}/said/page", "auth": client(site, "no-token", **BY_REFRESH)},
        "no-password": {"url": f"{site.url}/said/page", "auth": client(site, "no-token", **BY_PASSWORD)},
        "no-login": {"url": f"{site.url}/said/page", "auth": login(site, "no-token")},
        "no-session": {"url": f"{site.url}/said/401", "auth": login(site, "session")},
        "no-service": {"url": f"{site.url}/said/page", "auth": service(site, "no-token")},
        "unreachable": {"url": "http://127.0.0.1:1/", "auth": QUERY},
    }
    return {name: {**api, **source} for name, source in sources.items()}


def data_texts(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield what is written in a folder, by file, and what is compressed in it; not the rows as they were received."""
    for path in (path for path in folder.rglob("*") if path.is_file()):
        yield str(path), f"{path} {path.read_bytes().decode('latin-1')}"
        if path.suffix == ".parquet":
            table = pq.read_table(path)
            yield str(path), f"{table.schema}{table.to_pylist()}"


def database_texts(home: Path) -> Iterator[tuple[str, str]]:
    """Yield every value in Prefect's database, by table."""
    with sqlite3.connect(home / "prefect.db") as database:
        for (table,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            for row in database.execute(f'SELECT * FROM "{table}"'):  # noqa: S608 - the database's own names
                yield table, " ".join(v.decode("latin-1") if isinstance(v, bytes) else str(v) for v in row)


def wait_until_stored(home: Path) -> None:
    """Wait until what a run told Prefect is in its database."""
    counts = "SELECT (SELECT count(*) FROM log), (SELECT count(*) FROM events), (SELECT max(updated) FROM task_run)"
    deadline, before = time.monotonic() + _STORED_S, None
    with sqlite3.connect(home / "prefect.db") as database:
        while (now := database.execute(counts).fetchone()) != before and time.monotonic() < deadline:
            before = now
            time.sleep(_POLL_S)


def find_secrets(ended: subprocess.CompletedProcess[str], data: Path, secrets: Iterable[str]) -> set[tuple[str, str]]:
    """Return where a run that has ended, and been stored, has written a secret."""
    home = Path(os.environ["PREFECT_HOME"])
    written = [("stdout", ended.stdout), ("stderr", ended.stderr), *data_texts(data)]
    written += [*database_texts(home), *data_texts(home)]
    return {(place, secret) for place, text in written for secret in secrets if secret in text}


def test_secrets_are_written_nowhere(site: Site, tmp_path: Path) -> None:
    """Of sources whose servers repeat every secret, landed and failed ones, nothing that is written beside rows holds one."""
    home, data = Path(os.environ["PREFECT_HOME"]), tmp_path / "data"
    good, bad = landing_sources(site), failing_sources(site)
    config = {"name": "said", "allow_partial": True, "sources": good | bad}
    (tmp_path / "pipeline.yaml").write_text(json.dumps(config))
    Secret(value=HELD["CLIENT"]).save(BLOCK, overwrite=True)
    Secret(value=HELD["REFRESH"]).save(REFRESH_BLOCK, overwrite=True)
    tidemill = Tidemill(
        {**HELD, "KEY": KEY, "PREFECT_LOGGING_LEVEL": "DEBUG", "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "DEBUG"}
    )

    ended = tidemill("run", tmp_path / "pipeline.yaml", "--data", data, "--verbose", "--only", "ingest")
    wait_until_stored(home)

    assert find_secrets(ended, data, CORES + PAIRS) == set()
    assert ended.returncode == 1
    # That nothing was found tells something only if all of it was sent, repeated, and told of.
    assert [name for name in good if f"source {name}," in ended.stderr] == []
    assert [name for name in bad if f"source {name}," not in ended.stderr] == []
    assert [f"{name}: {len(read_rows(data / 'raw' / name / 'all.jsonl.zst'))}" for name in good] == [
        f"{name}: {SAID_PAGES}" for name in good
    ]
    texts = [("stderr", ended.stderr), *data_texts(data), *database_texts(home)]
    hidden = {place for place, text in texts if "***" in text}
    assert {"stderr", "log", "events", "artifact", str(data / "summary.json")} <= hidden
    assert list(data.glob("raw/half/.*.landing.json"))
    assert "Traceback" not in ended.stdout + ended.stderr
    kept = Secret.load(REFRESH_BLOCK)
    assert isinstance(kept, Secret)
    assert kept.get() == REFRESH


def test_secrets_of_files_are_written_nowhere(tmp_path: Path) -> None:
    """Those of addresses of files, which the pipeline file has from the environment, are used and stored with no run."""
    home, data = Path(os.environ["PREFECT_HOME"]), tmp_path / "data"
    held = {"SIGNED_TOKEN": "token5e2c41", "SHARE_PASSWORD": "password8a9d03"}
    with files({"/a.csv": CSV, "/broken.csv.gz": b"no gzip", "/moved.csv": f"/gone?sig={held['SIGNED_TOKEN']}"}) as (
        url,
        asked,
    ):
        sources = {
            "signed": f"{url}/a.csv?X-Amz-Signature=${{SIGNED_TOKEN}}",
            "shared": f"{url.replace('//', '//me:${SHARE_PASSWORD}@')}/a.csv?token=${{SIGNED_TOKEN}}",
            "broken": f"{url.replace('//', '//me:${SHARE_PASSWORD}@')}/broken.csv.gz?token=${{SIGNED_TOKEN}}",
        }
        missing = {"missing": sources["broken"].replace("broken.csv.gz", "moved.csv")}
        common = {"kind": "files", "columns": {"x": "int"}, "table": {"provenance": True}}
        for file, listed in (("pipeline", sources), ("missing", missing)):
            config = {"name": "files", "sources": {name: {**common, "path": path} for name, path in listed.items()}}
            (tmp_path / f"{file}.yaml").write_text(json.dumps(config))
        debug = {"PREFECT_LOGGING_LEVEL": "DEBUG", "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "DEBUG"}
        tidemill = Tidemill({**held, **debug})

        ended = tidemill("run", tmp_path / "pipeline.yaml", "--data", data, "--verbose")
        checked = [tidemill("check", tmp_path / f"{file}.yaml", "--data", data) for file in ("pipeline", "missing")]
    wait_until_stored(home)

    assert find_secrets(ended, data, held.values()) == set()
    said = "".join(check.stdout + check.stderr for check in checked)
    assert [secret for secret in held.values() if secret in said] == []
    assert ([check.returncode for check in checked], said.count("***") > 3) == ([0, 2], True)
    assert (ended.returncode, "source broken: " in ended.stderr) == (1, True)
    assert {name: (data / "tables" / name).exists() for name in sources} == {
        "signed": True,
        "shared": True,
        "broken": False,
    }
    assert all(held["SIGNED_TOKEN"] in request for request in asked)
    stored = " ".join(text for place, text in database_texts(home) if place == "flow_run")
    assert str(tmp_path / "pipeline.yaml") in stored, "the run has the path of its file, and not what it holds"
