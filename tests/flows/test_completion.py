"""Completion of the command line, by the Tab key of a real bash."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest

BIN = Path(sys.executable).parent
_ANSWER_S = 90.0


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a home in which completion is installed, with a folder of a pipeline."""
    home = tmp_path_factory.mktemp("home")
    (home / "pipelines").mkdir()
    (home / "pipelines" / "shop.yaml").touch()
    command = [str(BIN / "tidemill"), "--install-completion", "--shell", "bash"]
    subprocess.run(command, env={**os.environ, "HOME": str(home)}, check=True, capture_output=True)
    return home


@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        ("tidemill ch\t", "tidemill check "),
        ("tidemill models pro\t", "tidemill models promote "),
        ("tidemill run --on\t", "tidemill run --only "),
        ("tidemill run --only conv\t", "tidemill run --only convert "),
        ("tidemill check pip\tsh\t", "tidemill check pipelines/shop.yaml "),
    ],
)
def test_the_tab_key_completes(home: Path, typed: str, completed: str) -> None:
    """Commands, options, their values and files, through folders."""
    assert type_in_bash(home, typed, completed)


def type_in_bash(home: Path, typed: str, awaited: str) -> bool:
    """Return whether an interactive bash shows a line, some seconds after keys were typed in it."""
    environment = {"HOME": str(home), "PATH": f"{BIN}:{os.environ['PATH']}", "TERM": "dumb", "PS1": "$ "}
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(home)
        os.execvpe("bash", ["bash", "-i"], environment)  # noqa: S606, S607 - the shell that is tested
    try:
        os.write(terminal, typed.encode())
        shown, deadline = "", time.monotonic() + _ANSWER_S
        while awaited not in shown and time.monotonic() < deadline:
            if select.select([terminal], [], [], 0.1)[0]:
                shown += re.sub(r"\x07|\x1b\[\?2004[hl]", "", os.read(terminal, 4096).decode())
        return awaited in shown
    finally:
        os.close(terminal)
        os.waitpid(child, 0)
