"""Packs: many small partitions in one raw file, each of which counts, is replaced and is damaged by itself."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import pyarrow as pa
import pytest

from tasks.raw.files import RawManifest, commit_manifest, manifest_path, raw_path
from tasks.raw.folder import RawFolder, find_altered
from tasks.raw.packs import SMALL_PARTITIONS, PackInput

MANY = 2 * SMALL_PARTITIONS


def packed(partition: str, text: str = "{}") -> PackInput:
    """Return a partition of one row."""
    frame = pa.compress(text.encode() + b"\n", codec="zstd", asbytes=True)
    return PackInput(partition, RawManifest("f", 1, 1, len(frame), "sha", "2024-01-01T00:00:00+00:00"), frame)


def rows_of(folder: Path, partitions: Sequence[str]) -> list[str | None]:
    """Return the row of each partition, as the folder has it when it is looked at anew."""
    raw = RawFolder(folder)
    pieces = [raw.find_piece(partition) for partition in partitions]
    return [piece and pa.input_stream(piece.open(), compression="zstd").read().decode().strip() for piece in pieces]


def names_in(folder: Path) -> list[str]:
    """Return the names of a folder's files."""
    return sorted(path.name for path in folder.iterdir())


def give_own_file(folder: Path, partition: str) -> None:
    """Land a partition in a file of its own."""
    each = packed(partition, '"own"')
    raw_path(folder, partition).write_bytes(each.frame)
    commit_manifest(raw_path(folder, partition), each.manifest)


def test_partitions_of_a_pack_are_read_one_by_one(tmp_path: Path) -> None:
    """Each has its own bytes and manifest, as if it had a file of its own; one that is not there has none."""
    RawFolder(tmp_path).pack([packed("n=1", '"a"'), packed("n=2", '"bc"')])

    again = RawFolder(tmp_path)

    assert rows_of(tmp_path, ["n=1", "n=2", "n=3"]) == ['"a"', '"bc"', None]
    assert again.list_files("n=2") == [(raw_path(tmp_path, "n=2"), packed("n=2", '"bc"').manifest)]
    assert [again.is_new(each) for each in ("n=1", "n=3")] == [False, True]
    assert sorted(again.partitions) == ["n=1", "n=2"]
    assert names_in(tmp_path) == ["pack-000001.json", "pack-000001.jsonl.zst"]


def test_a_small_pack_is_put_into_the_next_one(tmp_path: Path) -> None:
    """So that slow partitions, which come a few at a time, do not leave a pack each; a full one stays as it is."""
    raw = RawFolder(tmp_path)
    raw.pack([packed("n=1", "1")])
    raw.pack([packed(f"n={number}", str(number)) for number in range(2, MANY + 2)])
    raw.pack([packed("n=0", "0")])

    assert rows_of(tmp_path, ["n=0", "n=1", f"n={MANY}"]) == ["0", "1", str(MANY)]
    assert names_in(tmp_path) == [f"pack-00000{number}.{end}" for number in (2, 3) for end in ("json", "jsonl.zst")]


def test_a_partition_that_is_landed_again_counts_once(tmp_path: Path) -> None:
    """What a pack had of it before counts no more, and does not come back when the later pack is deleted."""
    many = [f"n={number}" for number in range(MANY)]
    RawFolder(tmp_path).pack([packed(each, '"old"') for each in many])
    RawFolder(tmp_path).pack([packed("n=7", '"new"')])

    assert rows_of(tmp_path, ["n=6", "n=7"]) == ['"old"', '"new"']
    for name in ("pack-000002.json", "pack-000002.jsonl.zst"):
        (tmp_path / name).unlink()
    assert rows_of(tmp_path, ["n=6", "n=7"]) == ['"old"', None]


