"""The reference of the pipeline file, and its schema for editors, cannot drift from what a run takes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from ruamel.yaml import YAML

from flows.cli.main import run_command
from tasks.config import load_pipeline
from tasks.config.checks import CHECKS
from tasks.config.load import _Constructor, _read_yaml
from tasks.config.schema import editor_schema
from tests.documented import DOCS, documented
from tests.reference import EXAMPLES, PAGE, Reference, flow, write_page

DEPLOYED = sorted((DOCS.parent / "deployments").glob("*/pipeline.yaml"))
FILES = {"name": "x", "sources": {"rows": {"kind": "files", "path": "inbox"}}}


@pytest.fixture(scope="module")
def editor() -> Draft202012Validator:
    """Return what an editor checks a pipeline file by."""
    return Draft202012Validator(editor_schema())


def test_the_page_is_that_of_the_models() -> None:
    """It is what is made of the models now; `python -m tests.reference` writes it."""
    assert PAGE.read_text(encoding="utf-8") == write_page()


def test_every_key_has_an_example() -> None:
    """The examples say each key of each model at least once, but for those that tell kinds apart."""
    reference = Reference()
    missing = [
        f"{part.place}: {key}"
        for part in reference.parts.values()
        for key in reference.model(part.name)["properties"]
        if key not in part.examples and key not in ("kind", "by")
    ]

    assert missing == []


@pytest.mark.parametrize("path", [*EXAMPLES, *DEPLOYED], ids=lambda path: "/".join(path.parts[-2:]))
def test_what_a_run_takes_an_editor_takes(path: Path, editor: Draft202012Validator) -> None:
    """An example loads, and no mistake is marked in it."""
    load_pipeline(path)

    assert [error.message for error in editor.iter_errors(_read_yaml(path))] == []


@pytest.mark.parametrize(
    "mistake",
    [
        {"pat": "inbox"},
        {"key": "id"},
        {"path": []},
        {"columns": {"a": "integer"}},
        {"columns": {"a": {"type": "int", "nul": ["-"]}}},
        {"checks": [{"not_nul": ["a"]}]},
        {"table": {"max_rejects": -1}},
        {"read": {"header": "perhaps"}},
        {"read": {"format": "doc"}},
        {"checks": [{"fresh": {"column": "a", "within": "soon"}}]},
    ],
    ids=str,
)
def test_what_a_run_refuses_an_editor_marks(mistake: dict[str, Any], editor: Draft202012Validator) -> None:
    """Unknown keys, wrong types and values that a key does not have are mistakes."""
    assert editor.is_valid(FILES)
    assert not editor.is_valid({"name": "x", "sources": {"rows": {**FILES["sources"]["rows"], **mistake}}})  # type: ignore[index]


@pytest.mark.parametrize(
    "target",
    ["out.csv", {"to": "out.csv"}, ["out.csv", {"to": "out.db", "table": "x"}]],
    ids=str,
)
def test_short_forms_of_a_target_are_no_mistakes(target: object, editor: Draft202012Validator) -> None:
    """One may be its text, and stand for a list; a key that no target has is a mistake."""
    assert editor.is_valid({**FILES, "export": {"rows": target}})
    assert not editor.is_valid({**FILES, "export": {"rows": [target, {"to": "out.csv", "tabel": "x"}]}})


@pytest.mark.parametrize(
    "short",
    [
        {"path": ["a", "b"]},
        {"columns": {"a": "int"}},
        {"checks": [{"not_null": "a"}, {"min_rows": "${FEWEST}"}]},
        {"read": {"header_row": "${HEADER:-1}", "records_at": 1}},
        {"read": {"header_row": "3", "header": "yes", "format": "${FORMAT:-csv}"}},
        {"keep": "${KEEP}", "key": ["a"]},
    ],
    ids=str,
)
def test_short_forms_are_no_mistakes(short: dict[str, Any], editor: Draft202012Validator) -> None:
    """What a file may write for a list, a mapping or a number is taken."""
    assert editor.is_valid({"name": "x", "sources": {"rows": {**FILES["sources"]["rows"], **short}}})  # type: ignore[index]


@pytest.mark.parametrize(
    "source",
    [
        {"path": "inbox"},
        {"kind": "api", "url": "http://127.0.0.1/", "pagination": {"cursor_at": "next"}},
        {"kind": "api", "url": "http://127.0.0.1/", "auth": {"token": {"env": "TOKEN"}}},
        {"kind": "api", "url": "http://127.0.0.1/", "requests": {"max_body_bytes": "much"}},
    ],
    ids=str,
)
def test_an_editor_asks_for_the_kind(source: dict[str, Any], editor: Draft202012Validator) -> None:
    """As a run does, which takes none where kinds differ; neither takes a name or a size that is none."""
    assert not editor.is_valid({"name": "x", "sources": {"rows": source}})
    assert not editor.is_valid({"name": "x", "sources": {"Rows": FILES["sources"]["rows"]}})  # type: ignore[index]


def test_the_examples_of_the_page_are_yaml() -> None:
    """As they stand there they give the values that the examples have."""
    parts = Reference().parts.values()
    yaml = YAML(typ="safe", pure=True)
    yaml.Constructor = _Constructor
    shown = [(key, value, flow(value)) for part in parts for key, value in part.examples.items()]

    assert [(key, text) for key, value, text in shown if yaml.load(f"[{text}]") != [value]] == []


def test_the_command_prints_the_schema(capsys: pytest.CaptureFixture[str]) -> None:
    """`schema` prints what the editor takes, as JSON."""
    assert run_command(["schema"]) == 0

    assert json.loads(capsys.readouterr().out) == editor_schema()


def test_it_knows_the_kinds_that_a_pipeline_adds(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Named with a pipeline file, `schema` has the file's own checks among those of Tidemill."""
    path = tmp_path / "pipeline.yaml"
    checked = {**FILES["sources"]["rows"], "checks": [{"in_order": ["a", "b"]}]}  # type: ignore[index]
    path.write_text(json.dumps({"name": "x", "extensions": ["own_checks:InOrder"], "sources": {"rows": checked}}))

    with documented(CHECKS, "A check", tmp_path / "own_checks.py", monkeypatch):
        assert run_command(["schema", str(path)]) == 0

    assert Draft202012Validator(json.loads(capsys.readouterr().out)).is_valid(_read_yaml(path))


