"""A mirror of a bucket: what one host commits another has, two writers do not both win, and who reads reads on."""

from __future__ import annotations

import os
import shutil

import pytest
import s3fs

from tasks.core.bucket.mirror import Mirror
from tasks.core.bucket.units import Unit
from tasks.core.errors import ConflictError
from tasks.raw.folder import RawFolder
from tests.core.bucket.mirrors import AT, ORDERS, RAW, put, put_table, tree
from tests.raw.test_packs import packed
from tests.stores import relaying


def test_another_host_has_what_was_committed(here: Mirror, there: Mirror) -> None:
    """Bytes, times, links and empty folders; nothing of what was staged, nor of locks."""
    put_table(here, 1, {"a.parquet": "rows", "country-DE/part 1~ü.parquet": "more"})

    assert here.commit(ORDERS)
    there.fetch(ORDERS)

    assert tree(there) == tree(here)
    assert not (there.root / AT / "staged").exists()
    assert not here.commit(ORDERS)
    assert not there.commit(ORDERS)


def test_a_second_version_uploads_what_is_new(here: Mirror, there: Mirror, address: str) -> None:
    """A part that stays is the same object, and what the new version has not is gone on the other host."""
    put_table(here, 1, {"a.parquet": "rows", "b.parquet": "old"})
    here.commit(ORDERS)
    there.fetch(ORDERS)
    (here.root / AT / "000001/table/b.parquet").unlink()
    put_table(here, 2, {"a.parquet": "rows", "c.parquet": "new"})
    here.commit(ORDERS)

    there.fetch(ORDERS)

    assert tree(there) == tree(here)
    stored = [path.rpartition("/")[2] for path in s3fs.S3FileSystem().find(f"{address}/.tidemill/objects")]
    assert stored.count("a.parquet") == 1


def test_of_two_writers_of_a_table_one_wins(here: Mirror, there: Mirror) -> None:
    """The other is told who has won, and has that one's table from then on: never half of each."""
    put_table(here, 1, {"a.parquet": "mine"})
    put_table(there, 1, {"a.parquet": "theirs", "b.parquet": "too"})
    there.commit(ORDERS)

    with pytest.raises(ConflictError, match=r"tables/orders: .* has committed .* while this run worked.*; run again"):
        here.commit(ORDERS)

    assert tree(here) == tree(there)
    assert not here.commit(ORDERS)


def test_two_writers_may_each_add_to_what_was_received(here: Mirror, there: Mirror) -> None:
    """Partitions of one source may be fetched by several hosts."""
    put(here, {"raw/orders/day=1.json": "1", "raw/orders/both.json": "same"})
    put(there, {"raw/orders/day=2.json": "2", "raw/orders/both.json": "same"})
    here.commit(RAW)
    there.commit(RAW)
    here.fetch(RAW)

    assert {name for name, (_, time) in tree(here).items() if time > 0} == {
        f"raw/orders/{name}.json" for name in ("both", "day=1", "day=2")
    }
    assert tree(there).keys() == tree(here).keys()


def test_two_writers_of_one_raw_file_do_not_both_win(here: Mirror, there: Mirror) -> None:
    """The later one is told, and has what stands; what nobody else has is kept."""
    put(here, {"raw/orders/day=1.json": "mine", "raw/orders/day=2.json": "mine"})
    put(there, {"raw/orders/day=1.json": "theirs"})
    there.commit(RAW)

    with pytest.raises(ConflictError, match=r"another run has committed raw/orders/day=1\.json"):
        here.commit(RAW)

    there.fetch(RAW)
    assert tree(here) == tree(there)
    assert [tree(here)[f"raw/orders/day={day}.json"][0] for day in (1, 2)] == ["theirs", "mine"]


def test_what_a_killed_run_has_made_is_committed_by_the_next_one(here: Mirror, there: Mirror) -> None:
    """It was not committed, and nobody else has; so the fetch of the next run leaves it."""
    put_table(here, 1, {"a.parquet": "one"})
    here.commit(ORDERS)
    put_table(here, 2, {"a.parquet": "two"})
    mine = tree(here)

    here.fetch(ORDERS)
    assert tree(here) == mine
    here.commit(ORDERS)
    there.fetch(ORDERS)

    assert tree(there) == mine


