"""Secrets where they would be stored with a run: refused with the place where they belong, and told nowhere."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from tasks.config import ApiSource, FilesSource, load_pipeline
from tests.config.files import mistakes_of

HELD = "s3cr3tvalue"
API = "name: small\nsources:\n  rows: {{kind: api, url: {url}{more}}}\n"
FILES = "name: small\nsources:\n  rows: {{kind: files, path: {path}}}\n"


@pytest.fixture(autouse=True)
def _held(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a secret, and what is none, in the environment."""
    for name in ("TOKEN", "WEATHER_KEY", "DB_PASSWORD", "MINE"):
        monkeypatch.setenv(name, HELD)
    monkeypatch.setenv("API_BASE", "http://127.0.0.1:1")


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (
            ", params: {q: '${TOKEN}'}",
            "sources.rows.params.q: ${TOKEN} is a secret by its name, and would be stored with the run as it stands "
            "here; write auth: {kind: api_key, place: query, name: q, key: {env: TOKEN}}, or name a variable that is "
            "none otherwise",
        ),
        (
            ", headers: {X-Plan: 'a ${WEATHER_KEY}'}",
            "sources.rows.headers.X-Plan: ${WEATHER_KEY} is a secret by its name, and would be stored with the run as it "
            "stands here; write auth: {kind: api_key, name: X-Plan, key: {env: WEATHER_KEY}}, or name a variable that is "
            "none otherwise",
        ),
        (
            ", method: POST, body: {a: [{b: '${DB_PASSWORD}'}]}",
            "sources.rows.body.a.b: ${DB_PASSWORD} is a secret by its name, and would be stored with the run as it "
            "stands here; write auth, and in it {env: DB_PASSWORD}, or name a variable that is none otherwise",
        ),
        (
            ", partitions: {part: ['${TOKEN:-x}']}",
            "sources.rows.partitions.part: ${TOKEN} is a secret by its name, and would be stored with the run as it "
            "stands here; write auth, and in it {env: TOKEN}, or name a variable that is none otherwise",
        ),
        (
            ", params: {access_token: abc}",
            "sources.rows: the parameter access_token holds a secret, which belongs in auth, where it is not stored; "
            "write auth: {kind: api_key, place: query, name: access_token, key: {env: NAME}}",
        ),
        (
            ", params: {token: abcd1234abcd1234}",
            "sources.rows: the parameter token holds a secret, which belongs in auth, where it is not stored; "
            "write auth: {kind: api_key, place: query, name: token, key: {env: NAME}}",
        ),
        (
            ", params: {token: '${MINE}'}",
            "sources.rows.params.token: ${MINE} is a secret by what it stands in, and would be stored with the run as it "
            "stands here; write auth: {kind: api_key, place: query, name: token, key: {env: MINE}}, or name a variable "
            "that is none otherwise",
        ),
        (
            ", headers: {X-Api-Key: abc}",
            "sources.rows.headers.X-Api-Key: holds a secret, which belongs in auth, where it is not stored; "
            "write auth: {kind: api_key, name: X-Api-Key, key: {env: NAME}}",
        ),
        (
            ", headers: {X-Max-Tokens: abc}",
            "sources.rows.headers: X-Max-Tokens holds a secret, which belongs in auth, where it is not stored; "
            "write auth: {kind: api_key, name: X-Max-Tokens, key: {env: NAME}}, or a number",
        ),
        (
            ", headers: {X-Token: '100'}",
            "sources.rows.headers.X-Token: holds a secret, which belongs in auth, where it is not stored; "
            "write auth: {kind: api_key, name: X-Token, key: {env: NAME}}",
        ),
    ],
)
def test_a_secret_outside_of_auth_is_refused(tmp_path: Path, more: str, sentence: str) -> None:
    """By the name of its variable, or of what it stands in; the sentence has the cure, and not the secret."""
    (found,) = mistakes_of(tmp_path / "pipeline.yaml", API.format(url="http://127.0.0.1:1/", more=more))

    assert found == sentence


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:1/?q=${TOKEN}",
        "http://127.0.0.1:1/?token=${MINE}",
        "http://127.0.0.1:1/?api_key=abc",
        "http://${TOKEN}/",
    ],
)
def test_a_secret_in_an_address_is_refused(tmp_path: Path, url: str) -> None:
    """The cure is auth."""
    (found,) = mistakes_of(tmp_path / "pipeline.yaml", API.format(url=f"'{url}'", more=""))

    assert "auth" in found
    assert HELD not in found


