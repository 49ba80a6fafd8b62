"""Privacy: fields that are dropped, hashed, or the only ones kept, before anything of a source is written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from tasks.config.auth import SecretReference
from tasks.config.base import BodyPath, ConfigModel
from tasks.core.body_paths import list_steps, write_name
from tasks.core.private_fields import PrivateFields

Fate = Literal["kept", "dropped", "hashed", "not kept"]


def _check_path(path: str) -> str:
    if not all(name for name, _ in list_steps(path)):
        raise ValueError(f"{path!r:.80} has an empty name; write one like customer.phone")
    return path


FieldPath = Annotated[BodyPath, AfterValidator(_check_path)]
"""Path to a field of a record, which goes into objects, and into each element of a list."""


class HashedFields(ConfigModel):
    """Fields of which the hash of each value is kept, so that the same values are the same still."""

    fields: Annotated[tuple[FieldPath, ...], Field(min_length=1)]
    """Paths to the fields in a record, e.g. [customer.id, items.buyer]; of a list each element is hashed, null stays null."""
    secret: SecretReference
    """Where the secret is held that the hashes are made with, of 16 characters or more: {env: NAME} or {secret_block: name}; sources with the same one have the same hashes."""


class Privacy(ConfigModel):
    """What of a source's records is private: it stands in no file, log or message."""

    drop: tuple[FieldPath, ...] = ()
    """Paths to fields that are left out, e.g. [email, customer.phone]; a path goes through a list into each element. A field that no record has is told."""
    hash: HashedFields | None = None
    """Fields of which HMAC-SHA256 in hex is kept in place of the value."""
    keep: tuple[FieldPath, ...] | None = Field(default=None, min_length=1)
    """Paths to the only fields that are kept, beside those that are hashed: what a source adds later is left out, too."""

    @model_validator(mode="after")
    def _names_each_field_once(self) -> Self:
        if not (self.drop or self.hash or self.keep):
            raise ValueError("names no field; write drop, hash or keep, or take privacy out")
        named = [*(("drop", path) for path in self.drop), *(("hash.fields", path) for path in self.hashed)]
        for place, (key, path) in enumerate(named):
            for other_key, other in named[:place]:
                if _holds(path, other) or _holds(other, path):
                    raise ValueError(f"{key} has {path!r}, and {other_key} has {other!r}: take one of them out")
        for path in self.drop:
            if inner := next((kept for kept in self.keep or () if _holds(path, kept)), None):
                raise ValueError(f"keep has {inner!r}, and drop has {path!r}: take one of them out")
        return self

    @property
    def hashed(self) -> tuple[str, ...]:
        """Return the paths of the fields that are hashed."""
        return self.hash.fields if self.hash is not None else ()

    @property
    def paths(self) -> tuple[str, ...]:
        """Return the paths of all fields that are named."""
        return (*self.drop, *self.hashed, *(self.keep or ()))

    def fate(self, path: str) -> Fate:
        """Return what becomes of what stands at a path in a record."""
        if any(_holds(each, path) for each in self.drop):
            return "dropped"
        if any(_holds(each, path) for each in self.hashed):
            return "hashed"
        is_kept = self.keep is None or any(
            _holds(each, path) or _holds(path, each) for each in (*self.keep, *self.hashed)
        )
        return "kept" if is_kept else "not kept"

    def fields(self, key: bytes, beside: Iterable[str]) -> PrivateFields:
        """Return the fields as they are taken out of records, those that are hashed by a key; those `beside` are kept."""
        keep = None if self.keep is None else (*self.keep, *map(write_name, beside))
        return PrivateFields(self.drop, self.hashed, keep, key)


def find_needed(privacy: Privacy, needed: Sequence[tuple[str, str, bool]]) -> Iterator[str]:
    """Yield a sentence for each field that something needs which would not be there: its key, the field, and whether a hash will do."""
    for key, path, may_be_hashed in needed:
        fate = privacy.fate(path)
        if fate == "kept" or (fate == "hashed" and may_be_hashed):
            continue
        how = "privacy.keep has it not" if fate == "not kept" else f"by privacy it is {fate}"
        cure = (
            "add it to privacy.keep" if fate == "not kept" else "hash it" if may_be_hashed else "take it out of privacy"
        )
        yield f"{key} needs {path!r}, and {how}; {cure}, or take it out of {key}"


def _holds(path: str, other: str) -> bool:
    """Return whether what stands at a path is at another, or in what stands there."""
    names, others = ([name for name, _ in list_steps(each)] for each in (path, other))
    return others[: len(names)] == names
