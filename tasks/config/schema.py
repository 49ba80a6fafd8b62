"""The JSON Schema of a pipeline file, for editors: with the short forms that a file may have and the models do not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args

from pydantic import ByteSize
from pydantic.fields import FieldInfo

from tasks.config.base import MODELS, BodyPath
from tasks.config.checks import CHECKS
from tasks.config.columns import ColumnType
from tasks.config.pipeline import Pipeline

Schema = dict[str, Any]

_TEXT: Schema = {"type": "string"}
_VARIABLE: Schema = {"type": "string", "pattern": r"\$\{"}
_SAID: tuple[str, ...] = ("description", "default", "title")
_SCALARS = ("integer", "number", "boolean")
_COLUMN: Schema = {"enum": list(get_args(ColumnType))}
_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_BODY_PATH = get_args(BodyPath)[-1]


def editor_schema() -> Schema:
    """Return the schema of what a pipeline file may say, kinds of extensions that were added among it."""
    schema = Pipeline.model_json_schema()
    models = schema["$defs"]
    for name in ("ApiSource", "FilesSource"):
        _allow(models[name]["properties"]["columns"]["additionalProperties"], _COLUMN)
    _allow(models["PagesSource"]["properties"]["columns"]["additionalProperties"], _TEXT)
    for name, key in (("PagesSource", "start"), ("FilesSource", "path"), *_columns_of_checks()):
        _allow(models[name]["properties"][key], _TEXT)
    for model in MODELS:
        for key, field in model.model_fields.items():
            if model.__name__ in models and (other := _short_form(field)):
                _allow(models[model.__name__]["properties"][key], other)
    for part in list(_parts(schema)):
        _open(part)
    return {"$schema": _DIALECT, "title": "A pipeline of Tidemill", **_untitled(schema)}


def _allow(schema: Schema, other: Schema) -> None:
    """Have a schema take another value as well; what is said of it stays."""
    kept = {key: schema.pop(key) for key in _SAID if key in schema}
    own = dict(schema)
    schema.clear()
    schema.update(kept, anyOf=[own, dict(other)])


def _columns_of_checks() -> Iterator[tuple[str, str]]:
    """Yield the keys of checks that name columns, or one, by their models."""
    for model in CHECKS.kinds.values():
        for key, field in model.model_fields.items():
            if getattr(field.annotation, "__origin__", None) is tuple:
                yield model.__name__, key


def _short_form(field: FieldInfo) -> Schema | None:
    """Return what a file may write for values of a type: the place in a list for a path, 64MiB for bytes."""
    inner = [each for part in get_args(field.annotation) for each in get_args(part)]
    if any(each is _BODY_PATH for each in (*field.metadata, *inner)):
        return {"type": "integer"}
    return _TEXT if field.annotation is ByteSize else None


def _parts(schema: Any) -> Iterator[Schema]:
    """Yield every mapping of a schema, those of the values it has as defaults left out."""
    if isinstance(schema, dict):
        yield schema
        for key, inner in schema.items():
            if key not in ("default", "const", "enum"):
                yield from _parts(inner)
    elif isinstance(schema, list):
        for inner in schema:
            yield from _parts(inner)


def _open(schema: Schema) -> None:
    """Have a schema take what a file writes for its value: 24h for a duration, ${NAME} for what is no text."""
    if schema.get("format") == "duration":
        del schema["format"]
    if schema.get("type") in _SCALARS:
        _allow(schema, _VARIABLE)


def _untitled(schema: Any) -> Any:
    """Return a schema without the titles that pydantic makes of the names of keys."""
    if isinstance(schema, list):
        return [_untitled(inner) for inner in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: _untitled(inner)
        for key, inner in schema.items()
        if not (
            key == "title" and isinstance(inner, str) and ("type" in schema or "$ref" in schema or "anyOf" in schema)
        )
    }
