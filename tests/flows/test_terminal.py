"""What users, files and hosts say is shown on a terminal, and does nothing there."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.console import Console

from flows.cli.console import print_line
from flows.cli.main import run_command
from tasks.core.escaping import LINE_CHARACTERS, printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain: 1 € für Ärger, 日本", "plain: 1 € für Ärger, 日本"),
        ("a\x1b[31mred\x1b]0;title\x07", "a\\x1b[31mred\\x1b]0;title\\x07"),
        ("over\rwritten\x08\x00", "over\\rwritten\\x08\\x00"),
        ("right\u202eto left\u2028\x85", "right\\u202eto left\\u2028\\x85"),
        ("half \ud800", "half \\ud800"),
    ],
)
def test_control_characters_are_escaped(text: str, shown: str) -> None:
    """Those that move, colour, overwrite or turn round what is beside them; letters of any language stay."""
    assert printable(text) == shown


def test_a_long_line_is_shortened_in_its_middle() -> None:
    """Its beginning, which names the key, and its end, which has the cure, are there."""
    shown = printable("training.target: " + "x" * 300_000 + "; name another")

    assert len(shown) < LINE_CHARACTERS + 60
    assert shown.startswith("training.target: x")
    assert "(298,531 characters left out)" in shown
    assert shown.endswith("x; name another")


def test_an_error_s_values_do_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """An escape code in a pipeline file comes out as its digits, and each mistake is one line."""
    path = tmp_path / "pipeline.yaml"
    path.write_text('{name: "a\\e[31mb\\u2028c", sources: {}}')

    assert run_command(["check", str(path)]) == 2

    told = capfd.readouterr().err
    assert "\x1b" not in told
    assert "\\x1b[31m" in told
    assert all(line.startswith("error: ") for line in told.splitlines())


def test_a_warning_s_values_do_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """Nor on the way through the console, which knows a markup of its own."""
    print_line(Console(highlight=False, force_terminal=True, color_system=None), "warning: [red]\x1b[2J[/x] is a name")

    assert capsys.readouterr().out == "warning: [red]\\x1b[2J[/x] is a name\n"
