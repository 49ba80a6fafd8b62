"""The README cannot drift from what it tells of."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from flows.cli.app import app
from tests.documented import DOCS, PAGES, PROJECT

README = (PROJECT / "README.md").read_text()
_PICTURE_BYTES = 150_000


def test_its_two_commands_need_only_python_and_pip() -> None:
    """Each makes its own virtualenv, in one line; `.ci/run` runs both."""
    commands = re.findall(r"^python3 -m venv .*$", README, re.MULTILINE)

    assert [command.split(" && ")[0] for command in commands] == ["python3 -m venv .venv"] * 2
    assert commands[0].endswith("-e . && .venv/bin/tidemill demo")
    assert commands[1].endswith("-e '.[test]' && .venv/bin/python -m pytest -n 3 --dist loadfile")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    """Every file and folder that a page links to is there, and every heading; so are its pictures, which are small."""
    links = re.findall(r"\]\(([^):]+)\)", re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL))
    for link in links:
        place, _, heading = link.partition("#")
        target = page.parent / place if place else page
        assert target.exists(), link
        assert target.suffix != ".png" or target.stat().st_size < _PICTURE_BYTES, link
        if heading:
            heads = re.findall(r"^#+ (.*)$", target.read_text(), re.MULTILINE)
            assert heading in [re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads], link


def test_the_options_of_a_run_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    """Every option of `run` is on the page of operation, and every one there exists."""
    app(["run", "--help"])

    told = re.findall(r"^\| `(--[a-z]+)", (DOCS / "operate.md").read_text(), re.MULTILINE)
    assert set(re.findall(r"--[a-z]+", capsys.readouterr().out)) - {"--pipeline"} == set(told)


def test_its_map_of_the_house_is_true() -> None:
    """Every folder in the table of CONTRIBUTING.md is there, and every one of tasks/ is in it."""
    named = re.findall(r"^\| `([a-z/]+)/` \|", (PROJECT / "CONTRIBUTING.md").read_text(), re.MULTILINE)

    assert all((PROJECT / folder).is_dir() for folder in named)
    stages = {f"tasks/{path.parent.name}" for path in (PROJECT / "tasks").glob("*/__init__.py")}
    assert stages <= set(named)


def test_it_is_short() -> None:
    """It is read in a few minutes: 140 lines at most, with the command and its output before line 40."""
    lines = README.splitlines()

    assert len(lines) <= 140
    assert any("tidemill demo" in line for line in lines[:12])
    assert any("336,783    336,776" in line for line in lines[:40])
