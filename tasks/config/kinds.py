"""Kinds of a part of the pipeline file: one key says which, and each has its own further keys."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from tasks.config.base import MODELS, ConfigModel
from tasks.core.errors import ConfigError
from tasks.core.registry import Registry, add_extension


class Kinds(Registry[type[ConfigModel]]):
    """The models of one part of the pipeline file, told apart by their key `kind`, or by what `tag` returns of one.

    `Annotated[Base, KINDS]` is the type of a field that takes any of them.
    """

    def __init__(
        self, group: str, base: str, own: Mapping[str, str], *, tag: str | Callable[[Any], str | None] = "kind"
    ) -> None:
        super().__init__(group, base, own)
        self._tag = tag

    def __get_pydantic_core_schema__(self, _source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Return the schema of a union of all that are known now."""
        choices = {name: handler.generate_schema(model) for name, model in self.kinds.items()}
        return core_schema.tagged_union_schema(choices, discriminator=self._tag)


def add_extensions(paths: Iterable[str]) -> None:
    """Add kinds by their paths `module:Class`; models that may hold one know them from then on.

    Raises:
        ConfigError: paths lead to nothing, or to what is a kind of nothing; there is one line for each.

    """
    added: dict[str, bool] = {}
    mistakes: list[str] = []
    for path in paths:
        if path not in _added:
            try:
                added[path] = isinstance(add_extension(path), Kinds)
            except ConfigError as error:
                mistakes += error.mistakes
    if any(added.values()):
        for model in MODELS:
            model.model_rebuild(force=True)
    _added.update(added)
    if mistakes:
        raise ConfigError(mistakes)


_added: set[str] = set()


def check_added(paths: Iterable[str]) -> None:
    """Raise ValueError unless kinds are added already: a path is an import, which a form of the UI may not ask for."""
    if missing := [path for path in paths if path not in _added]:
        raise ValueError(
            f"{missing[0]!r} is added from a pipeline file on disk alone; give the path of the file, "
            "or make it an entry point of a package and leave it out here"
        )
