"""The pipeline file: read whole, and every mistake in it one sentence."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tasks.config import (
    ApiSource,
    Candidate,
    Column,
    FilesSource,
    PagesColumn,
    PagesSource,
    Pipeline,
    Range,
    Requests,
    SecretReference,
    SinglePagination,
    TimeSplit,
    Training,
    load_pipeline,
    read_pipeline,
)
from tasks.config.pagination import PAGINATORS
from tasks.core.errors import ConfigError
from tasks.ingest.api.paginators.page import PagePagination
from tasks.ingest.http.auths.bearer import BearerAuth
from tasks.train.execution.runners.processes import ProcessesRunner
from tests.config.files import mistakes_of

WHOLE = """\
name: whole
description: Everything a file can say.
sources:
  weather:
    kind: api
    url: ${SITE:-http://127.0.0.1:1}/{origin}
    partitions: {origin: [EWR, JFK], month: {range: [1, 12]}, day: [2013-01-01, 2013-01-02 05:00, 7, 0.5]}
    params: {per_page: 200}
    headers: {Accept: application/json}
    auth: {kind: bearer, token: {secret_block: weather-token}}
    pagination: {kind: page, param: p, start: 0, pages_at: meta.pages, max_pages: 9}
    requests: {max_in_flight: 2, timeout_s: 1.5, attempts: 3, deadline_s: 20}
    records_at: items
    key: [origin, hour]
    columns: {temp: float, hour: {type: timestamp}}
  airports:
    kind: pages
    start: http://127.0.0.1/airports
    follow: a[rel=next]::attr(href)
    rows: tr
    columns: {faa: "td::text", alt: {select: "td + td::text", type: int}}
  flights: {kind: files, path: "inbox/*.csv", columns: {late: bool}, key: [id]}
training:
  query: training.sql
  target: late
  metric: roc_auc
  split: {by: time, column: hour, test_fraction: 0.25}
  sample_rows: 1000
  seed: 7
  runner: {kind: processes, workers: 2}
  candidates:
    logistic: {estimator: a.B, params: {C: 1.0, dates: [2013-01-01]}, preprocessing: none}
allow_partial: true
"""

MINIMAL = """\
name: small
sources:
  rows:
    kind: api
    url: http://127.0.0.1/{x}
    partitions: {x: [a], y: {range: [1, 3]}}
    pagination: {kind: page}
    auth: {kind: bearer, token: {env: TOKEN}}
    columns: {a: int, b: {type: float}}
    requests: {attempts: 3}
  site: {kind: pages, start: "http://127.0.0.1", rows: tr, columns: {a: td, b: {select: td}}}
  inbox: {kind: files, path: "x/*.csv"}
training:
  query: SELECT 1
  target: t
  split: {by: time, column: c}
  candidates: {one: {estimator: a.B}}
"""

TYPES = "int, float, string, bool, date, timestamp"
NAMES = "use small letters, digits, - and _, a letter first"
PLACE = "{env: NAME} or {secret_block: name}"
ADDRESS = "is not an address; write one like https://api.example.com/items"
BRACE = "has a stray brace; write {name} for a partition's value"


def test_a_whole_file_is_the_whole_model(file: Path) -> None:
    """Every key has its place in the model; shorthands, variables and the query's file are resolved."""
    file.write_text(WHOLE)
    file.with_name("training.sql").write_text("SELECT *\nFROM flights\n")

    assert load_pipeline(file) == Pipeline(
        name="whole",
        description="Everything a file can say.",
        sources={
            "weather": ApiSource(
                url="http://127.0.0.1:1/{origin}",
                partitions={
                    "origin": ("EWR", "JFK"),
                    "month": Range(range=(1, 12)),
                    "day": ("2013-01-01", "2013-01-02 05:00", 7, 0.5),
                },
                params={"per_page": 200},
                headers={"Accept": "application/json"},
                auth=BearerAuth(token=SecretReference(secret_block="weather-token")),  # noqa: S106 - a name
                pagination=PagePagination(param="p", start=0, pages_at="meta.pages", max_pages=9),
                requests=Requests(max_in_flight=2, timeout_s=1.5, attempts=3, deadline_s=20),
                records_at="items",
                key=("origin", "hour"),
                columns={"temp": Column(type="float"), "hour": Column(type="timestamp")},
            ),
            "airports": PagesSource(
                start=("http://127.0.0.1/airports",),
                follow="a[rel=next]::attr(href)",
                rows="tr",
                columns={"faa": PagesColumn(select="td::text"), "alt": PagesColumn(select="td + td::text", type="int")},
            ),
            "flights": FilesSource(path="inbox/*.csv", columns={"late": Column(type="bool")}, key=("id",)),
        },
        training=Training(
            query="SELECT *\nFROM flights\n",
            target="late",
            metric="roc_auc",
            split=TimeSplit(column="hour", test_fraction=0.25),
            sample_rows=1000,
            seed=7,
            runner=ProcessesRunner(workers=2),
            candidates={
                "logistic": Candidate(estimator="a.B", params={"C": 1.0, "dates": ["2013-01-01"]}, preprocessing="none")
            },
        ),
        allow_partial=True,
    )


def test_a_small_file_has_defaults(file: Path) -> None:
    """A file needs a name and a source."""
    file.write_text("name: small\nsources: {rows: {kind: api, url: http://127.0.0.1}}\n")

    pipeline = load_pipeline(file)

    assert pipeline == Pipeline(name="small", sources={"rows": ApiSource(url="http://127.0.0.1")})
    assert (pipeline.training, pipeline.allow_partial) == (None, False)
    assert pipeline.sources["rows"] == ApiSource(
        url="http://127.0.0.1", pagination=SinglePagination(), requests=Requests(), partitions={}, key=()
    )


def test_a_pipeline_is_read_from_its_path_or_is_itself(file: Path) -> None:
    """Flows take both."""
    file.write_text(MINIMAL)

    pipeline = read_pipeline(file)

    assert pipeline == load_pipeline(file)
    assert read_pipeline(pipeline) is pipeline


@pytest.mark.parametrize(("value", "url"), [(None, "http://a/x"), ("http://b", "http://b/x"), ("http://${C}", None)])
def test_a_variable_takes_its_value_or_its_default(
    file: Path, monkeypatch: pytest.MonkeyPatch, value: str | None, url: str | None
) -> None:
    """${NAME:-default} is the variable, or else the default; a value is not looked into again."""
    file.write_text("name: small\nsources: {rows: {kind: files, path: '${TIDEMILL_TEST:-http://a}/x'}}\n")
    if value is not None:
        monkeypatch.setenv("TIDEMILL_TEST", value)

    source = load_pipeline(file).sources["rows"]

    assert isinstance(source, FilesSource)
    assert source.path == (url or f"{value}/x",)


def test_a_default_may_be_empty(file: Path) -> None:
    """${NAME:-} is nothing where the variable is not set."""
    assert "TIDEMILL_NOT_SET" not in os.environ
    file.write_text(MINIMAL.replace("name: small", "name: small${TIDEMILL_NOT_SET:-}"))

    assert load_pipeline(file).name == "small"


@pytest.mark.parametrize(
    ("right", "wrong", "mistakes"),
    [
        # unknown keys, at every depth
        ("name: small", "name: small\ntraning: {}", ["traning: unknown key; did you mean training?"]),
        ("name: small", "nam: small", ["name: is missing; add it", "nam: unknown key; did you mean name?"]),
        (
            "url:",
            "ulr:",
            ["sources.rows.url: is missing; add it", "sources.rows.ulr: unknown key; did you mean url?"],
        ),
        ("{kind: page}", "{kind: page, parm: p}", ["sources.rows.pagination.parm: unknown key; did you mean param?"]),
        ("{env: TOKEN}", "{evn: TOKEN}", ["sources.rows.auth.token.evn: unknown key; did you mean env?"]),
        ("{type: float}", "{typ: float}", ["sources.rows.columns.b.typ: unknown key; did you mean type?"]),
        ("attempts: 3", "atempts: 3", ["sources.rows.requests.atempts: unknown key; did you mean attempts?"]),
        (
            "range: [1, 3]",
            "rang: [1, 3]",
            [
                "sources.rows.partitions.y.range: is missing; add it",
                "sources.rows.partitions.y.rang: unknown key; did you mean range?",
            ],
        ),
        (
            "{select: td}",
            "{selct: td}",
            [
                "sources.site.columns.b.select: is missing; add it",
                "sources.site.columns.b.selct: unknown key; did you mean select?",
            ],
        ),
        (
            "estimator: a.B",
            "estimtor: a.B",
            [
                "training.candidates.one.estimator: is missing; add it",
                "training.candidates.one.estimtor: unknown key; did you mean estimator?",
            ],
        ),
        (
            "by: time, column: c",
            "by: random, column: c",
            ["training.split.column: unknown key; known here are by, folds, stratify, test_fraction"],
        ),
        (
            'path: "x/*.csv"',
            "glob: x",
            [
                "sources.inbox.path: is missing; add it",
                "sources.inbox.glob: unknown key; known here are allow_hosts, checks, columns, keep, key, kind, on_missing, path, read, table, tables",
            ],
        ),
        (
            "token: {env: TOKEN}",
            "tokn: {env: TOKEN}",
            [
                "sources.rows.auth.token: is missing; add it",
                "sources.rows.auth.tokn: unknown key; did you mean token?",
            ],
        ),
        # kinds
        (
            "kind: files",
            "kind: file",
            ["sources.inbox.kind: 'file' is not one of api, pages, files; did you mean files?"],
        ),
        ("kind: files", "kind: database", ["sources.inbox.kind: 'database' is not one of api, pages, files"]),
        ("kind: files, ", "", ["sources.inbox: needs the key kind, which says what it is"]),
        (
            "{kind: page}",
            "{kind: pages}",
            [f"sources.rows.pagination.kind: 'pages' is not one of {', '.join(PAGINATORS.kinds)}; did you mean page?"],
        ),
        ("by: time", "by: tim", ["training.split.by: 'tim' is not one of random, time, group; did you mean time?"]),
        ("a: int", "a: integer", [f"sources.rows.columns.a: 'integer' is not one of {TYPES}; did you mean int?"]),
        (
            "type: float",
            "type: flaot",
            [f"sources.rows.columns.b.type: 'flaot' is not one of {TYPES}; did you mean float?"],
        ),
        # values of another type
        ("name: small", "name: 5", ["name: 5 is not a text; write it in quotes"]),
        ("name: small", "name:", ["name: None is not a text; write it in quotes"]),
        ("{kind: page}", "page", ["sources.rows.pagination: 'page' is not a mapping; write {key: value}"]),
        ("a: int", "a: 5", ["sources.rows.columns.a: 5 is not a mapping; write {key: value}"]),
        ("{select: td}", "[td]", ["sources.site.columns.b: ['td'] is not a mapping; write {key: value}"]),
        (
            "attempts: 3",
            "attempts: three",
            [
                "sources.rows.requests.attempts: 'three': "
                "input should be a valid integer, unable to parse string as an integer"
            ],
        ),
        (
            "attempts: 3",
            "attempts: 0",
            ["sources.rows.requests.attempts: 0: input should be greater than or equal to 1"],
        ),
        ("x: [a]", "x: a", ["sources.rows.partitions.x: 'a' is not a list; write [value, value]"]),
        ("x: [a]", "x: []", ["sources.rows.partitions.x: has 0 entries; give at least 1"]),
        ("{one: {estimator: a.B}}", "{}", ["training.candidates: has 0 entries; give at least 1"]),
        (
            '"http://127.0.0.1"',
            "[]",
            ["sources.site: nothing says where its pages are; add start, sitemap or feed, e.g. start: https://…"],
        ),
        ('"x/*.csv"', '""', ["sources.inbox.path: '': string should have at least 1 character"]),
        # ranges
        (
            "[1, 3]",
            "[3, 1]",
            ["sources.rows.partitions.y: the range [3, 1] is empty; write the smaller number first"],
        ),
        ("[1, 3]", "[1]", ["sources.rows.partitions.y.range.1: is missing; add it"]),
        ("[1, 3]", "3", ["sources.rows.partitions.y.range: 3 is not a list; write [value, value]"]),
        # addresses
        (
            "1/{x}",
            "1/{z}",
            ["sources.rows: 'http://127.0.0.1/{z}' has {z}, which is not a partition; declare partitions: {z: [...]}"],
        ),
        ("http://127.0.0.1/{x}", "ftp://127.0.0.1/{x}", [f"sources.rows: 'ftp://127.0.0.1/{{x}}' {ADDRESS}"]),
        ('"http://127.0.0.1"', '["http://a", b]', [f"sources.site: 'b' {ADDRESS}"]),
        ("1/{x}", "1/{x", [f"sources.rows: 'http://127.0.0.1/{{x' {BRACE}"]),
        ("1/{x}", "1/{}", [f"sources.rows: 'http://127.0.0.1/{{}}' {BRACE}"]),
        ("1/{x}", "1/{x[0]}", [f"sources.rows: 'http://127.0.0.1/{{x[0]}}' {BRACE}"]),
        ("1/{x}", "1/{x!r:>9}", [f"sources.rows: 'http://127.0.0.1/{{x!r:>9}}' {BRACE}"]),
        # names
        ("name: small", "name: My pipeline", [f"name: 'My pipeline' is not a name; {NAMES}"]),
        ("inbox:", "In Box:", [f"sources.In Box: 'In Box' is not a name; {NAMES}"]),
        ("{one:", "{1st:", [f"training.candidates.1st: '1st' is not a name; {NAMES}"]),
        # secrets, which are never repeated
        ("{env: TOKEN}", "{}", [f"sources.rows.auth.token: name one place where the secret is held: {PLACE}"]),
        (
            "{env: TOKEN}",
            "{env: A, secret_block: b}",
            [f"sources.rows.auth.token: name one place where the secret is held: {PLACE}"],
        ),
        (
            "{env: TOKEN}",
            "s3cr3t",
            [f"sources.rows.auth.token: is no place of a secret; name where it is held: {PLACE}"],
        ),
        (
            "{kind: bearer, token: {env: TOKEN}}",
            "s3cr3t",
            ["sources.rows.auth: the value is not a mapping; write {key: value}"],
        ),
        # what the file points to
        (
            "target: t",
            "target: ${TIDEMILL_NOT_SET}",
            [
                "training.target: '${TIDEMILL_NOT_SET}' needs the environment variable TIDEMILL_NOT_SET, which is not set; "
                "set it, or give a default: ${TIDEMILL_NOT_SET:-value}"
            ],
        ),
        # YAML
        (
            "name: small",
            "name: small\nname: big",
            [':2:1: not valid YAML: found duplicate key "name"; mend the line'],
        ),
        ("name: small", "name: a: b", [":1:8: not valid YAML: mapping values are not allowed here; mend the line"]),
        ("name: small", "name: [small", [":2:8: not valid YAML: expected ',' or ']', but got ':'; mend the line"]),
        (
            "  site:",
            "\tsite:",
            [":11:1: not valid YAML: found character '\\t' that cannot start any token; mend the line"],
        ),
        ("name: small", "name: *small", [":1:7: not valid YAML: found undefined alias 'small'; mend the line"]),
        (
            "name: small",
            "description: &a [*a]",
            ["an alias stands within its own anchor; write the value itself"],
        ),
        (
            "name: small",
            "name: \x01",
            [
                "not valid YAML: unacceptable character #x0001: special characters are not allowed "
                'in "<unicode string>", position 6; mend the file'
            ],
        ),
    ],
)
def test_a_mistake_is_one_sentence(file: Path, right: str, wrong: str, mistakes: list[str]) -> None:
    """Each mistake is told with the path of its key, its value and the cure."""
    assert MINIMAL.count(right) == 1

    assert mistakes_of(file, MINIMAL.replace(right, wrong)) == mistakes


def test_all_mistakes_are_told_at_once(file: Path) -> None:
    """One look at the errors is enough to mend the file."""
    text = (
        MINIMAL.replace("attempts: 3", "atempts: 3").replace("a: int", "a: integer").replace("target: t", "traget: t")
    )

    assert mistakes_of(file, text) == [
        "sources.rows.requests.atempts: unknown key; did you mean attempts?",
        f"sources.rows.columns.a: 'integer' is not one of {TYPES}; did you mean int?",
        "training.target: is missing; add it",
        "training.traget: unknown key; did you mean target?",
    ]


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("", "a pipeline file is a mapping with the keys name, sources, training; this is None"),
        ("- a\n", "a pipeline file is a mapping with the keys name, sources, training; this is ['a']"),
        ("name: small\n", "sources: is missing; add it"),
        ("name: small\nsources:\n", "sources: None is not a mapping; write {key: value}"),
        ("name: small\nsources: {}\n", "sources: has 0 entries; give at least 1"),
        ("name: small\n---\nname: big\n", ":2:1: not valid YAML: but found another document; mend the line"),
        (
            b"name: \xff",
            "cannot be read as a pipeline file ('utf-8' codec can't decode byte 0xff in position 6: invalid start byte); "
            "name a YAML file in UTF-8",
        ),
    ],
)
def test_a_file_that_is_no_pipeline_is_told(file: Path, text: str | bytes, mistake: str) -> None:
    """What is missing altogether, or is no text, is one sentence too."""
    assert mistakes_of(file, text) == [mistake]


