"""The store: files committed all or nothing, leftovers swept, values fingerprinted."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.core.errors import ConfigError
from tasks.core.storage import (
    DataFolder,
    commit,
    commit_folder,
    commit_json,
    fingerprint,
    hash_file,
    json_reader,
    read_json,
    remove_stale_temp_files,
    write_json,
)

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(st.characters(codec="utf-8")),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner, max_size=4)
    ),
    max_leaves=10,
)
DEAD_PID = 2**22 + 1  # above the largest that Linux gives


def test_a_commit_puts_the_whole_file_in_place(tmp_path: Path) -> None:
    """The folder is made, what stood there is replaced, and nothing lies beside it."""
    path = tmp_path / "a" / "b" / "file.txt"

    for text in ("first", "second"):
        with commit(path) as part:
            part.write_text(text)

    assert path.read_text() == "second"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("before", [None, b"as it was"])
def test_a_commit_that_fails_leaves_all_as_it_was(
    tmp_path: Path, error: type[BaseException], before: bytes | None
) -> None:
    """Where writing ends with an error or an interrupt, the half-written file goes and the old one stays."""
    path = tmp_path / "file.txt"
    if before is not None:
        path.write_bytes(before)

    def write_half() -> None:
        with commit(path) as part:
            part.write_text("half")
            raise error

    with pytest.raises(error):
        write_half()

    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == ({"file.txt": before} if before else {})


def test_a_folder_is_committed_whole_or_not_at_all(tmp_path: Path) -> None:
    """A folder is seen when it is full; one that fails on the way leaves nothing."""
    with commit_folder(tmp_path / "whole") as part:
        (part / "file.txt").write_text("new")
        assert not (tmp_path / "whole").exists()
    with pytest.raises(KeyboardInterrupt), commit_folder(tmp_path / "half") as part:  # noqa: PT012 - written, then broken off
        (part / "file.txt").write_text("new")
        raise KeyboardInterrupt

    assert [path.name for path in tmp_path.rglob("*")] == ["whole", "file.txt"]


def test_what_a_killed_process_of_the_same_number_left_is_not_gone_on_with(tmp_path: Path) -> None:
    """As in a container, where each run may have the number of the one before."""
    (tmp_path / f".file.txt.{os.getpid()}.part").write_text("half")
    (tmp_path / f".whole.{os.getpid()}.part").mkdir()
    (tmp_path / f".whole.{os.getpid()}.part" / "half.txt").touch()

    with commit(tmp_path / "file.txt") as part, part.open("a") as file:
        file.write("new")
    with commit_folder(tmp_path / "whole") as folder:
        (folder / "file.txt").write_text("new")

    assert (tmp_path / "file.txt").read_text() == "new"
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["file.txt", "file.txt", "whole"]


def test_a_folder_that_is_there_is_not_replaced(tmp_path: Path) -> None:
    """What stands in the place is kept, and the new one goes."""
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "file.txt").write_text("old")

    with pytest.raises(OSError, match="not empty"), commit_folder(tmp_path / "kept") as part:
        (part / "file.txt").write_text("new")

    assert [path.read_text() for path in tmp_path.rglob("*.txt")] == ["old"]


def test_a_commit_without_a_file_is_an_error(tmp_path: Path) -> None:
    """Writing nothing is no commit of an empty file."""
    (tmp_path / "file.txt").write_text("as it was")

    with pytest.raises(FileNotFoundError), commit(tmp_path / "file.txt"):
        pass

    assert (tmp_path / "file.txt").read_text() == "as it was"


def test_only_leftovers_of_dead_processes_are_swept(tmp_path: Path) -> None:
    """What a killed run left goes, in every folder below; what lives, or is no leftover, stays."""
    with subprocess.Popen([sys.executable, "-c", "pass"]) as process:
        process.wait()
    dead = [f".a.parquet.{process.pid}.part", f".staged/.b.{DEAD_PID}.part", f"c/.d.{'9' * 30}.part"]
    dead += [f".e.duckdb.{DEAD_PID}.part.wal"]
    living = [f".a.parquet.{os.getpid()}.part", f"c/.d.{os.getppid()}.part", ".c.1.part"]
    others = ["a.parquet", ".a.part", f"a.{process.pid}.part", f".a.{process.pid}.part.txt", ".a.x.part"]
    for name in [*dead, *living, *others]:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()

    remove_stale_temp_files(tmp_path)

    kept = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert kept == {*living, *others}


def test_a_folder_that_is_not_there_needs_no_sweeping(tmp_path: Path) -> None:
    """Before the first run there is nothing to sweep."""
    remove_stale_temp_files(tmp_path / "nothing")

    assert list(tmp_path.iterdir()) == []


@settings(max_examples=50)
@given(st.dictionaries(st.text(st.characters(codec="utf-8")), JSON_VALUES, max_size=5))
def test_a_fingerprint_does_not_depend_on_the_order_of_keys(value: dict[str, Any]) -> None:
    """The same value has the same fingerprint, however its keys are ordered; another value has another."""
    turned = dict(reversed(value.items()))

    assert fingerprint(turned) == fingerprint(value)
    assert fingerprint([value]) != fingerprint(value)


def test_fingerprints_are_the_same_in_every_process_and_release() -> None:
    """A fingerprint is kept in manifests: it is the SHA-256 of canonical JSON."""
    assert (
        fingerprint({"b": [1, None, "é"], "a": Path("x")})
        == "13a2d6df04f9e84a4b64ae69e1031986646e02f6d8109662dfe3b21a2f90df57"
    )


@pytest.mark.parametrize("garbage", [b"", b"{", b"\xff\xfe", b"{} {}", b"\0" * 100])
def test_a_damaged_manifest_is_as_good_as_absent(tmp_path: Path, garbage: bytes) -> None:
    """What cannot be read as JSON is None, like a file that is not there."""
    path = tmp_path / "manifest.json"
    path.write_bytes(garbage)

    assert (read_json(path), read_json(tmp_path / "nothing.json")) == (None, None)


def test_json_is_committed_for_people_to_read(tmp_path: Path) -> None:
    """A manifest is indented UTF-8 that ends its last line, and is read back whole."""
    path = tmp_path / "manifest.json"

    commit_json(path, {"name": "é", "rows": [1]})

    assert path.read_text(encoding="utf-8") == '{\n  "name": "é",\n  "rows": [\n    1\n  ]\n}\n'
    assert read_json(path) == {"name": "é", "rows": [1]}


@dataclass(frozen=True)
class Note:
    """What a test keeps as JSON."""

    text: str
    number: int | float | str | None = None
    state: Any = None


@pytest.mark.parametrize(
    ("text", "note"),
    [
        ('{"text": "é", "number": 1.0, "state": [{"a": null}]}', Note("é", 1.0, [{"a": None}])),
        (f'{{"text": "a", "number": {10**30}, "unknown": 5}}', Note("a", 10**30)),
        ('{"text": "a", "number": -Infinity}', Note("a", -math.inf)),
        ('{"text": "a", "state": NaN, "number": []}', None),
        ('{"text": 1}', None),
        ('{"number": 1}', None),
        ('[{"text": "a"}]', None),
        ('{"text": "a"', None),
        ("", None),
    ],
)
def test_json_is_read_as_what_it_is_to_be(tmp_path: Path, text: str, note: Note | None) -> None:
    """Keys that are not known are passed over; a value of another shape is as good as absent."""
    path = tmp_path / "note.json"
    path.write_text(text, encoding="utf-8")

    assert [json_reader(Note)(each) for each in (path, tmp_path / "nothing.json")] == [note, None]


def test_json_with_bytes_that_are_no_utf_8_is_as_good_as_absent(tmp_path: Path) -> None:
    """A damaged manifest is none, also where the damage lies within a text."""
    path = tmp_path / "note.json"
    path.write_bytes(b'{"text": "\xff"}')

    assert (json_reader(Note)(path), read_json(path)) == (None, None)


def test_a_text_that_is_none_in_utf_8_is_json_all_the_same(tmp_path: Path) -> None:
    """Half a surrogate pair, as some servers send it, is written as JSON escapes it, and fingerprinted."""
    path = tmp_path / "half.json"

    write_json(path, {"cursor": "\ud800é"}, indent=None)

    assert (path.read_bytes(), read_json(path)) == (b'{"cursor": "\\ud800\xc3\xa9"}\n', {"cursor": "\ud800é"})
    assert fingerprint("\ud800") != fingerprint("\udfff")


def test_a_file_is_hashed_by_its_bytes(tmp_path: Path) -> None:
    """The hash is the SHA-256 that other tools give."""
    path = tmp_path / "file"
    path.write_bytes(b"abc")

    assert hash_file(path) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_every_path_of_a_data_folder_is_named_here() -> None:
    """A relative data folder is made absolute, and each stage has its place."""
    folder = DataFolder.at(Path("data"))

    places = (
        folder.raw("a"),
        folder.table("a"),
        folder.rejects("a"),
        folder.training("p"),
        folder.models("p"),
        folder.run_summary("r"),
        folder.last_summary("p"),
    )
    assert folder.root.is_absolute()
    assert [str(place.relative_to(folder.root)) for place in (*places, folder.summary)] == [
        "raw/a",
        "tables/a",
        "rejects/a",
        "training/p",
        "models/p",
        "runs/r/summary.json",
        "runs/p.json",
        "summary.json",
    ]


@pytest.mark.parametrize("address", ["https://example.com/data", "file:///tmp/data"])
def test_an_address_of_no_bucket_is_no_data_folder(address: str) -> None:
    """A path would lose one of its slashes, and runs would write to a folder of that name."""
    with pytest.raises(
        ConfigError, match=r"data: (https|file):// is no bucket; name a folder, or an address that begins with s3://"
    ):
        DataFolder.at(Path(address))


@pytest.mark.parametrize("path", ["data", "/x:y", "a:b/c", "c:/x"])
def test_a_colon_alone_is_no_address(path: str) -> None:
    """Folders may have one in their names."""
    assert DataFolder.at(Path(path)).root == Path(path).absolute()
