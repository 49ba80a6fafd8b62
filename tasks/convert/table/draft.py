"""A table as it is going to be: the files and parts that stay, those that are new, and the types that hold them all."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace

from tasks.config.columns import ColumnType
from tasks.convert.parts.part import Part
from tasks.convert.parts.sample import Samples
from tasks.convert.schema.expressions import find_types, sees_alike
from tasks.convert.schema.names import refuse_width
from tasks.convert.schema.spelling import Spelling
from tasks.convert.schema.types import TypeName, is_exact
from tasks.convert.staging.context import ConversionResult, ConvertedFile
from tasks.convert.table.job import TableJob, in_order
from tasks.convert.table.manifest import TableManifest, widen_all
from tasks.core.checksums import Checksum


@dataclass
class Draft:
    """What the next version of a table holds; `shrunk` are the parts of the current one that lose files, `samples` rows of new ones, `warnings` and `spellings` what its audit found."""

    job: TableJob
    files: dict[str, ConvertedFile]
    parts: dict[str, Part]
    shrunk: dict[str, Part] = field(default_factory=dict)
    types: dict[str, TypeName] = field(default_factory=dict)
    samples: Samples | None = None
    warnings: tuple[str, ...] = ()
    spellings: dict[str, Spelling] = field(default_factory=dict)
    checksums: Mapping[str, Checksum] = field(default_factory=dict)
    number: int = 0
    rejected: dict[str, set[str]] = field(default_factory=dict)
    """The parts of rejects, each with the files whose rejects it was made of: those of many small files share one."""

    @classmethod
    def begin(cls, job: TableJob, manifest: TableManifest, stays: Mapping[str, ConvertedFile]) -> Draft:
        """Return the draft of the files that stay."""
        parts, shrunk = {}, {}
        for name, part in manifest.parts.items():
            gone = part.rows.keys() - stays.keys()
            if len(gone) < len(part.rows):
                parts[name] = part.without(gone)
                if gone:
                    shrunk[name] = part
        draft = cls(job, dict(stays), parts, shrunk, checksums=manifest.checksums, number=manifest.number)
        draft._add_rejects(manifest.files.values())
        return draft

    def _add_rejects(self, files: Iterable[ConvertedFile]) -> None:
        for file in files:
            for name in file.rejects:
                self.rejected.setdefault(name, set()).add(file.name)

    def add(self, converted: Sequence[ConversionResult]) -> None:
        """Take in files that were converted, in the place of what the same files had before."""
        names = {file.name for unit in converted for file in unit.files}
        self.parts = {name: part for name, part in self.parts.items() if not part.rows.keys() <= names}
        for unit in converted:
            self.parts |= {part.name: part for part in unit.parts}
            self.files |= {file.name: file for file in unit.files}
            self._add_rejects(unit.files)

    def drop(self, names: AbstractSet[str]) -> None:
        """Leave out files, and their rows."""
        self.files = {name: file for name, file in self.files.items() if name not in names}
        for part in [part for part in self.parts.values() if part.rows.keys() & names]:
            rest = part.without(names)
            if rest.rows:
                self.shrunk.setdefault(part.name, part)
                self.parts[part.name] = rest
            else:
                del self.parts[part.name]

    def add_widened(self, converted: Sequence[ConversionResult], before: Mapping[str, Part]) -> None:
        """Take in files that were converted with the table's types; their own are those of their parts `before`."""
        own: dict[str, list[Part]] = {}
        for part in before.values():
            for file in part.rows:
                own.setdefault(file, []).append(part)
        kept = []
        for unit in converted:
            parts = []
            for part in unit.parts:
                found = {each.name: each for file in part.rows for each in own.get(file, ())}
                same = found.get(part.name)  # one of several of a file, which has its name again
                is_same = same is not None and same.rows.keys() == part.rows.keys()
                types = same.types if same is not None and is_same else widen_all(each.types for each in found.values())
                parts.append(replace(part, types=types))
            kept.append(replace(unit, parts=tuple(parts)))
        self.add(kept)

    def leave(self, part: Part, files: set[str]) -> Part:
        """Return a part without the files that are going to be read anew; a part of nothing else stays until they are."""
        rest = part.without(files)
        if files and rest.rows:
            self.shrunk.setdefault(part.name, part)
        return rest

    def choose_types(self, frozen: Mapping[str, TypeName] | None) -> None:
        """Choose the types of the table: those that hold the values of all of its parts, unless they are frozen.

        Raises:
            TableError: the parts together have too many different columns.

        """
        if frozen:
            self.types = dict(frozen)
            return
        parts = list(self._parts_in_order())
        own = widen_all(part.types for part in parts)
        types = {name: "string" if kind == "null" else kind for name, kind in own.items()}
        refuse_width(len(types), max((sum(part.rows.values()) for part in parts), default=0))
        explode = self.job.explode
        if (
            explode
            and self.job.has_elements(types)
            and all(part.types.get(explode, "null") == "null" for part in parts)
        ):
            types.pop(explode, None)
        for name, column in self.job.target.columns.items():
            if name in types and column.type is not None:
                types[name] = _declared_type(column.type, {part.types.get(name, "null") for part in parts})
        made = find_types(self.job.target.columns, types)
        long = {name for part in parts for name, kind in part.types.items() if kind == "long"}
        types |= {
            name: "long" if kind == "int" and name in long else kind for name, kind in made.items() if name in types
        }
        declared = {name: column for name, column in self.job.target.columns.items() if not column.drop}
        self.types = types or {name: column.type or "string" for name, column in declared.items()}

    def to_widen(self) -> Iterator[tuple[Part, bool]]:
        """Yield each part with other columns or types than the table, and whether its rows can be cast as they are."""
        wanted = list(self.types.items())
        for part in self.parts.values():
            if list(part.columns.items()) != wanted:
                nulls = part.nulls_in(self.types) - {*self.job.target.sort_by, *self.job.source.key}
                exact = not part.total or (
                    sees_alike(self.job.target.columns, part.columns, self.types)
                    and all(
                        name in self.types
                        and (name not in self.job.target.partition_by or kind == self.types[name])
                        and (name in nulls or is_exact(kind, self.types[name]))
                        for name, kind in part.columns.items()
                    )
                )
                yield part, exact

    def _parts_in_order(self) -> Iterator[Part]:
        by_file: dict[str, list[Part]] = {}
        for part in self.parts.values():
            by_file.setdefault(next(iter(part.rows)), []).append(part)
        for name in in_order(self.job, by_file):
            yield from by_file[name]


def _declared_type(declared: ColumnType, types: Collection[TypeName]) -> TypeName:
    """Return the type of a declared column, whatever its values are: only of what they are beside it do they tell."""
    if declared == "timestamp":  # with and without a zone: what fits one only is a reject
        return "timestamp_utc" if "timestamp_utc" in types else "timestamp"
    return "long" if declared == "int" and "long" in types else declared


def other_encodings(draft: Draft) -> dict[str, list[str]]:
    """Return the names of the files that are not in UTF-8, by their encodings."""
    found: dict[str, list[str]] = {}
    for file in draft.files.values():
        if file.encoding != "utf-8":
            found.setdefault(file.encoding, []).append(file.name)
    return found
