"""The mirror of a bucket on this machine: what a run reads and writes is a folder, and what counts is in the bucket.

A unit is fetched before it is written to, and committed after: its new files first, each
an object of its own, and last the snapshot that names them, which takes the place of the
one that was fetched or of none. What a killed run has made stays in the mirror, and is
committed by the next run here, unless the bucket has another snapshot by then.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import msgspec
from filelock import FileLock, Timeout

from tasks.core.bucket.files import KEPT, MirroredFiles
from tasks.core.bucket.snapshot import (
    OBJECTS,
    SNAPSHOTS,
    Entry,
    Files,
    Snapshot,
    Version,
    apply_changes,
    changes,
    find_conflicts,
    find_foreign,
    find_left,
    is_there,
    scan,
    snapshot_key,
)
from tasks.core.bucket.store import Store, Stored, SupersededError, Tag
from tasks.core.bucket.units import KINDS, Unit
from tasks.core.bucket.uses import Uses
from tasks.core.errors import ConflictError, StoreError
from tasks.core.story import tell

_ADDRESS = "address"
_ON_ITS_WAY = timedelta(days=1)
_ATTEMPTS = 20  # to commit what many writers add to

_read_version = msgspec.json.Decoder(Version)
_read_snapshot = msgspec.json.Decoder(Snapshot)


@dataclass(frozen=True)
class Mirror:
    """The mirror of a bucket in a folder."""

    root: Path
    store: Store

    @property
    def files(self) -> MirroredFiles:
        """Return its files."""
        return MirroredFiles(self.root, self.store)

    @classmethod
    def at(cls, root: Path) -> Mirror | None:
        """Return the mirror that a data folder is; None of one that is a folder and no more."""
        try:
            address = (root / KEPT / _ADDRESS).read_text(encoding="utf-8")
        except (FileNotFoundError, NotADirectoryError):
            return None
        return cls(root, Store.open(address))

    @classmethod
    def make(cls, root: Path, address: str) -> Mirror:
        """Return the mirror of a bucket in a folder, which is made."""
        mirror, place = cls(root, Store.open(address)), root / KEPT / _ADDRESS
        place.parent.mkdir(parents=True, exist_ok=True)
        if not place.is_file() or place.read_text(encoding="utf-8") != address:
            part = mirror.files.incoming()
            part.write_text(address, encoding="utf-8")
            part.replace(place)  # others may read it at this moment
        return mirror

    def fetch(self, unit: Unit) -> None:
        """Have a unit here as it is in the bucket, with what a killed run has made here of the same snapshot.

        Raises:
            StoreError: the bucket cannot be read, or an object is not what was written.

        """
        with self._moving(unit):
            self._fetch(unit)

    def fetch_unless_held(self, unit: Unit) -> None:
        """Fetch a unit, unless a run of this machine is writing to it, which has fetched it."""
        with self._free(unit) as is_free:
            if is_free:
                self.fetch(unit)

    def _fetch(self, unit: Unit) -> None:
        known = self._known(unit)
        found = self.store.read(snapshot_key(unit), Tag(known.e_tag, known.number))
        stored = known if found == "same" else Version() if found is None else self._version(unit, *found)
        if not stored.is_stored and not known.is_stored:
            return
        local = scan(self.root, unit, known)
        if known.snapshot.files and not local:
            tell(
                f"{self.store.address}/{unit}: nothing of it was left on this machine, and it is fetched again; to begin it "
                f"anew, remove {snapshot_key(unit)} from the bucket"
            )
        made = {name: entry for name, entry in changes(known.snapshot.files, local).items() if entry is not None}
        theirs = changes(known.snapshot.files, stored.snapshot.files)
        conflicts = set(made) if not stored.is_stored else find_conflicts(unit, made, theirs)
        made = {name: entry for name, entry in made.items() if name not in conflicts}
        self._settle(unit, known, local, stored, apply_changes(stored.snapshot.files, made))

    def commit(self, unit: Unit, *, removals: bool = False) -> bool:
        """Commit what has changed of a unit here; return whether anything has.

        With `removals` also what is gone: of a unit that was fetched, and held since. Else
        what is gone was lost, as by who empties a cache, and comes back.

        Raises:
            ConflictError: another writer has committed the same meanwhile; here it is as that one left it.
            StoreError: the bucket cannot be written.

        """
        with self._moving(unit):
            known = self._known(unit)
            local = scan(self.root, unit, known)
            found = changes(known.snapshot.files, local)
            found = found if removals else {name: entry for name, entry in found.items() if entry is not None}
            if not found:
                return False
            self._prove()
            mine = self.files.upload(unit, found, known.snapshot.files)
            committed, lost = self._commit(unit, known, mine)
            self._settle(unit, known, local, committed, committed.snapshot.files)
            if lost:
                raise ConflictError(
                    f"{self.store.address}/{unit}: {committed.snapshot.host if not unit.is_merged else 'another run'} has "
                    f"committed {lost[0]} while this run worked, and that stands; run again, and let one run at a time write to it"
                )
        return True

    def _settle(self, unit: Unit, known: Version, local: Files, stored: Version, target: Files) -> None:
        """Have the files here that are to be, with those that are left for who reads them, and keep which they are."""
        left = find_left(unit, known.left, local, target)
        self.files.become(unit, {**known.left, **local}, {**left, **target})
        self._keep(unit, dataclasses.replace(stored, left=left))

    def _commit(self, unit: Unit, known: Version, mine: dict[str, Entry | None]) -> tuple[Version, Sequence[str]]:
        """Return the snapshot that stands, and what of the changes here had to give way to those of another writer."""
        base, key, lost = known, snapshot_key(unit), list[str]()
        for _ in range(_ATTEMPTS):
            files = apply_changes(base.snapshot.files, mine)
            if base is not known and not changes(base.snapshot.files, files):
                return base, lost
            made = Snapshot(files)
            try:
                tag = self.store.replace(key, msgspec.json.encode(made), Tag(base.e_tag, base.number))
            except SupersededError:
                found = self.store.read(key)
                assert found != "same", "no version was told"
                base = Version() if found is None else self._version(unit, *found)
                if base.snapshot.commit == made.commit:  # written, and the answer was lost
                    return base, lost
                theirs = changes(known.snapshot.files, base.snapshot.files)
                conflicts = find_conflicts(unit, mine, theirs)
                lost += sorted(conflicts - set(lost))
                mine = {name: entry for name, entry in mine.items() if name not in conflicts}
            else:
                return Version(made, tag.e_tag, tag.number), lost
        raise ConflictError(f"{self.store.address}/{unit}: others commit to it all the time; run again")

    def commit_all(self, units: Iterable[Unit]) -> None:
        """Commit what has changed of units here, but for those that a run is writing to, which commits them itself.

        Raises:
            StoreError: of one of them, once all were tried.

        """
        failed: list[StoreError] = []
        for unit in units:
            with self._free(unit) as is_free:
                try:
                    if is_free:
                        self.commit(unit)
                except StoreError as error:
                    failed.append(error)
        if failed:
            raise failed[0]

    def trim(self, most_bytes: int) -> None:
        """Remove from here what was fetched or committed longest ago, until no more is left than may be; what a process uses that lives, or is not committed, stays."""
        known = sorted(self.list_known(), key=lambda unit: self._version_path(unit).stat().st_mtime)
        sizes = {unit: sum(entry.size for entry in self._known(unit).snapshot.files.values()) for unit in known}
        total = sum(sizes.values())
        for unit in known:
            if total <= most_bytes:
                return
            if self._forget(unit):
                total -= sizes[unit]

    def _forget(self, unit: Unit) -> bool:
        """Remove a unit from here, unless somebody uses it, or it has what is not committed; return whether it is gone.

        It is looked who uses it while nobody can fetch it: who begins to later fetches it again.
        """
        with self._free(unit) as is_free, self._moving(unit):
            known = self._known(unit)
            if (
                not is_free
                or str(unit) in Uses(self.root).read()
                or changes(known.snapshot.files, scan(self.root, unit, known))
            ):
                return False
            self._version_path(unit).unlink(missing_ok=True)  # first, so that what is gone is no change
            for name in known.left | known.snapshot.files:
                self.files.remove(unit, name)
        return True

    def list_known(self) -> list[Unit]:
        """Return the units that were fetched or committed here."""
        return [Unit(path.parent.name, path.stem) for path in sorted((self.root / KEPT).glob("*/*.json"))]

    def is_here(self, unit: Unit) -> bool:
        """Return whether anything of a unit is here."""
        return is_there(self.root, unit)

    def take_over(self, units: Iterable[Unit]) -> None:
        """Have the bucket lose what was removed here of units that were fetched before, unless a run has them by now, or another has committed them."""
        for unit in units:
            with self._free(unit) as is_free, suppress(ConflictError):
                if is_free and self._known(unit).is_stored:
                    self.commit(unit, removals=True)

    def list_unnamed(self, before: datetime) -> list[Stored]:
        """Return the objects that no snapshot names, written before a moment: of commits that were superseded, or never ended.

        What was written within a day may be named by a snapshot that is on its way.
        """
        moment = min(before, datetime.now(UTC) - _ON_ITS_WAY)
        objects = [each for each in self.store.list(OBJECTS) if each.written_at < moment]
        named = {entry.key for unit in self.list_stored() for entry in self._stored(unit).files.values()}
        return [each for each in objects if each.key not in named]

    def _stored(self, unit: Unit) -> Snapshot:
        found = self.store.read(snapshot_key(unit))
        return self._version(unit, *found).snapshot if found and found != "same" else Snapshot()

    def read_stored(self, unit: Unit, name: str) -> bytes | None:
        """Return the bytes of a file of a unit as it is in the bucket, of which nothing is fetched; None where it is not there."""
        entry = self._stored(unit).files.get(name)
        found = self.store.read(entry.key) if entry is not None else None
        return found[0] if found and found != "same" else None

    def list_stored(self, *kinds: str) -> list[Unit]:
        """Return the units of which the bucket has a snapshot, of these kinds, or of all."""
        found = [(kind, each.key) for kind in kinds or KINDS for each in self.store.list(f"{SNAPSHOTS}/{kind}")]
        return sorted(Unit(kind, key.removesuffix(".json").split("/", 2)[2]) for kind, key in found)

    def _prove(self) -> None:
        """See once that the store keeps conditional puts: else of two writers both would win, and one's work be lost."""
        proven = self.root / KEPT / "proven"
        if not proven.exists():
            self.store.prove_conditions(f"{SNAPSHOTS}/.proof-{uuid4().hex}")
            proven.touch()

    def _version(self, unit: Unit, data: bytes, tag: Tag) -> Version:
        place, cure = (
            f"{self.store.address}/{snapshot_key(unit)}",
            f"put it back from a copy, or remove it to begin {unit} anew",
        )
        try:
            snapshot = _read_snapshot.decode(data)
        except msgspec.DecodeError as error:
            raise StoreError(f"{place}: is no snapshot ({error}); {cure}") from error
        if (foreign := find_foreign(unit, snapshot.files)) is not None:
            raise StoreError(f"{place}: names {foreign!r}, which is none of {unit}; {cure}")
        return Version(snapshot, tag.e_tag, tag.number)

    def _known(self, unit: Unit) -> Version:
        """Return the snapshot that was fetched or committed here last."""
        try:
            return _read_version.decode(self._version_path(unit).read_bytes())
        except (FileNotFoundError, msgspec.DecodeError):
            return Version()

    def _keep(self, unit: Unit, version: Version) -> None:
        path, part = self._version_path(unit), self.files.incoming()
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(msgspec.json.encode(version))
        part.replace(path)

    def _version_path(self, unit: Unit) -> Path:
        return self.root / KEPT / unit.kind / f"{unit.name}.json"

    @contextmanager
    def _moving(self, unit: Unit) -> Iterator[None]:
        """Hold a unit while its files are fetched or committed."""
        path = self._version_path(unit)
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_suffix(".lock"), thread_local=False):
            yield

    @contextmanager
    def _free(self, unit: Unit) -> Iterator[bool]:
        """Hold a unit as a run does that writes to it; yield whether no run had it."""
        path = self.root / unit.lock if unit.lock else None
        if path is None or not path.exists():  # no run has ever held it here
            yield True
            return
        lock = FileLock(path, thread_local=False)
        try:
            lock.acquire(blocking=False)
        except Timeout:
            yield False
            return
        try:
            yield True
        finally:
            lock.release()


def number_after(last: int, folder: Path) -> int:
    """Return the number of what comes next in a folder of a unit, after another; in a mirror one that no other machine gives."""
    return max(last + 1, time.time_ns()) if (folder.parents[1] / KEPT).is_dir() else last + 1