def test_what_a_killed_run_has_made_gives_way_to_what_was_committed_since(here: Mirror, there: Mirror) -> None:
    """A table is all of one version; of raw what others have not stays."""
    for mirror in (here, there):
        put_table(mirror, 1, {"a.parquet": f"of {mirror.root.name}"})
        put(mirror, {f"raw/orders/{mirror.root.name}.json": "1"})
    there.commit_all([ORDERS, RAW])

    here.fetch(ORDERS)
    here.fetch(RAW)

    assert tree(here) == tree(there) | {n: v for n, v in tree(here).items() if n == "raw/orders/here.json"}


def test_a_mirror_that_was_deleted_is_fetched_again(here: Mirror, there: Mirror) -> None:
    """A unit that is gone as a whole was lost, and is no change: nobody's table is deleted by an emptied disk."""
    put_table(here, 1, {"a.parquet": "rows"})
    here.commit(ORDERS)
    was = tree(here)
    for name in (AT, ".manifests", "tables"):
        (here.root / name).rename(here.root.parent / f"gone-{name.strip('.').replace('/', '-')}")
    (here.root / AT).mkdir(parents=True)
    (here.root / AT / ".lock").touch()

    assert not here.commit(ORDERS)
    here.fetch(ORDERS)
    there.fetch(ORDERS)

    assert tree(here) == was == tree(there)


def test_a_file_that_was_lost_comes_back(here: Mirror, there: Mirror) -> None:
    """One that a cleaner of caches has removed is no change: it is fetched again, and nobody's table loses it."""
    put_table(here, 1, {"a.parquet": "rows", "b.parquet": "more"})
    here.commit(ORDERS)
    was = tree(here)
    (here.root / AT / "000001/table/b.parquet").unlink()

    here.commit_all([ORDERS])
    there.fetch(ORDERS)
    here.fetch(ORDERS)

    assert tree(here) == was == tree(there)


def test_what_clean_removes_is_removed_in_the_bucket(here: Mirror, there: Mirror) -> None:
    """Unless another host has committed it since: that stands."""
    put_table(here, 1, {"a.parquet": "rows"})
    put(here, {"raw/orders/day=1.json": "1", "raw/other/a.json": "1"})
    units = [ORDERS, RAW, Unit("raw", "other")]
    here.commit_all(units)
    there.fetch(RAW)
    put(there, {"raw/orders/day=2.json": "2"})
    there.commit(RAW)
    shutil.rmtree(here.root / "raw")

    here.take_over(units)
    here.fetch(RAW)

    assert here.store.read(".tidemill/raw/other.json") != there.store.read(".tidemill/raw/orders.json")
    assert {name for name in tree(here) if name.endswith(".json")} == {
        ".manifests/orders.json",
        "raw/orders/day=2.json",
    }


def test_bytes_and_manifest_of_a_partition_are_of_one_writer(here: Mirror, there: Mirror) -> None:
    """What a killed run has left of a partition gives way to another host's, all of it."""
    put(here, {"raw/orders/day=1.jsonl.zst": "first", "raw/orders/day=1.json": "first"})
    here.commit(RAW)
    there.fetch(RAW)
    put(here, {"raw/orders/day=1.jsonl.zst": "of a killed run"})
    put(there, {"raw/orders/day=1.json": "theirs, of the same bytes"})
    there.commit(RAW)

    here.fetch(RAW)

    assert tree(here) == tree(there)


