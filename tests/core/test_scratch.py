"""Folders of temporary files go with their process, or with the next one."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tasks.core.scratch import make_scratch, scratch, sweep_scratch

_KILLED = """
import os, signal
from tasks.core.scratch import scratch
with scratch("checks") as folder:
    (folder / "spilled").touch()
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of temporary files that this process and its children use."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)  # it is remembered otherwise
    return tmp_path


def test_a_folder_goes_with_its_block(temporary: Path) -> None:
    """Nobody but its owner enters it while it is there."""
    with scratch("checks") as folder:
        (folder / "spilled").touch()
        assert folder.parent == temporary
        assert folder.stat().st_mode & 0o777 == 0o700

    assert not list(temporary.iterdir())


def test_what_a_killed_process_left_goes_with_the_next(temporary: Path) -> None:
    """Neither what a living process has, nor what others have there, is touched."""
    subprocess.run([sys.executable, "-c", _KILLED], check=False)
    (left,) = temporary.iterdir()
    other, link = temporary / "notes.999999.part", temporary / f".tidemill-link.{left.name.split('.')[2]}.part"
    other.mkdir()
    link.symlink_to(other)
    (other / "kept").touch()
    ours = make_scratch("checks")

    sweep_scratch()

    assert sorted(temporary.iterdir()) == sorted([ours, other, link])
    assert (other / "kept").exists()
    ours.rmdir()
