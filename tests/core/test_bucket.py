"""A data folder in a bucket: what one host commits another has, two writers do not both win, and what fails is told."""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
import s3fs
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from tasks.core.bucket.lease import Lease
from tasks.core.bucket.mirror import Mirror
from tasks.core.bucket.opened import open_bucket
from tasks.core.bucket.store import Tag
from tasks.core.bucket.units import Unit
from tasks.core.errors import ConfigError, ConflictError, StoreError
from tasks.core.storage import process_lives
from tests.stores import relaying, serving_s3

ORDERS, RAW = Unit("tables", "orders"), Unit("raw", "orders")
AT = ".tables/orders"


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    """Return the address of a bucket."""
    with serving_s3() as address:
        yield address


@pytest.fixture
def address(bucket: str) -> str:
    """Return the address of a data folder in it."""
    return f"{bucket}/{uuid4().hex}"


@pytest.fixture
def here(address: str, tmp_path: Path) -> Mirror:
    """Return the mirror of one host."""
    return Mirror.make(tmp_path / "here", address)


@pytest.fixture
def there(address: str, tmp_path: Path) -> Mirror:
    """Return the mirror of another host."""
    return Mirror.make(tmp_path / "there", address)


def put(mirror: Mirror, files: dict[str, str]) -> None:
    """Write files of a mirror, as a run does."""
    for name, text in files.items():
        path = mirror.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def put_table(mirror: Mirror, number: int, parts: dict[str, str]) -> None:
    """Have a version of a table in a mirror, as convert commits it."""
    put(mirror, {f"{AT}/{number:06}/table/{name}": text for name, text in parts.items()})
    (mirror.root / AT / f"{number:06}/rejects").mkdir()
    put(mirror, {".manifests/orders.json": str(number), f"{AT}/.lock": "", f"{AT}/staged/table/x": "half"})
    for link, target in ((f"{AT}/current", f"{number:06}"), ("tables/orders", "../.tables/orders/current/table")):
        path = mirror.root / link
        path.parent.mkdir(exist_ok=True)
        path.unlink(missing_ok=True)
        path.symlink_to(target)


def tree(mirror: Mirror) -> dict[str, tuple[str, int]]:
    """Return what is in a mirror: the texts of files with their times, the targets of links, and folders."""
    found: dict[str, tuple[str, int]] = {}
    for path in sorted(mirror.root.rglob("*")):
        name = path.relative_to(mirror.root).as_posix()
        if name.startswith(".bucket") or path.name == ".lock" or "staged" in name:
            continue
        if path.is_symlink():
            found[name] = str(path.readlink()), -1
        elif path.is_file():
            found[name] = path.read_text(), path.stat().st_mtime_ns
        else:
            found[name] = "", 0
    return found


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


def test_a_snapshot_that_was_removed_begins_anew(here: Mirror, there: Mirror, address: str) -> None:
    """What another host still has of it is not put back."""
    put_table(here, 1, {"a.parquet": "rows"})
    here.commit(ORDERS)
    there.fetch(ORDERS)
    s3fs.S3FileSystem().rm(f"{address}/.tidemill/tables/orders.json")

    there.fetch(ORDERS)

    assert not list(there.root.rglob("*.parquet"))
    assert not there.commit(ORDERS)


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


