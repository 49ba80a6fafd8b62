"""Sources: what an API and pages can be told, and what does not fit together."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from tasks.config import ApiSource, Incremental, PagesColumn, PagesSource, Pipeline, Requests, Scalar, load_pipeline
from tasks.config.base import Duration, write_duration
from tests.config.files import api, mistakes_of, pages

HOUR = timedelta(hours=1)
UNIT = "is not a duration; write a number and s, m, h, d or w, e.g. 24h"
NO_SCALAR = "is neither a number nor a text; write one value"
NO_SIZE = "is not a size; write a number of bytes, or one like 64MiB"
TRUTH = "is a truth value; write the text or the number that is to be sent, e.g. 'true'"
NO_START = "is neither a number nor a time in ISO 8601; write e.g. 0 or 2024-01-01T00:00:00Z"
NO_OVERLAP = "is neither a number nor a duration; write e.g. 100 or 1h"
BODY = "needs a request with a body; add method: POST, or send it as query or header"
DURATION: TypeAdapter[timedelta] = TypeAdapter(Duration)

EVERYTHING = """\
name: everything
sources:
  search:
    kind: api
    url: http://127.0.0.1/{region}/search
    method: POST
    body: {query: "{ user(id: {user}) { name } }", page: {size: 10, tags: [a, 1, 0.5, true, null]}}
    idempotent: true
    partitions: {region: [eu, us], user: {range: [1, 3]}}
    params: {per_page: 200, ratio: 0.5, since: 2024-01-01}
    headers: {Accept: application/json, X-Empty: ""}
    auth:
      kind: oauth2
      token_url: http://127.0.0.1/token
      client_id: me
      client_secret: {secret_block: held}
      scope: read
      params: {audience: x}
    pagination: {kind: cursor, cursor_at: meta.next, place: body, max_rows: 100}
    records_at: data.items
    explode: tags
    incremental: {field: updated_at, param: since, start: 2024-01-01, overlap: 1.5h}
    refresh: {after: 36h}
    key: [id]
    columns: {id: int}
    requests: {start_in_flight: 4, min_in_flight: 2, max_in_flight: 8, requests_per_s: 2.5, max_body_bytes: 64MiB,
               retry_statuses: [503], backoff_first_s: 0.1, backoff_max_s: 1, partition_deadline_s: 60}
  shop:
    kind: pages
    start: [http://127.0.0.1/a, "http://127.0.0.1/{section}"]
    partitions: {section: [x]}
    auth: {kind: api_key, name: key, place: query, key: {env: KEY}}
    follow: a.next::attr(href)
    links: a.detail::attr(href)
    rows: article
    columns: {title: "h1::text", tags: {select: "a::text", all: true}, price: {select: b, type: float, default: "0"}}
    allow_hosts: [cdn.example.com]
    robots: ignore
    max_depth: 3
    max_pages: 50
    refresh: {after: 7d}
  counted:
    kind: api
    url: http://127.0.0.1/counted
    incremental: {field: id, param: above, start: 0, overlap: 100}
    key: [id]
"""


def test_everything_is_whole_as_json(file: Path) -> None:
    """What Prefect keeps of a pipeline as JSON is the same pipeline when read back."""
    file.write_text(EVERYTHING)

    pipeline = load_pipeline(file)

    assert Pipeline.model_validate(pipeline.model_dump(mode="json")) == pipeline
    assert Pipeline.model_validate_json(pipeline.model_dump_json()) == pipeline
    search, shop = pipeline.sources["search"], pipeline.sources["shop"]
    assert isinstance(search, ApiSource)
    assert isinstance(shop, PagesSource)
    assert search.body == {
        "query": "{ user(id: {user}) { name } }",
        "page": {"size": 10, "tags": ["a", 1, 0.5, True, None]},
    }
    assert search.params == {"per_page": 200, "ratio": 0.5, "since": "2024-01-01"}
    assert search.incremental == Incremental(
        field="updated_at", param="since", start="2024-01-01", overlap=timedelta(hours=1.5)
    )
    assert search.requests.max_body_bytes == 64 * 1024 * 1024
    assert shop.start == ("http://127.0.0.1/a", "http://127.0.0.1/{section}")
    assert shop.columns["tags"] == PagesColumn(select="a::text", all=True)
    assert shop.refresh is not None
    assert shop.refresh.after == timedelta(days=7)


@pytest.mark.parametrize(
    ("text", "duration", "written"),
    [
        ("90s", timedelta(seconds=90), "90s"),
        ("30m", timedelta(minutes=30), "30m"),
        ("24h", timedelta(hours=24), "1d"),
        (" 1.5 h ", timedelta(minutes=90), "90m"),
        ("10d", timedelta(days=10), "10d"),
        ("2w", timedelta(weeks=2), "2w"),
        ("0.25s", timedelta(seconds=0.25), "0.25s"),
        ("0s", timedelta(), "0s"),
        ("PT36H", timedelta(hours=36), "36h"),
        ("P1DT2H", timedelta(hours=26), "26h"),
    ],
)
def test_a_duration_has_many_forms(text: str, duration: timedelta, written: str) -> None:
    """A number with its unit, or ISO 8601; it is written in the largest unit that fits, and survives JSON."""
    read = DURATION.validate_python(text)

    assert (read, write_duration(read)) == (duration, written)
    assert DURATION.validate_python(write_duration(read)) == duration
    assert DURATION.validate_json(DURATION.dump_json(read)) == duration


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("24", "24"),
        ("1.5", "1.5"),
        ("'24'", "'24'"),
        ("24 hours", "'24 hours'"),
        ("24H", "'24H'"),
        ("-1h", "'-1h'"),
        ("1h30m", "'1h30m'"),
        ("99999999999w", "'99999999999w'"),
        ("P99999999999D", "'P99999999999D'"),
        ("Pfff", "'Pfff'"),
        ("-P1D", "'-P1D'"),
        ("00:30:00", "'00:30:00'"),
        ("true", "True"),
        ("null", "None"),
        ("[1h]", "['1h']"),
    ],
)
def test_what_is_no_duration_is_told(file: Path, value: str, shown: str) -> None:
    """A number without a unit is not guessed, and no form is below zero or beyond what a clock can say."""
    assert mistakes_of(file, api(f"refresh: {{after: {value}}}")) == [f"sources.rows.refresh.after: {shown} {UNIT}"]


@pytest.mark.parametrize(
    ("text", "incremental"),
    [
        ("start: 5", Incremental(field="id", param="p", start=5)),
        ("start: 5, overlap: 10", Incremental(field="id", param="p", start=5, overlap=10.0)),
        ("start: '5', overlap: '10'", Incremental(field="id", param="p", start=5, overlap=10.0)),
        ("start: 0.5", Incremental(field="id", param="p", start=0.5)),
        ("start: -1.5", Incremental(field="id", param="p", start=-1.5)),
        ("start: 2024-01-01, overlap: 1h", Incremental(field="id", param="p", start="2024-01-01", overlap=HOUR)),
        ("start: 2024-01-01, overlap: 0", Incremental(field="id", param="p", start="2024-01-01")),
        (
            "start: 2024-01-01T05:00:00.5Z, overlap: PT1H",
            Incremental(field="id", param="p", start="2024-01-01T05:00:00.5Z", overlap=HOUR),
        ),
    ],
)
def test_an_incremental_source_goes_on_from_a_number_or_a_time(file: Path, text: str, incremental: Incremental) -> None:
    """Start and overlap are both numbers, or both times; a variable of the environment may give either."""
    file.write_text(api(f"key: [id], incremental: {{field: id, param: p, {text}}}"))

    source = load_pipeline(file).sources["rows"]

    assert isinstance(source, ApiSource)
    assert source.incremental == incremental
    assert type(incremental.start) is type(source.incremental.start if source.incremental else None)


@pytest.mark.parametrize(
    ("incremental", "mistakes"),
    [
        ("{field: id, param: p}", [".start: is missing; add it"]),
        ("{field: id, param: p, start: 1, overlaps: 5}", [".overlaps: unknown key; did you mean overlap?"]),
        ("{field: '', param: p, start: 1}", [".field: '': string should have at least 1 character"]),
        ("{field: id, param: p, start: soon}", [f".start: 'soon' {NO_START}"]),
        ("{field: id, param: p, start: '007'}", [f".start: '007' {NO_START}"]),
        ("{field: id, param: p, start: true}", [f".start: True {TRUTH}"]),
        ("{field: id, param: p, start: null}", [f".start: None {NO_SCALAR}"]),
        ("{field: id, param: p, start: 1, overlap: 1 hour}", [f".overlap: '1 hour' {NO_OVERLAP}"]),
        ("{field: id, param: p, start: 1, overlap: true}", [f".overlap: True {NO_OVERLAP}"]),
        ("{field: id, param: p, start: 1, overlap: -1}", [".overlap: -1 is below zero; write how far to go back"]),
        (
            "{field: id, param: p, start: 1, overlap: 1h}",
            [": overlap goes back from values like start, 1; write a number, e.g. 100"],
        ),
        (
            "{field: id, param: p, start: 2024-01-01, overlap: 5}",
            [": overlap goes back from values like start, '2024-01-01'; write a time, e.g. 1h"],
        ),
        ("daily", [": 'daily' is not a mapping; write {key: value}"]),
    ],
)
def test_a_mistake_in_incremental_is_told(file: Path, incremental: str, mistakes: list[str]) -> None:
    """Each mistake is told with the path of its key, its value and the cure."""
    found = mistakes_of(file, api(f"key: [id], incremental: {incremental}"))

    assert found == [f"sources.rows.incremental{mistake}" for mistake in mistakes]


@pytest.mark.parametrize(
    ("keys", "mistakes"),
    [
        ("body: {a: 1}", [": body belongs to a POST; add method: POST, or take body out"]),
        ("idempotent: true", [": idempotent belongs to a POST; add method: POST, or take idempotent out"]),
        ("method: PUT", [".method: 'PUT' is not one of GET, POST"]),
        ("method: post", [".method: 'post' is not one of GET, POST"]),
        ("method: POST, body: [1]", [".body: [1] is not a mapping; write {key: value}"]),
        ("method: POST, body: {a: !!binary aGk=}", [".body.a: b'hi' is not a value of JSON; write a text, a number, "]),
        ("method: POST, body: {a: {b: [!!binary aGk=]}}", [".body.a: b'hi' is not a value of JSON"]),
        ("auth: {kind: api_key, name: k, place: body, key: {env: A}}", [f": place: body {BODY}"]),
        (
            "incremental: {field: a, param: b, start: 1}",
            [
                ": incremental needs a key, by which rows that come twice are dropped; add key: [id], or what identifies a row"
            ],
        ),
        ("key: id", [".key: 'id' is not a list; write [value, value]"]),
        ("records_at: ''", [".records_at: '': string should have at least 1 character"]),
        ("explode: [a]", [".explode: ['a'] is not a text; write it in quotes"]),
        (
            "explode_empty: keep",
            [": explode_empty is of a list that is exploded; add explode, or take explode_empty out"],
        ),
        ("keep: last", [": keep: last is of rows with one key; add key: [id], or what identifies a row"]),
        ("params: {active: true}", [f".params.active: True {TRUTH}"]),
        ("params: {none: null}", [f".params.none: None {NO_SCALAR}"]),
        ("params: {many: [1, 2]}", [f".params.many: [1, 2] {NO_SCALAR}"]),
        ("params: {huge: .inf}", [f".params.huge: inf {NO_SCALAR}"]),
        ("partitions: {x: [true, a]}", [f".partitions.x.0: True {TRUTH}"]),
        (
            "partitions: {range: {rang: [1, 2]}}",
            [".partitions.range.range: is missing", ".partitions.range.rang: unknown"],
        ),
        ("headers: {'a b': c}", [".headers.a b: 'a b' is not the name of a header; write one like X-Total-Count"]),
        (
            "refresh: {every: 24h}",
            [".refresh.after: is missing; add it", ".refresh.every: unknown key; known here are after"],
        ),
        ("refresh: 24h", [".refresh: '24h' is not a mapping; write {key: value}"]),
        ("requests: {request_per_s: 5}", [".requests.request_per_s: unknown key; did you mean requests_per_s?"]),
        ("requests: {max_in_flight: 0}", [".requests.max_in_flight: 0: input should be greater than or equal to 1"]),
        (
            "requests: {min_in_flight: 9, max_in_flight: 8}",
            [".requests: min_in_flight (9) is above max_in_flight (8); raise max_in_flight"],
        ),
        ("requests: {timeout_s: .inf}", [".requests.timeout_s: inf: input should be a finite number"]),
        ("requests: {requests_per_s: 0}", [".requests.requests_per_s: 0: input should be greater than 0"]),
        (
            "requests: {retry_statuses: [200]}",
            [".requests.retry_statuses.0: 200: input should be greater than or equal to 400"],
        ),
        ("requests: {max_body_bytes: 64 MO}", [f".requests.max_body_bytes: '64 MO' {NO_SIZE}"]),
        ("requests: {max_body_bytes: lots}", [f".requests.max_body_bytes: 'lots' {NO_SIZE}"]),
        ("requests: {max_body_bytes: 0}", [".requests.max_body_bytes: 0: input should be greater than 0"]),
        # keys that are also names of a union's members
        ("api: {auth: 1}", [".api: unknown key; known here are "]),
        ("pagination: {kind: page, page: 5}", [".pagination.page: unknown key; did you mean place?"]),
        ("auth: {kind: basic, basic: {password: a}, username: b, password: {env: A}}", [".auth.basic: unknown key; "]),
        ("partitions: {list: [[1]]}", [f".partitions.list.0: [1] {NO_SCALAR}"]),
    ],
)
def test_a_mistake_in_an_api_is_told(file: Path, keys: str, mistakes: list[str]) -> None:
    """Each mistake is told with the path of its key, its value and the cure."""
    found = mistakes_of(file, api(keys))

    expected = [f"sources.rows{mistake}" for mistake in mistakes]
    assert [s[: len(start)] for s, start in zip(found, expected, strict=True)] == expected


@pytest.mark.parametrize(
    ("keys", "mistakes"),
    [
        ("columns: {}", [".columns: has 0 entries; give at least 1"]),
        ("columns: {a: ''}", [".columns.a: '': string should have at least 1 character"]),
        ("columns: {a: {select: ''}}", [".columns.a.select: '': string should have at least 1 character"]),
        ("columns: {a: td}, robots: no", [".robots: 'no' is not one of obey, ignore"]),
        ("columns: {a: td}, max_depth: -1", [".max_depth: -1: input should be greater than or equal to 0"]),
        ("columns: {a: td}, allow_hosts: cdn", [".allow_hosts: 'cdn' is not a list; write [value, value]"]),
        ("columns: {a: td}, follow: ''", [".follow: '': string should have at least 1 character"]),
        ("columns: {a: td}, link: a", [".link: unknown key; did you mean links?"]),
        (
            "columns: {a: {select: td, all: true, type: int}}",
            [".columns.a: all gives a list, as JSON text, which is no int; take type out, or all"],
        ),
        (
            "columns: {a: td}, auth: {kind: api_key, name: k, place: body, key: {env: A}}",
            [": auth.place: body needs a request with a body; pages have none: send the key as query or header"],
        ),
        ("columns: {a: td}, params: {a: 1}", [".params: unknown key; "]),
    ],
)
def test_a_mistake_in_pages_is_told(file: Path, keys: str, mistakes: list[str]) -> None:
    """Each mistake is told with the path of its key, its value and the cure."""
    found = mistakes_of(file, pages(keys))

    expected = [f"sources.rows{mistake}" for mistake in mistakes]
    assert [s[: len(start)] for s, start in zip(found, expected, strict=True)] == expected


@pytest.mark.parametrize(
    ("value", "size"), [("64MiB", 64 * 2**20), ("1kB", 1000), ("1024", 1024), ("1.5 KiB", 1536), ("7b", 7)]
)
def test_a_size_has_many_forms(file: Path, value: str, size: int) -> None:
    """Bytes are a number, or a number with a unit; they are a number as JSON."""
    file.write_text(api(f"requests: {{max_body_bytes: {value}}}"))

    requests = load_pipeline(file).fetched["rows"].requests

    assert requests.max_body_bytes == size
    assert Requests.model_validate(requests.model_dump(mode="json")) == requests


@pytest.mark.parametrize("value", [0, -1, 10**30, 0.5, "", "true", "1"])
def test_a_scalar_keeps_its_type(value: Scalar) -> None:
    """A number stays a number and a text a text, in an address as in a body."""
    params = ApiSource(url="http://a", params={"x": value}).params

    assert (params, type(params["x"])) == ({"x": value}, type(value))
