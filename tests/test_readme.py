"""The README cannot drift from what it tells of."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from flows.cli.main import app
from tasks.config import load_pipeline

PROJECT = Path(__file__).parent.parent
README = (PROJECT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    """Return the README's code blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def test_its_pipeline_file_is_right(tmp_path: Path) -> None:
    """The pipeline file that it shows loads."""
    path = tmp_path / "pipeline.yaml"
    (text,) = blocks("yaml")
    path.write_text(text)

    pipeline = load_pipeline(path)

    assert (pipeline.name, list(pipeline.sources)) == ("orders", ["orders", "customers"])


def test_its_two_commands_need_only_python_and_pip() -> None:
    """Each makes its own virtualenv, in one line; `.ci/run` runs both."""
    commands = re.findall(r"^python3 -m venv .*$", README, re.MULTILINE)

    assert [command.split(" && ")[0] for command in commands] == ["python3 -m venv .venv"] * 2
    assert commands[0].endswith("-e . && .venv/bin/python -m flows demo")
    assert commands[1].endswith("-e '.[test]' && .venv/bin/python -m pytest -n 2 --dist loadfile")


@pytest.mark.parametrize("line", sorted(set(re.findall(r"python -m flows ([a-z]+)", README))))
def test_its_commands_exist(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Every command of the command line that it names explains itself."""
    app([line, "--help"])

    assert f"Usage: tidemill {line}" in capsys.readouterr().out


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\(([^)#:]+)\)", README))))
def test_its_links_lead_somewhere(link: str) -> None:
    """Every file and folder that it links to is there."""
    assert (PROJECT / link).exists()


def test_its_options_exist(capsys: pytest.CaptureFixture[str]) -> None:
    """Every option of `run` that it names is one, and no other is kept from the reader."""
    app(["run", "--help"])

    told = set(re.findall(r"--(?:data|only|fresh|partitions|strict|verbose)\b", README))
    assert set(re.findall(r"--[a-z]+", capsys.readouterr().out)) - {"--pipeline"} == told


def test_its_map_of_the_house_is_true() -> None:
    """Every folder in the table of CONTRIBUTING.md is there, and every one of tasks/ is in it."""
    named = re.findall(r"^\| `([a-z/]+)/` \|", (PROJECT / "CONTRIBUTING.md").read_text(), re.MULTILINE)

    assert all((PROJECT / folder).is_dir() for folder in named)
    stages = {f"tasks/{path.parent.name}" for path in (PROJECT / "tasks").glob("*/__init__.py")}
    assert stages <= set(named)


def test_it_is_short() -> None:
    """It is read in a few minutes: 200 lines at most, with the command and its output before line 40."""
    lines = README.splitlines()

    assert len(lines) <= 200
    assert any("flows demo" in line for line in lines[:10])
    assert any("336,783    336,776" in line for line in lines[:40])
