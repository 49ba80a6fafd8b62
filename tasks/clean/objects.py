"""The bucket of a data folder: what was removed here is removed there, and so are objects that no snapshot names any more."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from tasks.clean.item import Item, Place, remove
from tasks.clean.survey import Line
from tasks.core.bucket.mirror import Mirror
from tasks.core.bucket.opened import mirror_of
from tasks.core.bucket.store import Stored
from tasks.core.storage import DataFolder

_YOUNG = "a commit on its way may name it"


@dataclass(frozen=True)
class Objects:
    """What no snapshot of a bucket names, written before a moment; nothing of a data folder that is in none."""

    mirror: Mirror | None
    unnamed: tuple[Stored, ...] = ()

    @classmethod
    def find(cls, folder: DataFolder, before: datetime) -> Objects:
        """Return them, once what is here of the bucket is as it is there."""
        mirror = mirror_of(folder.root)
        if mirror is None:
            return cls(None)
        for unit in mirror.list_known():
            mirror.fetch_unless_held(unit)
        return cls(mirror, tuple(mirror.list_unnamed(before)))

    @property
    def lines(self) -> list[Line]:
        """Return what there is as lines of the table."""
        if self.mirror is None:
            return []
        size = sum(each.size for each in self.unnamed)
        return [Line("objects that no snapshot names", len(self.unnamed), size, 0, 0, _YOUNG)]

    def remove(self, places: Iterable[Place]) -> list[Item]:
        """Remove what nothing keeps of these places, here and in the bucket, and these objects; return what went here."""
        if self.mirror is None:
            return remove(places)
        there = [unit for unit in self.mirror.list_known() if self.mirror.is_here(unit)]
        removed = remove(places)
        self.mirror.take_over(there)
        self.mirror.store.delete(each.key for each in self.unnamed)
        return removed