def test_a_commit_whose_answer_is_lost_is_a_commit(
    here: Mirror, there: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store has it, and says at the second attempt that it is another one: our own."""
    put_table(here, 1, {"a.parquet": "rows"})
    with relaying(os.environ["AWS_ENDPOINT_URL"]) as relay:
        monkeypatch.setenv("AWS_ENDPOINT_URL", relay.address)
        mirror = Mirror.at(here.root)
        assert mirror is not None
        relay.lost_answers_of = ".tidemill/tables/orders.json"
        assert mirror.commit(ORDERS)
        assert [each.partition(" ")[0] for each in relay.asked if "/.tidemill/tables/" in each] == ["PUT", "PUT", "GET"]
    there.fetch(ORDERS)

    assert tree(there) == tree(here)


def put_versions(mirror: Mirror, *numbers: int) -> None:
    """Have the table be of these versions, the last of which counts, as a second commit leaves it."""
    for folder in (mirror.root / AT).glob("[0-9]*"):
        shutil.rmtree(folder)
    for number in numbers:
        put_table(mirror, number, {"a.parquet": f"rows {number}"})


def test_who_reads_a_table_reads_on_while_a_host_takes_a_version_that_is_much_later(
    here: Mirror, there: Mirror
) -> None:
    """The version that it had begun on stays until the one after it is taken; it is nothing that this host has made."""
    put_versions(here, 1)
    here.commit(ORDERS)
    there.fetch(ORDERS)
    begun = (there.root / "tables/orders").resolve()
    put_versions(here, 4, 5)
    here.commit(ORDERS, removals=True)

    there.fetch(ORDERS)
    there.fetch(ORDERS)

    assert (begun / "a.parquet").read_text() == "rows 1"
    assert (there.root / "tables/orders/a.parquet").read_text() == "rows 5"
    assert not there.commit(ORDERS, removals=True)
    put_versions(here, 8, 9)
    here.commit(ORDERS, removals=True)
    there.fetch(ORDERS)
    assert not begun.parent.exists()
    assert sorted(path.name for path in (there.root / AT).glob("[0-9]*")) == ["000005", "000008", "000009"]


def test_what_is_private_now_does_not_stay_for_readers(here: Mirror, there: Mirror) -> None:
    """A table that has no version beside the current one keeps none on other hosts."""
    put_versions(here, 1)
    here.commit(ORDERS)
    there.fetch(ORDERS)
    put_versions(here, 4)
    here.commit(ORDERS, removals=True)

    there.fetch(ORDERS)

    assert tree(there) == tree(here)


def test_what_was_removed_by_hand_comes_back_and_is_told(here: Mirror, caplog: pytest.LogCaptureFixture) -> None:
    """A cache may be emptied; to begin anew is to remove the snapshot."""
    put(here, {"raw/orders/a.json": "1"})
    here.commit(RAW)
    shutil.rmtree(here.root / "raw")

    with caplog.at_level("INFO", "tidemill"):
        here.fetch(RAW)

    assert (here.root / "raw/orders/a.json").exists()
    assert [line.partition(": ")[2] for line in caplog.messages if "fetched again" in line] == [
        "nothing of it was left on this machine, and it is fetched again; to begin it anew, remove "
        ".tidemill/raw/orders.json from the bucket"
    ]


def test_what_refresh_removes_stays_removed(here: Mirror, there: Mirror) -> None:
    """All of a unit, too: it was fetched, and held since."""
    put(here, {"raw/orders/a.json": "1"})
    here.commit(RAW)
    here.fetch(RAW)
    (here.root / "raw/orders/a.json").unlink()

    assert here.commit(RAW, removals=True)
    here.fetch(RAW)
    there.fetch(RAW)

    assert not [*here.root.glob("raw/*/*"), *there.root.glob("raw/*/*")]


def test_packs_of_two_hosts_are_two(here: Mirror, there: Mirror) -> None:
    """Of one number the later one would have to give way, and what it holds be fetched again."""
    for mirror, partition in ((here, "day=1"), (there, "day=2")):
        folder = mirror.root / "raw/orders"
        folder.mkdir(parents=True)
        RawFolder(folder).pack([packed(partition)])

    here.commit(RAW)
    there.commit(RAW)
    here.fetch(RAW)

    assert RawFolder(here.root / "raw/orders").partitions == {"day=1", "day=2"}
