"""Private fields of a source on their way: the key that hashes are made with, records without them, and those that never came."""

from __future__ import annotations

import hmac
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from tasks.config import PartedSource, Privacy
from tasks.config.answers import REJECT, unread
from tasks.config.tabled import Fetched
from tasks.core.errors import PermanentSourceError
from tasks.core.escaping import count
from tasks.core.json_text import list_entries, take_json
from tasks.core.private_fields import NoFieldsError, PrivateFields
from tasks.core.storage import commit_json, json_reader
from tasks.ingest.http.redaction import NOT_SHOWN
from tasks.ingest.landing.plan import Landed, LandingPlan

LEAST_CHARACTERS = 16  # of a secret: the hash of a shorter one's address or number is soon guessed
_FILE = ".privacy.json"
_KNOWN_BY = b"tidemill"
_UNREAD = {"$reject", "text"}  # the members of what stands for a record that cannot be read


@dataclass(frozen=True)
class _KnownKey:
    """What a key that rows were hashed with is known by."""

    key: str
    is_of_all: bool = True
    """Whether no row is there that another key was used for, as where a run with --fresh has not come to its end."""


_read = json_reader(_KnownKey)


def check_key(key: bytes, folder: Path, *, fresh: bool) -> None:
    """Note which key the rows of a source are hashed with; with another one they would be no longer the same.

    Raises:
        PermanentSourceError: what is landed, or a part of it, was hashed with another.

    """
    known = _KnownKey(hmac.digest(key, _KNOWN_BY, "sha256").hex())
    found = _read(folder / _FILE)
    if found is not None and found.key != known.key and not fresh:
        raise PermanentSourceError(
            "privacy.hash.secret: is another one than what is landed was hashed with, so that the same values would have two "
            "hashes; fetch all of it again with --fresh, or give the secret of before"
        )
    if found is not None and not found.is_of_all and not fresh:
        raise PermanentSourceError(
            "privacy.hash.secret: is another one than a part of what is landed was hashed with, as the run with --fresh that was "
            "to fetch all of it again has not come to its end; run with --fresh again"
        )
    if found is None or found.key != known.key:
        commit_json(folder / _FILE, vars(replace(known, is_of_all=found is None)))


def settle_key(folder: Path) -> None:
    """Note that all rows of a source are hashed with the key that is known."""
    found = _read(folder / _FILE)
    if found is not None and not found.is_of_all:
        commit_json(folder / _FILE, vars(replace(found, is_of_all=True)))


def guard(plan: LandingPlan, key: bytes) -> LandingPlan:
    """Return the same plan of a source whose records are without what is private; what is hashed is so by a key."""
    source = plan.job.source
    return replace(plan, job=replace(plan.job, source=source.guarded(key))) if isinstance(source, Fetched) else plan


def clean_records(lines: Iterable[bytes], private: PrivateFields) -> list[bytes]:
    """Return records, each a line of JSON, without what is private; in place of one that cannot be read what stands for it.

    Raises:
        PermanentSourceError: one is none in which a field could be found.

    """
    cleaned = []
    for line in lines:
        try:
            is_unread = line.startswith(REJECT) and (list_entries(take_json(line)) or {}).keys() == _UNREAD
            cleaned.append(unread(_reason_of(line), NOT_SHOWN) if is_unread else private.clean(line))
        except NoFieldsError as error:
            raise PermanentSourceError(
                f"privacy: {error}; correct records_at, shape or names, so that records are objects"
            ) from None
        except ValueError:
            cleaned.append(unread("no JSON", NOT_SHOWN))
    return cleaned


def _reason_of(line: bytes) -> str:
    return str(msgspec.json.decode(line)["$reject"])


def find_unmet(source: PartedSource, landed: Sequence[Landed]) -> list[str]:
    """Return a sentence on each private field that was in no record of a source."""
    if not isinstance(source, Fetched) or source.privacy is None:
        return []
    met = {path for each in landed for path in each.fields_met}
    return tell_unmet(source.privacy, met, sum(each.rows for each in landed))


def tell_unmet(privacy: Privacy, met: Collection[str], rows: int) -> list[str]:
    """Return a sentence on each private field that was in none of so many records: one that is written otherwise is not private."""
    if not rows:
        return []
    return [
        f"privacy.{key}: {path!r} is in none of {count(rows, 'record')}, so that nothing of it was {done}; "
        "where it is written otherwise it is not private: correct it, and fetch again"
        for key, paths, done in (
            ("drop", privacy.drop, "dropped"),
            ("hash.fields", privacy.hashed, "hashed"),
            ("keep", privacy.keep or (), "kept"),
        )
        for path in paths
        if path not in met
    ]
