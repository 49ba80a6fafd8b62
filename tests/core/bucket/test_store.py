"""A store: what is wrong with one is told, and Ctrl-C ends the wait for it."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

import pytest

from tasks.core.bucket.mirror import Mirror
from tasks.core.bucket.opened import open_bucket
from tasks.core.bucket.store import Store, Tag
from tasks.core.errors import ConfigError, StoreError
from tests.core.bucket.mirrors import ORDERS, put_table
from tests.stores import relaying


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


def test_an_account_that_is_not_named_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the variable that names one: of Azure's the address has the container alone."""
    for name in [name for name in os.environ if name.startswith("AZURE_")]:
        monkeypatch.delenv(name)

    with pytest.raises(StoreError, match=r"^abfs://lake/shop: .*no account is named; set AZURE_STORAGE_ACCOUNT_NAME"):
        Store.open("abfs://lake/shop")


@pytest.mark.parametrize("wrong", ["https://example.com/data", "ftp://host/data", "s3://key:secret@bucket/data"])
def test_an_address_of_no_bucket_is_refused(wrong: str) -> None:
    """One that holds a secret, too: it would stand in logs."""
    with pytest.raises(ConfigError, match=r"s3://|environment") as error:
        open_bucket(wrong)

    assert "secret" not in str(error.value)


@contextmanager
def interrupted(mirror: Mirror, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mirror]:
    """Yield a mirror whose store does not answer what is written, and send Ctrl-C to this process as soon as it does not.

    The store answers when the block has ended, or some seconds after: an error then, as a call was waited for.
    """
    ended, waited = Event(), list[bool]()

    def interrupt() -> None:
        relay.has_held.wait()
        os.kill(os.getpid(), signal.SIGINT)
        waited.append(not ended.wait(5))
        relay.answers.set()

    (mirror.root / ".bucket/proven").touch()
    with relaying(os.environ["AWS_ENDPOINT_URL"]) as relay:
        monkeypatch.setenv("AWS_ENDPOINT_URL", relay.address)
        relay.answers.clear()
        thread = Thread(target=interrupt)
        thread.start()
        slow = Mirror.at(mirror.root)
        assert slow is not None
        with pytest.raises(KeyboardInterrupt):
            yield slow
        ended.set()
        thread.join()
    assert waited == [False]


@pytest.mark.parametrize("files", [1, 3])
def test_ctrl_c_ends_the_wait_for_an_upload(here: Mirror, files: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that takes bytes and does not answer is not waited for, however many are on their way."""
    put_table(here, 1, {f"{number}.parquet": "rows" for number in range(files)})

    with interrupted(here, monkeypatch) as slow:
        slow.commit(ORDERS)


def test_ctrl_c_ends_the_wait_for_an_object_that_is_replaced(here: Mirror, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the lease of a run is, and a snapshot."""
    with interrupted(here, monkeypatch) as slow:
        slow.store.replace("a", b"1", Tag())