def test_answers_that_are_lost_leave_a_lease_where_it_is(here: Mirror, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who took it, or renewed it, has it; and a store whose answer was lost is not taken for one that keeps no conditions."""
    monkeypatch.setattr("tasks.core.bucket.lease.RENEWED_EVERY_S", 0.05)
    with relaying(os.environ["AWS_ENDPOINT_URL"]) as relay:
        monkeypatch.setenv("AWS_ENDPOINT_URL", relay.address)
        mirror = Mirror.at(here.root)
        assert mirror is not None
        relay.lost_answers_of = ".proof-"
        mirror.store.prove_conditions(".tidemill/.proof-1")
        lease = Lease(mirror.store, "shop", "run 1", process_lives)
        relay.lost_answers_of = "turns/shop.json"
        assert lease.take()
        relay.lost_answers_of = "turns/shop.json"
        renewed = len(relay.asked) + 20
        for attempt in Retrying(stop=stop_after_delay(20), wait=wait_fixed(0.05)):
            with attempt:
                assert len(relay.asked) > renewed
        assert lease.is_renewing
        lease.give_back()

    assert lease_of(here, "run 2").take()


def test_bytes_that_are_not_what_was_written_are_refused(here: Mirror, there: Mirror, address: str) -> None:
    """Each object is compared with what its snapshot says."""
    put_table(here, 1, {"a.parquet": "rows"})
    here.commit(ORDERS)
    store = s3fs.S3FileSystem()
    part = next(path for path in store.find(f"{address}/.tidemill/objects") if path.endswith("a.parquet"))
    store.pipe(part, b"others")

    with pytest.raises(StoreError, match=r"a\.parquet: is not what was written there; put it back"):
        there.fetch(ORDERS)

    assert not list(there.root.rglob("a.parquet"))


@pytest.mark.parametrize(
    ("name", "entry"),
    [
        ("../outside.txt", {"size": 1, "digest": "0", "key": "x"}),
        (f"{AT}/../../../outside.txt", {"size": 1, "digest": "0", "key": "x"}),
        ("raw/orders/a.json", {"size": 1, "digest": "0", "key": "x"}),
        (f"{AT}/current", {"link": "/etc"}),
        (f"{AT}/current", {"link": "1/../../../outside"}),
        (f"{AT}/000001/link", {"link": "000001"}),
        (f"{AT}/current/table/a.parquet", {"link": "000001"}),
        ("tables/orders", {"link": "../../elsewhere"}),
    ],
)
def test_a_snapshot_writes_nowhere_but_in_its_unit(
    there: Mirror, name: str, entry: dict[str, object], tmp_path: Path
) -> None:
    """Whoever may write to the bucket may not so write elsewhere on each machine that reads it."""
    there.store.write(".tidemill/tables/orders.json", json.dumps({"files": {name: entry}, "commit": "1"}).encode())

    with pytest.raises(StoreError, match=rf"names '{re.escape(name)}', which is none of tables/orders; put it back"):
        there.fetch(ORDERS)

    assert [path.name for path in tmp_path.iterdir()] == ["there"]


def test_a_snapshot_that_is_none_is_told(there: Mirror) -> None:
    """With what to do."""
    there.store.write(".tidemill/tables/orders.json", b"{")

    with pytest.raises(StoreError, match=r"orders\.json: is no snapshot \(.*\); put it back from a copy, or remove it"):
        there.fetch(ORDERS)


def test_what_no_snapshot_names_is_found(here: Mirror, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of versions before, and of commits that never ended; nothing that counts, and nothing that is younger than a day."""
    put_table(here, 1, {"a.parquet": "rows", "b.parquet": "old"})
    here.commit(ORDERS)
    (here.root / AT / "000001/table/b.parquet").unlink()
    here.commit(ORDERS, removals=True)
    here.store.write(".tidemill/objects/raw/orders/1/never.json", b"1")
    here.store.write("raw/orders/of_others.json", b"1")
    store, now = s3fs.S3FileSystem(), datetime.now(UTC)
    assert here.list_unnamed(now) == []

    monkeypatch.setattr("tasks.core.bucket.mirror._ON_ITS_WAY", timedelta(days=-1))
    unnamed = [each.key for each in here.list_unnamed(now + timedelta(days=1))]

    assert [key.rpartition("/")[2] for key in sorted(unnamed)] == ["never.json", "b.parquet"]
    assert {path for path in store.find(f"{address}/.tidemill/objects") if path.endswith(".parquet")} > {
        f"{address.removeprefix('s3://')}/{key}" for key in unnamed if key.endswith(".parquet")
    }


def test_a_mirror_keeps_what_was_used_last(here: Mirror) -> None:
    """What is in the bucket goes where it is too much; what is not committed stays."""
    for number, name in enumerate(("old", "new", "dirty", "used")):
        put(here, {f"raw/{name}/a.json": "x" * 1000})
        here.commit(Unit("raw", name))
        os.utime(here.root / f".bucket/raw/{name}.json", (number, number))
    put(here, {"raw/dirty/b.json": "x"})

    here.trim(1500, {Unit("raw", "used")})

    assert [path.name for path in sorted((here.root / "raw").glob("*/*.json"))] == ["a.json", "b.json", "a.json"]
    here.fetch(Unit("raw", "old"))
    assert (here.root / "raw/old/a.json").read_text() == "x" * 1000


def test_a_store_without_conditional_puts_is_refused(here: Mirror, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is written to it: of two writers both would win."""
    put_table(here, 1, {"a.parquet": "rows"})
    monkeypatch.setattr(Tag, "mode", "overwrite")

    with pytest.raises(StoreError, match="does not keep conditional puts, without which two runs overwrite"):
        here.commit(ORDERS)

    assert list(here.store.list("")) == []


def test_a_store_that_is_not_there_is_told(
    bucket: str, address: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """In one sentence, with the address and without who asks."""
    assert bucket
    monkeypatch.setattr("tasks.core.bucket.store._RETRY_S", 0)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "very-secret")
    mirror = Mirror.make(tmp_path / "elsewhere", address)

    with pytest.raises(StoreError, match=rf"^{re.escape(address)}: cannot be read \(.*\); check the address") as error:
        mirror.fetch(ORDERS)

    assert "very-secret" not in str(error.value)
    assert "\n" not in str(error.value)


def test_a_bucket_that_is_not_there_is_told(tmp_path: Path, bucket: str) -> None:
    """By its name, when it is written to."""
    assert bucket
    mirror = Mirror.make(tmp_path / "elsewhere", "s3://nowhere/data")
    put_table(mirror, 1, {"a.parquet": "rows"})

    with pytest.raises(StoreError, match=r"s3://nowhere/data: cannot be written .*NoSuchBucket"):
        mirror.commit(ORDERS)


@pytest.mark.parametrize("wrong", ["https://example.com/data", "ftp://host/data", "s3://key:secret@bucket/data"])
def test_an_address_of_no_bucket_is_refused(wrong: str) -> None:
    """One that holds a secret, too: it would stand in logs."""
    with pytest.raises(ConfigError, match=r"s3://|environment") as error:
        open_bucket(wrong)

    assert "secret" not in str(error.value)


def lease_of(mirror: Mirror, holder: str) -> Lease:
    """Return the lease of a pipeline for a run."""
    return Lease(mirror.store, "shop", holder, process_lives)


def test_a_lease_is_one_runs_until_it_gives_it_back(here: Mirror, there: Mirror) -> None:
    """The other is told who has it, and takes it then."""
    first, second = lease_of(here, "run 1"), lease_of(there, "run 2")
    assert first.take()
    try:
        assert (second.take(), second.held_by) == (False, "run 1")
    finally:
        first.give_back()

    assert second.take()
    second.give_back()


def test_a_lease_of_a_killed_run_of_this_machine_is_taken_at_once(here: Mirror, there: Mirror) -> None:
    """Its process is gone."""
    killed = Lease(here.store, "shop", "killed", process_lives)
    assert killed.take()
    after = Lease(there.store, "shop", "next", lambda _: False)

    assert after.take()
    for lease in (killed, after):
        lease.give_back()
    assert lease_of(here, "last").take()


def test_a_lease_of_another_machine_is_taken_when_no_sign_comes(
    here: Mirror, there: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not while its holder renews it; and of two that find it left one takes it."""
    monkeypatch.setattr("tasks.core.bucket.lease.RENEWED_EVERY_S", 0.05)
    monkeypatch.setattr("tasks.core.bucket.lease.LEFT_AFTER_S", 0.5)
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr("tasks.core.bucket.lease._place", lambda: "elsewhere")
        held = lease_of(here, "run 1")
    waiting = [lease_of(there, "run 2"), lease_of(there, "run 3")]
    assert held.take()
    ended = time.monotonic() + 1.0
    while time.monotonic() < ended:
        assert not any(lease.take() for lease in waiting)
    held._ended.set()
    until = Retrying(
        stop=stop_after_delay(20), wait=wait_fixed(0.05), retry=retry_if_result(lambda took: not any(took))
    )
    taken = until(lambda: [lease.take() for lease in waiting])

    assert taken.count(True) == 1
    for lease in waiting:
        lease.give_back()