@pytest.mark.parametrize(
    "value", ["2013-01-01", "2013-01-01 05:00:00", "2013-01-01T05:00:00Z", "2013-01-01T05:00:00.5+02:00", "2013-99-99"]
)
def test_what_looks_like_a_date_is_the_text_it_is(file: Path, value: str) -> None:
    """A partition's value goes into an address as it stands in the file."""
    file.write_text(MINIMAL.replace("x: [a]", f"x: [{value}]"))

    source = load_pipeline(file).sources["rows"]

    assert isinstance(source, ApiSource)
    assert source.partitions["x"] == (value,)


def test_a_query_that_is_not_there_is_told(file: Path) -> None:
    """The file of the query is looked for beside the pipeline file."""
    text = MINIMAL.replace("query: SELECT 1", "query: training.sql")

    missing = mistakes_of(file, text)
    file.with_name("training.sql").write_bytes(b"SELECT '\xff'")
    unreadable = mistakes_of(file, text)

    sql = file.with_name("training.sql")
    assert missing == [f"training.query: there is no file {sql}; put the SQL there or correct the name"]
    assert unreadable == [
        f"training.query: {sql} is not UTF-8 "
        "('utf-8' codec can't decode byte 0xff in position 8: invalid start byte); save it as UTF-8"
    ]


