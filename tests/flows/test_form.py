"""The form of a deployment in the Prefect UI: what a person picks there, and what is refused before anything runs."""

from __future__ import annotations

import asyncio
import uuid
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from prefect.client.base import PrefectHttpxSyncClient
from prefect.utilities.callables import parameter_schema

from flows.parameters import known_files
from flows.pipeline import pipeline
from tasks.config import load_pipeline
from tasks.core.errors import ConfigError
from tests.flows.conftest import FLIGHTS, PROJECT, TOUR
from tests.flows.test_ui import needs_chromium, page

__all__ = ["page"]
_SHOWN_MS = 90_000


def test_the_pipeline_files_of_a_project_are_picked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Those in its folders, and those that prefect.yaml names, are a list; where there are none, a path is written."""
    monkeypatch.chdir(tmp_path)
    bare = parameter_schema(pipeline).properties["config"]["anyOf"]
    (tmp_path / "pipelines").mkdir()
    (tmp_path / "pipelines" / "b.yaml").write_text("name: b")
    (tmp_path / "prefect.yaml").write_text(
        "deployments:\n- parameters: {config: a.yaml, data: data}\n- parameters:\n    config: 'pipelines/b.yaml'\n"
    )

    picked, written, filled_in = parameter_schema(pipeline).properties["config"]["anyOf"]

    assert [each["title"] for each in (picked, written)] == ["file", "path of another file"]
    assert picked["enum"] == known_files() == ["a.yaml", "pipelines/b.yaml"]
    assert filled_in == {"$ref": "#/definitions/Pipeline"}
    assert [each.get("enum") for each in bare] == [None] * 3


@pytest.mark.flow
@pytest.mark.usefixtures("prefect_server")
@pytest.mark.parametrize(
    ("file", "partitions", "sentence"), [(TOUR, "month=3", "month"), (FLIGHTS, "month=13", "13")], ids=["name", "value"]
)
def test_a_slice_that_is_none_is_told_before_anything_runs(
    tmp_path: Path, file: Path, partitions: str, sentence: str
) -> None:
    """The run ends with one message, and no stage has begun."""
    with pytest.raises(ConfigError, match=sentence):
        asyncio.run(pipeline(load_pipeline(file), tmp_path, partitions=partitions))

    assert not any(tmp_path.iterdir())


@pytest.fixture
def deployment(prefect_server: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the id of a deployment of the tour, made in the project's folder as `prefect deploy` makes one."""
    assert prefect_server
    monkeypatch.chdir(PROJECT)
    parameters = {"config": "deployments/tour/pipeline.yaml"}
    made: Any = pipeline.to_deployment(f"form-{uuid.uuid4()}", parameters=parameters)
    return str(made.apply())


@pytest.mark.flow
@pytest.mark.browser
@needs_chromium
def test_a_run_is_started_from_the_form(prefect_server: str, deployment: str, page: Page) -> None:
    """A person picks a pipeline file, a stage, a slice and a limit; a wrong limit is refused in the form."""
    page.goto(f"{prefect_server.removesuffix('/api')}/deployments/deployment/{deployment}/run")
    expect(page.get_by_text("path of another file", exact=True)).to_be_visible(timeout=_SHOWN_MS)
    expect(page.get_by_text("e.g. month=3..5 origin=EWR,JFK")).to_be_visible()
    _pick(page, "deployments/tour/pipeline.yaml", "deployments/flights/pipeline.yaml")
    page.get_by_text("one stage", exact=True).click()
    _pick(page, "", "convert")
    page.get_by_text("some", exact=True).click()
    page.locator("textarea").last.fill("month=3..4")
    page.get_by_text("the first", exact=True).click()
    page.locator(".p-number-input__control").fill("0")
    page.get_by_role("button", name="Submit").click()
    expect(page.get_by_text("0 is less than the minimum of 1").first).to_be_visible(timeout=_SHOWN_MS)
    page.locator(".p-number-input__control").fill("3")
    page.get_by_role("button", name="Submit").click()
    page.wait_for_url(lambda url: not url.endswith("/run"), timeout=_SHOWN_MS)

    of_deployment = {"deployments": {"id": {"any_": [deployment]}}}
    with PrefectHttpxSyncClient(base_url=prefect_server) as http:
        (run,) = http.post("/flow_runs/filter", json=of_deployment).json()
    assert run["parameters"] == {
        "config": "deployments/flights/pipeline.yaml",
        "data": "data",
        "fresh": False,
        "only": "convert",
        "partitions": "month=3..4",
        "limit": 3,
    }


def _pick(page: Page, shown: str, option: str) -> None:
    """Pick an option of the first list that shows a text."""
    lists = page.locator(".p-select-button__control")
    shown_list = lists.filter(has_text=shown).first if shown else lists.last
    shown_list.focus()
    shown_list.press("ArrowDown")
    page.get_by_role("option", name=option).click()
