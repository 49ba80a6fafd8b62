"""Registries: the kinds there are of one thing, by name; Tidemill's own, and those of extensions.

An extension comes as an entry point of an installed package (group `tidemill.paginators`,
…), or by a path `module:Class` that a pipeline file names under `extensions:`.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from functools import cached_property, lru_cache
from importlib import import_module
from importlib.metadata import EntryPoints, entry_points
from typing import Any, Generic, TypeVar, cast

from tasks.core.errors import ConfigError
from tasks.core.suggestions import did_you_mean

Kind = TypeVar("Kind")

REGISTRIES: list[Registry[Any]] = []
"""Every registry there is, in the order in which they were made."""


class Registry(Generic[Kind]):
    """The kinds of one thing, by the names that a pipeline file calls them.

    A kind is a class derived from `base`, or an object of it. Those of Tidemill's own are given
    as paths, and imported when they are first wanted: a folder registers what lies above it.
    """

    def __init__(self, group: str, base: str, own: Mapping[str, str]) -> None:
        self.group = group
        self._base = base
        self._own = own
        self._paths: dict[str, str] = {}
        REGISTRIES.append(self)

    @cached_property
    def base(self) -> type:
        """Return what every kind is derived from, or an object of."""
        base: type = import_path(self._base)
        return base

    @cached_property
    def kinds(self) -> dict[str, Kind]:
        """Return every kind by its name."""
        kinds: dict[str, Kind] = {}
        for name, path in self._own.items():
            kinds[name] = import_path(path)
            if (called := _name_of(path, kinds[name])) != name:
                raise ConfigError(f"{path}: is called {called!r}; register it so, not as {name!r}")
        for point in _installed(tuple(sys.path)).select(group=self.group):
            found = import_path(point.value)
            if not self.is_base_of(found):
                raise ConfigError(f"{point.value}: is none of {self.group}; derive it from {self._base}")
            if (name := _name_of(point.value, found)) != point.name:
                raise ConfigError(f"{point.value}: is called {name!r}; call its entry point so, not {point.name!r}")
            if name in kinds:
                raise ConfigError(f"{point.value}: {self.group} has a {name!r} already; call it otherwise")
            self.refuse(kinds, found)
            kinds[name] = found
        return kinds

    def is_base_of(self, kind: Any) -> bool:
        """Return whether something is a kind of this registry."""
        return issubclass(kind, self.base) if isinstance(kind, type) else isinstance(kind, self.base)

    def refuse(self, known: Mapping[str, Kind], kind: Kind) -> None:
        """Raise ConfigError where a kind of an extension cannot stand beside those that are known; a name of its own it has."""

    def outside(self) -> dict[str, str]:
        """Return the path of each kind of an extension, by name; none is imported."""
        installed = _installed(tuple(sys.path)).select(group=self.group)
        return {point.name: point.value for point in installed} | self._paths

    def add(self, name: str, kind: Kind, path: str) -> None:
        """Add a kind, which its path leads to; one that is there already under its name stays.

        Raises:
            ConfigError: another one has this name.

        """
        self.refuse(self.kinds, kind)
        known = self.kinds.setdefault(name, kind)
        if known is not kind and repr(known) != repr(kind):
            raise ConfigError(f"{name!r} is the name of another kind of {self.group} already; call yours otherwise")
        self._paths[name] = path

    def get(self, name: str) -> Kind:
        """Return the kind of a name.

        Raises:
            ConfigError: there is none; the nearest name, or all of them, are told.

        """
        if name not in self.kinds:
            cure = did_you_mean(name, self.kinds, f"known are {', '.join(sorted(self.kinds))}")
            raise ConfigError(f"{name!r} is not one of {self.group.removeprefix('tidemill.')}; {cure}")
        return self.kinds[name]


@lru_cache(maxsize=1)
def _installed(_path: tuple[str, ...]) -> EntryPoints:
    """Return the entry points of all packages on a path; to look for them takes 5 ms, for each registry."""
    return cast("EntryPoints", entry_points())  # of Python 3.11 a mapping, which selects as well


def import_path(path: str) -> Any:
    """Return what a path `module:name` leads to.

    Raises:
        ConfigError: it leads to nothing.

    """
    module, _, attribute = path.partition(":")
    if not (module and attribute):
        raise ConfigError(f"{path!r} is no path of a class; write module:Class")
    try:
        imported = import_module(module)
    except ImportError as error:
        raise ConfigError(f"{path}: cannot be imported ({error}); install its package, or correct the path") from error
    except Exception as error:
        said = " ".join(f"{type(error).__name__}: {error}".split())
        raise ConfigError(f"{path}: cannot be imported ({said}); mend the module") from error
    try:
        return getattr(imported, attribute)
    except AttributeError:
        if getattr(imported.__spec__, "_initializing", False):
            cure = "is imported before tasks.config is; import tasks.config first"
        else:
            cure = f"has no {attribute}; correct the path"
        raise ConfigError(f"{path}: the module {module} {cure}") from None


def add_extension(path: str) -> Registry[Any]:
    """Add the kind that a path `module:Class` leads to, and return the registry that it belongs to.

    Raises:
        ConfigError: the path leads to nothing, or to what is a kind of nothing.

    """
    found = import_path(path)
    for registry in REGISTRIES:
        if registry.is_base_of(found):
            registry.add(_name_of(path, found), found, path)
            return registry
    bases = ", ".join(registry._base.replace(":", ".") for registry in REGISTRIES)  # noqa: SLF001 - its own class's
    raise ConfigError(f"{path}: is no extension; derive it from one of {bases}")


def _name_of(path: str, kind: Any) -> str:
    """Return what a pipeline file calls a kind: the default of a model's field `kind`, or an attribute `name`.

    Raises:
        ConfigError: it is abstract still, or has none.

    """
    if missing := ", ".join(sorted(getattr(kind, "__abstractmethods__", ()))):
        raise ConfigError(f"{path}: has no {missing}; add it")
    fields = getattr(kind, "model_fields", {})
    name = fields["kind"].default if "kind" in fields else getattr(kind, "name", None)
    if not isinstance(name, str):
        raise ConfigError(f'{path}: has no name; add kind: Literal["NAME"] = "NAME", or name = "NAME"')
    return name
