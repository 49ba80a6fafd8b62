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
from tasks.core.errors import ConfigError
from tasks.ingest.api.paginators.page import PagePagination
from tasks.ingest.http.auths.bearer import BearerAuth
from tasks.runners.processes import ProcessesRunner
from tests.config.files import MINIMAL, mistakes_of

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
