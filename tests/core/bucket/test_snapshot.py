"""A snapshot: one that was damaged, or written by another hand, does no harm, and what none names is found."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import s3fs

from tasks.core.bucket.mirror import Mirror
from tasks.core.errors import StoreError
from tests.core.bucket.mirrors import AT, ORDERS, put_table


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


def test_a_snapshot_that_was_removed_begins_anew(here: Mirror, there: Mirror, address: str) -> None:
    """What another host still has of it is not put back."""
    put_table(here, 1, {"a.parquet": "rows"})
    here.commit(ORDERS)
    there.fetch(ORDERS)
    s3fs.S3FileSystem().rm(f"{address}/.tidemill/tables/orders.json")

    there.fetch(ORDERS)

    assert not list(there.root.rglob("*.parquet"))
    assert not there.commit(ORDERS)


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
