"""The store of a bucket: objects by key, and one that is replaced only where nobody else has replaced it.

By obstore, whose conditional puts are those of each store: If-Match and If-None-Match of S3
and Azure, generations of Google. Credentials and endpoint are found as by the store's own
tools: in the environment, in the profiles of its command line, or by the machine's role.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from io import BufferedReader, RawIOBase
from pathlib import Path
from threading import current_thread, main_thread
from typing import Any, BinaryIO, Literal, NamedTuple, TypeVar, cast

from tasks.core.errors import StoreError
from tasks.core.redaction import redact

Value = TypeVar("Value")

_AT_ONCE = 16  # objects on their way
_HEEDS_S = 0.5  # a signal that comes just as a wait begins is heeded when it ends
_CODE, _MESSAGE = re.compile(r"<Code>(.*?)</Code>"), re.compile(r"<Message>(.*?)</Message>")
SCHEMES = ("s3", "s3a", "gs", "az", "abfs", "abfss")
_RETRY_S = 60  # a store that is restarted is there again by then
_PROOFS = 3
_RETRIES = 1000  # the time counts
_BACKOFF = {"init_backoff": timedelta(seconds=0.1), "max_backoff": timedelta(seconds=3), "base": 2}
_CONNECT_S = 10
_NO_ACCOUNT = "Account must be specified"  # of Azure
_INSTALL = "{}: needs a package that is not there; pip install 'tidemill[s3]'"


class Stored(NamedTuple):
    """What a store tells of an object: its key, its bytes in number, when it was written, and what it knows these bytes by."""

    key: str
    size: int
    written_at: datetime
    e_tag: str | None = None


class Tag(NamedTuple):
    """Which version of an object it is, by what its store tells: some have the one, some the other."""

    e_tag: str | None = None
    number: str | None = None

    @property
    def mode(self) -> Any:
        """Return that an object is replaced only where it is this one; created only where there is none."""
        told = {"e_tag": self.e_tag, "version": self.number}
        return {key: value for key, value in told.items() if value is not None} or "create"


class SupersededError(Exception):
    """An object is another one than was to be replaced."""


@dataclass(frozen=True)
class Store:
    """The objects below an address."""

    address: str
    objects: Any
    """Obstore's own."""

    @classmethod
    def open(cls, address: str) -> Store:
        """Return the store at an address; nothing is asked yet.

        Raises:
            StoreError: the address is none, or a package is not there.

        """
        try:
            from obstore.store import from_url  # noqa: PLC0415 - 0.1 s, for buckets alone
        except ImportError as error:
            raise StoreError(_INSTALL.format(address)) from error
        scheme = address.partition("://")[0]
        told: dict[str, Any] = {
            "retry_config": {
                "retry_timeout": timedelta(seconds=_RETRY_S),
                "max_retries": _RETRIES,
                "backoff": _BACKOFF,
            },
            "client_options": {"connect_timeout": timedelta(seconds=_CONNECT_S), "allow_http": True},
        }
        with _explained(address, "opened"):
            return cls(address, from_url(address, **told, **(_told_of_s3() if scheme.startswith("s3") else {})))

    def read(self, key: str, known: Tag | None = None) -> tuple[bytes, Tag] | Literal["same"] | None:
        """Return an object's bytes and which version they are; "same" where it is the known one, None where it is not there."""
        from obstore.exceptions import NotModifiedError  # noqa: PLC0415 - see above

        options: Any = {"if_none_match": known.e_tag} if known and known.e_tag else {}
        with self._explained("read"):
            try:
                answer = _waited_for(lambda: self.objects.get(key, options=options))
                return bytes(answer.bytes()), _tag(answer.meta)
            except NotModifiedError:
                return "same"
            except FileNotFoundError:
                return None

    def replace(self, key: str, data: bytes, tag: Tag) -> Tag:
        """Write an object in the place of one version of it; return which version it is then.

        Raises:
            SupersededError: it is not that version any more.

        """
        from obstore.exceptions import AlreadyExistsError, PreconditionError  # noqa: PLC0415 - see above

        with self._explained("written"):
            try:
                return _tag(_waited_for(lambda: self.objects.put(key, data, mode=tag.mode)))
            except (AlreadyExistsError, PreconditionError) as error:
                raise SupersededError from error
            except FileNotFoundError as error:
                if tag == Tag():
                    raise
                raise SupersededError from error  # the object is gone

    def prove_conditions(self, key: str) -> None:
        """See that of two writers one is refused; `key` is that of an object that is not there, and is not after.

        Raises:
            StoreError: both are let through.

        """
        if not any(self._keeps_conditions(f"{key}-{number}") for number in range(_PROOFS)):
            raise StoreError(
                f"{self.address}: the store does not keep conditional puts, without which two runs overwrite each "
                "other's tables; choose one that does, or a folder"
            )

    def _keeps_conditions(self, key: str) -> bool:
        """Return whether of two writers one is refused; an answer that was lost may tell otherwise."""
        refused = []
        try:
            first = self.replace(key, b"1", Tag())
            for data, tag in ((b"2", Tag()), (b"3", first), (b"4", first)):
                try:
                    self.replace(key, data, tag)
                    refused.append(False)
                except SupersededError:
                    refused.append(True)
        except SupersededError:
            return False
        finally:
            with suppress(StoreError):  # what failed first is told
                self.delete([key])
        return refused == [True, False, True]

    def upload(self, key: str, path: Path) -> None:
        """Write a file's bytes to an object, in parts where it is large."""
        with self._explained("written"):
            _waited_for(lambda: self.objects.put(key, path))

    def write(self, key: str, data: bytes) -> None:
        """Write an object, whatever was there."""
        with self._explained("written"):
            _waited_for(lambda: self.objects.put(key, data))

    def download(self, key: str, path: Path) -> None:
        """Write an object's bytes to a file."""
        with self._explained("read"), path.open("wb") as file:
            chunks = iter(_waited_for(lambda: self.objects.get(key)))
            while (chunk := _waited_for(lambda: next(chunks, None))) is not None:
                file.write(chunk)

    def stream(self, key: str) -> BinaryIO:
        """Return an object as a file that is read from its beginning to its end, in one answer: never half of it from before a change.

        Raises:
            FileNotFoundError: it is not there.

        """
        with self._explained("read"):
            try:
                return cast("BinaryIO", BufferedReader(_Stream(iter(_waited_for(lambda: self.objects.get(key))))))
            except FileNotFoundError as error:
                raise FileNotFoundError(f"{self.address}/{key}") from error

    def list(self, prefix: str) -> Iterator[Stored]:
        """Yield the objects below a prefix."""
        with self._explained("listed"):
            chunks = iter(self.objects.list(prefix))
            while (chunk := _waited_for(lambda: next(chunks, None))) is not None:
                for each in chunk:
                    yield Stored(each["path"], each["size"], each["last_modified"], each.get("e_tag"))

    def delete(self, keys: Iterable[str]) -> None:
        """Remove objects; one that is not there is none."""
        if found := list(keys):
            with self._explained("removed"):
                _waited_for(lambda: self.objects.delete(found))

    def _explained(self, what: str) -> Any:
        return _explained(self.address, what)


