"""Raw files: which of a partition's count, by their manifests."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tasks.raw.files import (
    RawManifest,
    commit_manifest,
    fetch_again,
    increment_path,
    list_raw_files,
    manifest_path,
    raw_path,
    read_manifest,
    sweep_from,
)

MANIFEST = RawManifest("f", 3, 2, 4, "sha", "2024-01-01T00:00:00.000+00:00", etag='"e"', since=1.5, largest="é")


def land(folder: Path, *extends: str | None, partition: str = "part=a") -> list[Path]:
    """Put raw files of a partition with their manifests into a folder: the first, and increments that extend so."""
    first = raw_path(folder, partition)
    paths = [first, *(increment_path(first, number) for number in range(1, 1 + len(extends)))]
    for path, extended in zip(paths, [None, *extends], strict=True):
        path.write_bytes(b"four")
        commit_manifest(path, replace(MANIFEST, extends=extended))
    return paths


def names_in(folder: Path) -> list[str]:
    """Return the names of a folder's files."""
    return sorted(path.name for path in folder.iterdir())


def test_a_manifest_is_read_as_it_was_committed(tmp_path: Path) -> None:
    """What is known of a raw file comes back, value for value."""
    [raw] = land(tmp_path)

    assert (read_manifest(raw), names_in(tmp_path)) == (MANIFEST, ["part=a.json", "part=a.jsonl.zst"])


def test_each_file_has_its_own_names(tmp_path: Path) -> None:
    """A dot or a % in a partition's name is not its ending, and increments sort in their order."""
    first = raw_path(tmp_path, "v=1.5,o=%2B")
    paths = [first, increment_path(first, 1), increment_path(increment_path(first, 1).with_name(first.name), 12)]

    assert [path.name for path in map(manifest_path, paths)] == [
        "v=1.5,o=%2B.json",
        "v=1.5,o=%2B+000001.json",
        "v=1.5,o=%2B+000012.json",
    ]


@pytest.mark.parametrize(
    "text",
    ["", "[]", "null", "{}", '{"fingerprint": "f"}', "no json", '{"fingerprint": 1, "rows": "3"}', "\0" * 300],
)
def test_a_manifest_that_is_none_is_none(tmp_path: Path, text: str) -> None:
    """Anything but a whole manifest is as good as absent."""
    [raw] = land(tmp_path)
    manifest_path(raw).write_text(text, encoding="utf-8")

    assert (read_manifest(raw), list_raw_files(tmp_path, "part=a")) == (None, [])


def test_a_later_version_may_add_to_a_manifest(tmp_path: Path) -> None:
    """A key that is not known makes nothing stale."""
    [raw] = land(tmp_path)
    path = manifest_path(raw)
    path.write_text(path.read_text(encoding="utf-8").replace("{", '{"colour": "blue",', 1), encoding="utf-8")

    assert read_manifest(raw) == MANIFEST


@pytest.mark.parametrize("content", [b"", b"fou", b"fours", None])
def test_a_raw_file_of_another_length_does_not_count(tmp_path: Path, content: bytes | None) -> None:
    """A file that was cut, or is gone, is as good as absent."""
    [raw] = land(tmp_path)
    raw.unlink() if content is None else raw.write_bytes(content)

    assert read_manifest(raw) is None


def test_a_partition_has_its_increments_in_order(tmp_path: Path) -> None:
    """Those that extend the first file count, in the order they came, and those of other partitions do not."""
    paths = land(tmp_path, "sha", "sha", "sha")
    land(tmp_path, "sha", partition="part=aa")

    assert [path for path, _ in list_raw_files(tmp_path, "part=a")] == paths


@pytest.mark.parametrize(("extends", "counted"), [(["other", "sha"], 1), (["sha", None, "sha"], 2)])
def test_increments_count_up_to_the_first_that_extends_another_file(
    tmp_path: Path, extends: list[str | None], counted: int
) -> None:
    """What was added to a file that is no more does not count, nor does what comes after it."""
    paths = land(tmp_path, *extends)

    assert [path for path, _ in list_raw_files(tmp_path, "part=a")] == paths[:counted]


def test_an_increment_that_is_damaged_ends_those_that_count(tmp_path: Path) -> None:
    """Without one of them, those after it are not of what stands there."""
    paths = land(tmp_path, "sha", "sha", "sha")
    paths[2].write_bytes(b"cut")

    assert [path for path, _ in list_raw_files(tmp_path, "part=a")] == paths[:2]


@pytest.mark.parametrize(
    ("number", "left"),
    [
        (0, ["part=a.jsonl.zst"]),
        (1, ["part=a+000001.jsonl.zst", "part=a.json", "part=a.jsonl.zst"]),
        (
            3,
            sorted(
                [f"part=a+00000{number}.json{ending}" for number in (1, 2) for ending in ("", "l.zst")]
                + ["part=a.json", "part=a.jsonl.zst"]
            ),
        ),
    ],
)
def test_a_file_is_swept_with_what_was_added_to_it(tmp_path: Path, number: int, left: list[str]) -> None:
    """It stops counting, and the increments after it go, damaged ones too; what was before it stays."""
    paths = land(tmp_path, "sha", "other")
    target = [*paths, increment_path(paths[0], 3)][number]

    sweep_from(target)

    assert names_in(tmp_path) == left


@pytest.mark.parametrize(
    ("name", "cure"),
    [
        ("raw/x/part=a.jsonl.zst", "fetch it again with --partitions part=a --fresh"),
        (
            "raw/x/part=a%20b,month=1+000002.jsonl.zst",
            "fetch it again with --partitions part=a%20b --partitions month=1 --fresh",
        ),
        ("raw/x/all.jsonl.zst", "delete it and run again, and it alone is fetched anew"),
        (f"raw/x/part={'a' * 120}-0.jsonl.zst", "delete it and run again, and it alone is fetched anew"),
    ],
)
def test_a_partition_is_fetched_again_alone(name: str, cure: str) -> None:
    """What is to be done to one raw file names its partition, and leaves the others."""
    assert fetch_again(name) == cure
