"""A schedule that would fetch nothing after its first run is told of, with its cure."""

from __future__ import annotations

from pathlib import Path

import pytest
from ruamel.yaml import YAML

from flows.cli.main import run_command
from tests.flows.conftest import FLIGHTS, PROJECT

SOURCES = """name: daily
sources:
  once: {kind: api, url: http://h/once}
  site: {kind: pages, start: http://h/site, rows: tr, columns: {a: 'td::text'}}
  again: {kind: api, url: http://h/again, refresh: {after: 24h}}
  news: {kind: api, url: http://h/news, key: [id], incremental: {field: at, param: since, start: 0}}
  daily: {kind: api, url: http://h/daily, partitions: {day: {from: 2024-01-01, to: now, every: 1d}}}
  closed: {kind: api, url: http://h/closed, partitions: {day: {from: 2024-01-01, to: 2024-01-02, every: 1d}}}
  items: {kind: api, url: "http://h/{id}", partitions: {id: {from: again, column: id}}}
  inbox: {kind: files, path: inbox/*.csv}
"""
DAILY = {"name": "daily", "entrypoint": "flows.pipeline:pipeline", "schedules": [{"cron": "0 5 * * *"}]}


def said_of(source: str) -> str:
    """Return what is said of a source of the deployment."""
    return (
        f"warning: source {source} has neither refresh nor incremental: once it has landed, scheduled runs fetch nothing "
        "of it; add refresh: {after: 24h}, or incremental, to it (deployment daily in prefect.yaml)"
    )


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a project's folder, the working directory, with a pipeline file."""
    (tmp_path / "inbox").mkdir()
    (tmp_path / "inbox" / "rows.csv").write_text("id\n1\n")
    (tmp_path / "pipeline.yaml").write_text(SOURCES)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def check(project: Path, capsys: pytest.CaptureFixture[str], **deployment: object) -> list[str]:
    """Deploy the pipeline in a prefect.yaml, check it, and return the warnings."""
    parameters = {"config": "pipeline.yaml"} | dict(deployment.pop("parameters", {}))  # type: ignore[call-overload]
    with (project / "prefect.yaml").open("w") as file:
        YAML().dump({"deployments": [DAILY | {"parameters": parameters} | deployment]}, file)
    assert run_command(["check", "pipeline.yaml", "--data", str(project)]) == 0
    return [line for line in capsys.readouterr().out.splitlines() if line.startswith("warning: ")]


def test_check_names_each_source_that_is_fetched_once(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Those with refresh, incremental, dates without an end, rows of other tables, or files are none."""
    assert check(project, capsys) == [said_of(name) for name in ("closed", "once", "site")]


@pytest.mark.parametrize(
    "deployment",
    [
        {"schedules": []},
        {"paused": True},
        {"schedules": [{"cron": "0 5 * * *", "active": False}]},
        {"parameters": {"fresh": True}},
        {"parameters": {"only": "convert"}},
        {"parameters": {"config": "another.yaml"}},
        {"entrypoint": "flows.train:train"},
    ],
)
def test_what_fetches_nothing_by_intent_is_not_told_of(
    project: Path, capsys: pytest.CaptureFixture[str], deployment: dict[str, object]
) -> None:
    """No schedule, one that does not run, one that fetches all, or does not fetch: nothing is said."""
    assert check(project, capsys, **deployment) == []


@pytest.mark.parametrize("text", [None, "deployments: [", "deployments: [{name: x}]", "[]"])
def test_check_does_without_a_right_prefect_yaml(
    project: Path, capsys: pytest.CaptureFixture[str], text: str | None
) -> None:
    """A pipeline file is checked whatever lies beside it."""
    if text is not None:
        (project / "prefect.yaml").write_text(text)

    code = run_command(["check", "pipeline.yaml", "--data", str(project)])

    assert (code, "warning" in capsys.readouterr().out) == (0, False)


def test_the_demo_is_fetched_again(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], data: Path, sample_site: str
) -> None:
    """What our own prefect.yaml schedules has nothing that is fetched once."""
    monkeypatch.setenv("SAMPLE_SITE", sample_site)
    monkeypatch.setenv("SAMPLE_TOKEN", "sample-token")
    monkeypatch.chdir(PROJECT)

    code = run_command(["check", str(FLIGHTS.relative_to(PROJECT)), "--data", str(data)])

    assert (code, "warning" in capsys.readouterr().out) == (0, False)