class _Stream(RawIOBase):
    """The chunks of an answer as a file."""

    def __init__(self, chunks: Iterator[Any]) -> None:
        self._chunks = chunks
        self._left = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, room: Any) -> int:
        if not self._left:
            self._left = memoryview(bytes(_waited_for(lambda: next(self._chunks, b""))))
        size = min(len(room), len(self._left))
        room[:size] = self._left[:size]
        self._left = self._left[size:]
        return size


def _waited_for(call: Callable[[], Any]) -> Any:
    """Return what a call of a store returns; Ctrl-C ends the wait for it, which the call itself does not heed."""
    if current_thread() is not main_thread():
        return call()
    return all_at_once([call])[0]


def all_at_once(calls: Sequence[Callable[[], Value]]) -> list[Value]:
    """Return what calls of a store return, many of them on their way; the first that fails, or Ctrl-C, ends the wait for all."""
    threads = ThreadPoolExecutor(_AT_ONCE)
    try:
        called = [threads.submit(call) for call in calls]
        for each in called:
            while not wait([each], _HEEDS_S).done:
                pass
            each.result()
    except BaseException as error:
        threads.shutdown(
            wait=isinstance(error, Exception), cancel_futures=True
        )  # a store that is away is waited for once
        raise
    threads.shutdown()
    return [each.result() for each in called]


def _tag(told: Any) -> Tag:
    return Tag(told.get("e_tag"), told.get("version"))


@contextmanager
def _explained(address: str, what: str) -> Iterator[None]:
    """Tell what fails in a store in one sentence, without what proves who asks."""
    try:
        yield
    except (SupersededError, StoreError, OSError) as error:
        if isinstance(error, SupersededError | StoreError) or error.errno:  # of this machine's disk
            raise
        raise _failure(address, what, error) from error
    except Exception as error:
        if not type(error).__module__.startswith("obstore"):
            raise
        raise _failure(address, what, error) from error


def _failure(address: str, what: str, error: Exception) -> StoreError:
    text = str(error).partition("\n\nDebug source:")[0]
    if _NO_ACCOUNT in text:
        return StoreError(
            f"{address}: cannot be {what}, as no account is named; set AZURE_STORAGE_ACCOUNT_NAME and "
            "AZURE_STORAGE_ACCOUNT_KEY, or what else proves who asks"
        )
    told = [*_CODE.findall(text), *_MESSAGE.findall(text)]  # of the XML that a store answers with
    said = " ".join(redact(": ".join(told) if told else text).split())
    return StoreError(f"{address}: cannot be {what} ({said}); check the address, the credentials and the network")


def _told_of_s3() -> dict[str, Any]:
    """Return what botocore, which reads the files of Amazon's command line, knows of the endpoint and who asks."""
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    told: dict[str, Any] = {"endpoint": endpoint} if endpoint else {}
    if "AWS_ACCESS_KEY_ID" in os.environ:
        return told
    try:
        from botocore.session import get_session  # type: ignore[import-untyped]  # noqa: PLC0415 - of Amazon's stores alone
    except ImportError:
        return told
    session = get_session()
    if region := session.get_config_variable("region"):
        told["region"] = region
    return told | {"credential_provider": _ask(session)}


def _ask(session: Any) -> Callable[[], dict[str, Any]]:
    def provide() -> dict[str, Any]:
        found = session.get_credentials()
        if found is None:
            raise StoreError("no credentials are found; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile")
        frozen = found.get_frozen_credentials()
        token = {"token": frozen.token} if frozen.token else {}
        return {
            "access_key_id": frozen.access_key,
            "secret_access_key": frozen.secret_key,
            "expires_at": getattr(found, "_expiry_time", None),
            **token,
        }

    return provide
