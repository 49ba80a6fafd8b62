"""Formats of files: what is said of every kind, and the registry of kinds, by the words of `read.format` and by endings."""

from __future__ import annotations

import re
from abc import ABC
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticKnownError

from tasks.core.errors import ConfigError
from tasks.core.registry import Registry

_SUFFIX = re.compile(r"\.[a-z0-9]+")


class Format:
    """A format of files: a kind is a class derived from it, and an object of that reads one file."""

    name: ClassVar[str]
    """The word of `read.format`."""
    suffixes: ClassVar[tuple[str, ...]]
    """Endings of its files, in lower case; it is called by the first."""
    keys: ClassVar[frozenset[str]] = frozenset()
    """Keys of `read` that say something of its files, beside format and member."""

    def __init_subclass__(cls, **keys: Any) -> None:
        super().__init_subclass__(**keys)
        if ABC not in cls.__bases__:
            _refuse_half(cls)


def _refuse_half(kind: type[Format]) -> None:
    """Raise TypeError of a kind that lacks a part: it would fail in a run."""
    for key in ("name", "suffixes"):
        if not hasattr(kind, key):
            raise TypeError(f"{kind.__name__} has no {key}; add it")
    for suffix in kind.suffixes:
        if not _SUFFIX.fullmatch(suffix):
            raise TypeError(f"{kind.__name__} has the ending {suffix!r}; write a dot and small letters, e.g. .log")
    if not kind.suffixes:
        raise TypeError(f"{kind.__name__} has no suffixes; add one, e.g. .{kind.name}")
    parts = {name: getattr(kind, name, None) for name in dir(kind)}
    if missing := ", ".join(name for name, part in parts.items() if getattr(part, "__isabstractmethod__", False)):
        raise TypeError(f"{kind.__name__} has no {missing}; add it")


class Formats(Registry[type[Format]]):
    """The formats that are known, by their names, endings and keys of `read`."""

    def refuse(self, known: Mapping[str, type[Format]], kind: type[Format]) -> None:
        """Raise ConfigError where another format has an ending of this one."""
        endings = _by_suffix(tuple(known.values()))
        for suffix in kind.suffixes:
            if (other := endings.get(suffix, kind)).name != kind.name:
                raise ConfigError(f"{suffix} is an ending of {other.name} already; give {kind.name} others")

    @property
    def by_suffix(self) -> Mapping[str, type[Format]]:
        """Return the format of each ending."""
        return _by_suffix(tuple(self.kinds.values()))

    @property
    def called(self) -> tuple[str, ...]:
        """Return the ending that each format is called by."""
        return tuple(kind.suffixes[0] for kind in self.kinds.values())

    def names_with(self, key: str) -> list[str]:
        """Return the names of the formats that a key of `read` says something of."""
        return [name for name, kind in self.kinds.items() if key in kind.keys]


@lru_cache(maxsize=8)  # asked for each file that is listed
def _by_suffix(kinds: tuple[type[Format], ...]) -> Mapping[str, type[Format]]:
    return {suffix: kind for kind in kinds for suffix in kind.suffixes}


_FORMATS = "tasks.convert.formats"

FORMATS = Formats(
    "tidemill.formats",
    f"{_FORMATS}.format:FileFormat",
    {
        "csv": f"{_FORMATS}.csv.format:Csv",
        "tsv": f"{_FORMATS}.csv.format:Tsv",
        "jsonl": f"{_FORMATS}.json.jsonl:Jsonl",
        "json": f"{_FORMATS}.json.document:Json",
        "parquet": f"{_FORMATS}.parquet:Parquet",
        "arrow": f"{_FORMATS}.arrow:Arrow",
        "excel": f"{_FORMATS}.excel.format:Excel",
    },
)


def _is_known(value: Any) -> Any:
    if not isinstance(value, str) or value not in FORMATS.kinds:
        raise PydanticKnownError("literal_error", {"expected": _either(FORMATS.kinds)})
    return value


def _either(names: Iterable[str]) -> str:
    return ", ".join(map(repr, names))


class _OfKnown:
    """Lists the formats in the JSON schema, as they are known when that is asked for."""

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {**handler(schema), "enum": list(FORMATS.kinds)}


FormatName = Annotated[str, BeforeValidator(_is_known), _OfKnown()]
"""The name of a format that is known when a pipeline file is read."""
