"""Regular expressions of our own meet what others write: none tries every place of a long text again and again."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tasks.convert.formats.csv.format import Csv
from tasks.core.escaping import escape
from tasks.core.redaction import redact
from tasks.ingest.api.urls import find_link
from tasks.ingest.http.requests import PageRequest
from tasks.ingest.scraping.robots import Robots
from tests.convert.conftest import files_source, make_table, write_files
from tests.ingest.fetching import open_throttle

PROJECT = Path(__file__).parent.parent
_LONG = 500_000
_ENDED_S = 600  # for what takes some seconds; an expression that goes back takes hours


def read_robots(text: str) -> None:
    """Ask a robots.txt whether it allows an address."""

    async def answer(ask: PageRequest) -> httpx.Response:
        return httpx.Response(200, text=text, request=httpx.Request("GET", ask.url))

    assert asyncio.run(Robots(open_throttle()).allows(httpx.URL("http://127.0.0.1/a"), answer))


def read_cell(text: str) -> None:
    """Make a table of a file whose cells hold a text."""
    with tempfile.TemporaryDirectory() as folder:
        write_files(Path(folder), a_csv=f"id,v\n1,{text}\n2,{text}\n3,b\n")
        assert make_table(Path(folder), files_source()).rows_received == 3


READERS: dict[str, tuple[Callable[[str], object], tuple[str, ...]]] = {
    "robots.txt": (read_robots, ("\n", " ", " \n", "user-agent:", "user-agent ")),
    "content": (
        lambda text: [Csv.find_other(f"{first}{text}".encode()) for first in ("", "<html><title>", "<a ", "[")],
        (" ", "a", "<title ", "<title>", "<!--", ' a=""', "{"),
    ),
    "address": (
        lambda text: [redact(f"{first}{text}=%") for first in ("", "://", "https://", "?")],
        (":", "a", "://", "?a", "%3f", "%25", "@"),
    ),
    "Link header": (
        lambda text: [
            find_link(httpx.Headers([("Link", f"{first}{text}")]), "next") for first in ("", "<a>;", '<a>;"')
        ],
        ("<a>", '<a>;"', "\\", " ", "a", '";', ";a"),
    ),
    "shown text": (escape, ("a", "a ", ". ", "`", "www", ":", "_")),
    "cell": (
        read_cell,
        (" ", "1", "1.", " 1", "-", "''", '\\"', "a;", "1e", "2020-01-01 ", "12:00:00.0000000", "true "),
    ),
}
"""What reads a text, and what makes long ones where it is repeated."""


def read_long_texts() -> None:
    """Have each of the texts of each reader read, and say which one is begun."""
    for name, (read, units) in READERS.items():
        for unit in units:
            sys.stdout.write(f"{name}: {unit!r}\n")
            sys.stdout.flush()
            read(unit * (_LONG // len(unit)))


def test_a_long_text_is_read_in_linear_time() -> None:
    """A process of its own reads half a million characters of each kind and comes to its end; a failure shows the last that it began."""
    code = "from tests.test_expressions import read_long_texts; read_long_texts()"

    try:
        subprocess.run([sys.executable, "-c", code], cwd=PROJECT, timeout=_ENDED_S, check=True, stdout=subprocess.PIPE)
    except subprocess.TimeoutExpired as error:
        begun = (error.stdout or b"").decode().splitlines()
        pytest.fail(f"does not come to its end: {begun[-1] if begun else 'imports'}")