def test_a_file_that_is_not_there_is_told_in_a_repository_of_ones_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files below pipelines/ are known, too; where there is none, the command that proposes one is told."""
    monkeypatch.chdir(tmp_path)

    with pytest.raises(ConfigError, match="check the path, or propose one with the command new"):
        load_pipeline(Path("pipelines/orders.yaml"))
    (tmp_path / "pipelines").mkdir()
    (tmp_path / "pipelines" / "orders.yaml").touch()
    with pytest.raises(ConfigError, match=r"did you mean pipelines/orders\.yaml\?"):
        load_pipeline(Path("pipelines/order.yaml"))


def test_a_file_that_is_not_there_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing file is told with the one that was perhaps meant, or with those there are."""
    for name in ("flights", "tour"):
        (tmp_path / "deployments" / name).mkdir(parents=True)
        (tmp_path / "deployments" / name / "pipeline.yaml").touch()
    monkeypatch.chdir(tmp_path)

    sentences = []
    for path in ("deployments/flihts/pipeline.yaml", "x.yml", "deployments", "deployments/tour/pipeline.yaml/x"):
        with pytest.raises(ConfigError) as caught:
            load_pipeline(Path(path))
        sentences.append(str(caught.value))

    assert sentences == [
        "deployments/flihts/pipeline.yaml: there is no such pipeline file; "
        "did you mean deployments/flights/pipeline.yaml?",
        "x.yml: there is no such pipeline file; "
        "there are deployments/flights/pipeline.yaml, deployments/tour/pipeline.yaml",
        "deployments: cannot be read as a pipeline file ([Errno 21] Is a directory: 'deployments'); "
        "name a YAML file in UTF-8",
        "deployments/tour/pipeline.yaml/x: cannot be read as a pipeline file "
        "([Errno 20] Not a directory: 'deployments/tour/pipeline.yaml/x'); name a YAML file in UTF-8",
    ]


@pytest.mark.parametrize(
    ("parent", "mistake"),
    [
        ("orders", "sources.items.partitions.id.from: no source has the table 'orders'; did you mean order?"),
        (
            "joined",
            "sources.items.partitions.id.from: joined is made of other tables once all is fetched; name the table of a source",
        ),
        (
            "parts",
            "sources.items.partitions: items -> parts -> items is a circle, in which each is fetched once the one before is; take one of them out",
        ),
    ],
)
def test_a_wrong_parent_of_partitions_is_told(file: Path, parent: str, mistake: str) -> None:
    """It is no table, one that is made when all is fetched, or in a circle."""
    text = f"""
name: parents
sources:
  order: {{kind: api, url: http://127.0.0.1/orders}}
  items: {{kind: api, url: "http://127.0.0.1/{{id}}", partitions: {{id: {{from: {parent}, column: id}}}}}}
  parts: {{kind: api, url: "http://127.0.0.1/{{id}}", partitions: {{id: {{from: items, column: id}}}}}}
tables:
  joined: {{query: SELECT 1 AS id}}
"""

    assert mistakes_of(file, text) == [mistake]