@pytest.mark.parametrize(
    ("source", "is_right"),
    [
        ({"read": {"delimiter": "ab"}}, False),
        ({"read": {"delimiter": ""}}, False),
        ({"read": {"comment": "//"}}, False),
        ({"read": {"quote": "''"}}, False),
        ({"read": {"names": ["a", "a"]}}, False),
        ({"read": {"delimiter": ";", "quote": "", "escape": "\\", "comment": "#", "names": ["a", "b"]}}, True),
    ],
)
def test_an_editor_marks_what_validators_refuse(
    editor: Draft202012Validator, source: dict[str, Any], is_right: bool
) -> None:
    """A text of another length, and a name that stands twice; what a file may say is not marked."""
    file = {**FILES, "sources": {"rows": {"kind": "files", "path": "inbox", **source}}}

    assert editor.is_valid(file) == is_right


@pytest.mark.parametrize(("overlap", "is_right"), [(-5, False), (5, True)])
def test_an_editor_marks_an_overlap_below_zero(editor: Draft202012Validator, overlap: int, is_right: bool) -> None:
    """A run would refuse it, too."""
    incremental = {"field": "at", "param": "since", "start": 0, "overlap": overlap}
    source = {"kind": "api", "url": "http://x/y", "key": ["id"], "incremental": incremental}

    assert editor.is_valid({"name": "x", "sources": {"rows": source}}) == is_right
