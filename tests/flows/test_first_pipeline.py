"""The page on a first pipeline, followed word for word: in an empty folder, with what the wheel installs."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from tests.flows.conftest import PROJECT

PAGE = (PROJECT / "docs" / "first_pipeline.md").read_text(encoding="utf-8")
SAMPLE_SITE = "http://127.0.0.1:8765"
_PACKAGES = ("flows", "tasks", "deployments")
_FILES = ("pyproject.toml", "README.md", "LICENSE")
_PIP = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]


def blocks(language: str) -> list[str]:
    """Return the page's code blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def commands(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the commands of a fresh virtualenv with the wheel in it, beside what is installed here."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    for name in _PACKAGES:
        shutil.copytree(PROJECT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in _FILES:
        shutil.copy(PROJECT / name, source / name)
    build = ["wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(source)]
    subprocess.run([*_PIP, *build], check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    shutil.rmtree(source)
    venv.create(folder / "venv", symlinks=True)
    (site,) = (folder / "venv" / "lib").glob("python*/site-packages")
    (site / "others.pth").write_text(
        f"{Path(pytest.__file__).parent.parent}\n"
    )  # of which no .pth is read: not this checkout
    install = ["--python", str(folder / "venv" / "bin" / "python"), "install", "--no-deps", "--no-index", str(wheel)]
    subprocess.run([*_PIP, *install], check=True, capture_output=True)
    return folder / "venv" / "bin"


def follow(text: str, folder: Path, commands: Path) -> str:
    """Run commands as a shell does, each of which has to succeed, and return what they print."""
    environment = os.environ | {"PATH": f"{commands}:{os.environ['PATH']}", "SAMPLE_TOKEN": "sample-token"}
    environment.pop("PYTHONPATH", None)
    shell = ["/bin/bash", "-euc", text]
    ended = subprocess.run(shell, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


@pytest.mark.flow
@pytest.mark.install
def test_the_page_is_right_in_an_empty_folder(
    prefect_server: str, sample_site: str, commands: Path, tmp_path: Path
) -> None:
    """A user without the checkout gets the file that the page shows, previews, checks, runs and exports it.

    Modules of the user's own that are called as ours are, are no hindrance.
    """
    assert prefect_server
    for name in ("tasks.py", "flows.py"):
        (tmp_path / name).write_text("raise RuntimeError('the user\\'s own')\n")
    where = follow("python -P -c 'import flows; print(flows.__file__)'", tmp_path, commands)

    of_files, further, of_addresses = (text.replace(SAMPLE_SITE, sample_site) for text in blocks("sh"))
    follow(of_files, tmp_path, commands)
    told = follow(further, tmp_path, commands)
    follow(of_addresses, tmp_path, commands)

    assert str(commands.parent) in where
    shown, prefect_yaml = blocks("yaml")
    assert shown in (tmp_path / "pipelines" / "orders.yaml").read_text()
    assert "pipelines/orders.yaml is right: orders" in told
    assert "orders: 1 file, 152 bytes, of ../exports/orders-*-*.csv" in told
    assert (tmp_path / "orders.jsonl").read_text().splitlines()[0] == (
        '{"id":1,"ordered":"2024-01-03","amount":1234.5,"express":true,"returned":false}'
    )
    (tmp_path / "prefect.yaml").write_text(prefect_yaml)
    code = "from flows.deployments import read_deployments; print(read_deployments()[0].read_pipeline().name)"
    assert follow(f'python -P -c "{code}"', tmp_path, commands) == "orders\n"