def test_a_pack_of_which_most_counts_no_more_is_put_into_the_next_one(tmp_path: Path) -> None:
    """Bytes that nothing reads do not stay."""
    many = [packed(f"n={number}", f'"{number}"') for number in range(2 * MANY)]
    RawFolder(tmp_path).pack(many)
    RawFolder(tmp_path).pack(many[: MANY + 9])
    RawFolder(tmp_path).pack(many[:1])

    assert names_in(tmp_path)[-1] == "pack-000003.jsonl.zst"
    assert "pack-000001.json" not in names_in(tmp_path)
    assert rows_of(tmp_path, [each.partition for each in many]) == [f'"{n}"' for n in range(len(many))]


@pytest.mark.parametrize("is_killed", [False, True])
def test_a_partition_has_a_file_of_its_own_or_lies_in_a_pack(tmp_path: Path, is_killed: bool) -> None:
    """It moves from one to the other; where a kill has left both the file counts, and the rest is swept away."""
    RawFolder(tmp_path).pack([packed("n=1", "1"), packed("n=2", "2")])
    give_own_file(tmp_path, "n=1")
    if not is_killed:
        RawFolder(tmp_path).unpack("n=1")

    assert rows_of(tmp_path, ["n=1", "n=2"]) == [None, "2"]
    RawFolder(tmp_path).sweep()
    assert '"n=1"' not in (tmp_path / "pack-000001.json").read_text(encoding="utf-8")

    RawFolder(tmp_path).pack([packed("n=1", "3")])

    assert rows_of(tmp_path, ["n=1", "n=2"]) == ["3", "2"]
    assert names_in(tmp_path) == ["pack-000002.json", "pack-000002.jsonl.zst"]


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (Path.unlink, "was gone"),
        (lambda path: path.write_bytes(path.read_bytes()[:-1]), "was damaged or cut off"),
        (lambda path: path.write_bytes(bytes(path.stat().st_size)), "was damaged or cut off"),
    ],
)
def test_a_damaged_pack_has_none_of_its_partitions(tmp_path: Path, harm: Callable[[Path], None], said: str) -> None:
    """Each of them is told to be lost; those that are landed again count, and the others stay known as lost."""
    RawFolder(tmp_path).pack([packed("n=1", "1"), packed("n=2", "2")])
    harm(tmp_path / "pack-000001.jsonl.zst")

    assert rows_of(tmp_path, ["n=1", "n=2"]) == [None, None]
    RawFolder(tmp_path).pack([packed("n=1", "1")])
    assert [RawFolder(tmp_path).find_damage(each) for each in ("n=1", "n=2")] == [
        None,
        f"pack-000001.jsonl.zst, with 1 row of it, {said}",
    ]
    assert rows_of(tmp_path, ["n=1", "n=2"]) == ["1", None]


def test_a_copy_of_a_pack_is_as_good(tmp_path: Path) -> None:
    """A time that differs is looked into by the file's hash."""
    RawFolder(tmp_path).pack([packed("n=1", "1")])
    os.utime(tmp_path / "pack-000001.jsonl.zst", ns=(1, 1))

    assert rows_of(tmp_path, ["n=1"]) == ["1"]


def test_what_a_kill_left_of_a_pack_does_not_count(tmp_path: Path) -> None:
    """A pack without its manifest is removed, and the next one has another name."""
    (tmp_path / "pack-000004.jsonl.zst").write_bytes(b"half")

    raw = RawFolder(tmp_path)
    raw.sweep()
    raw.pack([packed("n=1", "1")])

    assert (rows_of(tmp_path, ["n=1"]), names_in(tmp_path)[-1]) == (["1"], "pack-000005.jsonl.zst")


def test_altered_packs_are_found(tmp_path: Path) -> None:
    """As raw files are, by their sizes."""
    RawFolder(tmp_path).pack([packed("n=1", "1")])
    pack = tmp_path / "pack-000001.jsonl.zst"
    size = pack.stat().st_size
    before = list(find_altered(tmp_path))
    pack.write_bytes(b"x")

    assert (before, list(find_altered(tmp_path))) == ([], [(pack, f"it has 1 byte and was written with {size}")])
    assert manifest_path(pack).name == "pack-000001.json"