@pytest.mark.parametrize(
    "more",
    [
        "",
        ", params: {key: EWR, sort_key: name, page_token: a1}",
        ", params: {max_tokens: 100, token: ETH, token_id: 5, secret_santa: 1, appid: 440, signature: any}",
        ", params: {plain: '${MINE}'}",
        ", headers: {Cookie: consent=1, X-Key: a}",
        ", headers: {X-Max-Tokens: '100', x-llm-token-limit: '5', Token-Count: '0'}",
    ],
)
def test_what_is_no_secret_is_taken(tmp_path: Path, more: str) -> None:
    """Names that only sound like one, and variables that are none."""
    file = tmp_path / "pipeline.yaml"
    file.write_text(API.format(url="'${API_BASE}/x'", more=more))

    source = load_pipeline(file).sources["rows"]

    assert isinstance(source, ApiSource)
    assert source.url == "http://127.0.0.1:1/x"


@pytest.mark.parametrize("name", ["client_secret", "api_token", "accessToken", "password", "apikey"])
def test_a_name_beyond_doubt_is_refused_with_any_value(tmp_path: Path, name: str) -> None:
    """Words that mean nothing else need no long value."""
    (found,) = mistakes_of(tmp_path / "pipeline.yaml", API.format(url="http://h/", more=f", params: {{{name}: abc}}"))

    assert f"the parameter {name} holds a secret" in found


@pytest.mark.parametrize("query", ["token=ETH&page=2", "max_tokens=100"])
def test_an_address_may_have_what_is_no_secret(tmp_path: Path, query: str) -> None:
    """As parameters may."""
    file = tmp_path / "pipeline.yaml"
    file.write_text(API.format(url=f"'http://127.0.0.1:1/?{query}'", more=""))

    source = load_pipeline(file).sources["rows"]

    assert isinstance(source, ApiSource)
    assert source.url.endswith(query)


@pytest.mark.parametrize("path", ["https://h/a.csv?token={}", "https://me:{}@h/a.csv"])
def test_a_secret_in_the_address_of_a_file_is_hidden(tmp_path: Path, path: str) -> None:
    """It is used, and is not in what Prefect stores."""
    file = tmp_path / "pipeline.yaml"
    file.write_text(FILES.format(path=f"'{path.format('${TOKEN}')}'"))

    pipeline = load_pipeline(file)

    source = pipeline.sources["rows"]
    assert isinstance(source, FilesSource)
    assert source.path == (path.format(HELD),)
    assert HELD not in pipeline.model_dump_json()


def test_a_secret_of_a_file_that_cannot_be_hidden_is_refused(tmp_path: Path) -> None:
    """What it stands in does not tell that it is one."""
    (found,) = mistakes_of(tmp_path / "pipeline.yaml", FILES.format(path="'https://h/${TOKEN}/a.csv'"))

    assert found.startswith("sources.rows.path: ${TOKEN} is a secret by its name, and would be stored with the run")
    assert "only user:password@ and a parameter like token" in found


def test_a_mistake_tells_no_value() -> None:
    """Prefect shows pydantic's own sentence where parameters are wrong."""
    with pytest.raises(ValidationError) as error:
        FilesSource.model_validate({"kind": "files", "path": "a", "token": HELD})

    assert HELD not in str(error.value)


@pytest.mark.parametrize(
    "host", ["https://cdn.example.com", "cdn.example.com/x", "*.example.com", "me:pw@h", "a b", ""]
)
def test_a_host_that_is_none_is_a_mistake(tmp_path: Path, host: str) -> None:
    """The sentence has a right one."""
    (found,) = mistakes_of(
        tmp_path / "pipeline.yaml",
        API.format(url="http://h/", more=f", allow_hosts: ['{host}', '[::1]:80', 'a.b:8080']"),
    )

    assert found.endswith("is not a host; write one like cdn.example.com, or cdn.example.com:8080")
    assert "pw" not in found


@pytest.mark.parametrize("path", ["simplecache::https://me:pw@h/a.csv", "zip://a.csv::HTTP://h/a.zip"])
def test_a_chain_of_addresses_is_refused(path: str) -> None:
    """What a web server's file may redirect to would not be checked."""
    with pytest.raises(
        ValidationError, match="is a chain of addresses; write that of the web server's file alone"
    ) as error:
        FilesSource.model_validate({"kind": "files", "path": path})

    assert "pw" not in str(error.value)
