"""The JSON Schema of a pipeline file, for editors: with the short forms that a file may have and the models do not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args

from pydantic import ByteSize
from pydantic.fields import FieldInfo

from tasks.config.base import MODELS, BodyPath
from tasks.config.checks import Columns
from tasks.config.columns import ColumnType
from tasks.config.pipeline import Pipeline

Schema = dict[str, Any]

_TEXT: Schema = {"type": "string"}
_VARIABLE = r"\$\{"
_WRITTEN = {
    "integer": r"^\s*[+-]?[0-9]",
    "number": r"^\s*[+-]?[0-9.]",
    "boolean": r"^([Tt]rue|[Ff]alse|[Yy]es|[Nn]o|[Oo]n|[Oo]ff|[01yYnNtTfF])$",
}
"""Texts that are taken for values of these types."""
_DURATION = r"^\s*[0-9]+(\.[0-9]+)?\s*[smhdw]\s*$|^P"
_BYTES: Schema = {"type": "string", "pattern": rf"^\s*[0-9.]+\s*[A-Za-z]*\s*$|{_VARIABLE}"}
_SAID: tuple[str, ...] = ("description", "default", "title")
_COLUMN: Schema = {"enum": list(get_args(ColumnType))}
_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_BODY_PATH = get_args(BodyPath)[-1]
_ONE_OR_MANY = get_args(Columns)[-1]


def editor_schema() -> Schema:
    """Return the schema of what a pipeline file may say, kinds of extensions that were added among it."""
    schema = Pipeline.model_json_schema()
    models = schema["$defs"]
    for name in ("ApiSource", "ElementsTable", "FilesSource", "SqlSource"):
        _allow(models[name]["properties"]["columns"]["additionalProperties"], _COLUMN)
    _allow(models["PagesSource"]["properties"]["columns"]["additionalProperties"], _TEXT)
    for name, key in (*(("PagesSource", key) for key in ("start", "sitemap", "feed")), ("FilesSource", "path")):
        _allow(models[name]["properties"][key], _TEXT)
    models["PagesColumn"]["anyOf"] = [{"required": [key]} for key in ("select", "expression", "type")]
    del models["PagesColumn"]["required"]
    targets = schema["properties"]["export"]
    for each in targets["patternProperties"].values():
        one = dict(each["items"])
        _allow(each["items"], _TEXT)
        _allow(each, {"anyOf": [one, _TEXT]})
    for model in MODELS:
        for key, field in model.model_fields.items():
            for own in _properties_of(model.__name__, models):
                if key in own and (other := _short_form(field)):
                    _allow(own[key], other)
    for part in list(_parts(schema)):
        _require_kind(part, models)
        _open(part)
    return {"$schema": _DIALECT, "title": "A pipeline of Tidemill", **_untitled(schema)}


def _allow(schema: Schema, other: Schema) -> None:
    """Have a schema take another value as well; what is said of it stays."""
    kept = {key: schema.pop(key) for key in _SAID if key in schema}
    own = dict(schema)
    schema.clear()
    schema.update(kept, anyOf=[own, dict(other)])


def _properties_of(name: str, models: Schema) -> Iterator[Schema]:
    """Yield the properties of the models of a name, which stands behind that of the module where several share it."""
    for full, model in models.items():
        if full == name or full.endswith(f"__{name}"):
            yield model.get("properties", {})


def _short_form(field: FieldInfo) -> Schema | None:
    """Return what a file may write for values of a type: the place in a list for a path, 64MiB for bytes."""
    inner = [each for part in get_args(field.annotation) for each in get_args(part)]
    if any(each is _BODY_PATH for each in (*field.metadata, *inner)):
        return {"type": "integer"}
    if field.annotation is ByteSize:
        return _BYTES
    return _TEXT if any(each is _ONE_OR_MANY for each in field.metadata) else None


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


def _require_kind(schema: Schema, models: Schema) -> None:
    """Have each of several kinds need the key that says which it is: it has a default, and no value without it is taken."""
    union = schema.get("discriminator")
    if isinstance(union, dict) and isinstance(union.get("mapping"), dict):
        for reference in union["mapping"].values():
            model = models[reference.rpartition("/")[2]]
            model["required"] = [*dict.fromkeys([*model.get("required", []), union["propertyName"]])]


def _open(schema: Schema) -> None:
    """Have a schema take what a file writes for its value: 24h for a duration, ${NAME} for what is no text."""
    if "patternProperties" in schema:
        schema.setdefault("additionalProperties", False)
    kind = schema.get("type")
    if schema.get("format") == "duration":
        del schema["format"]
        schema["pattern"] = f"{_DURATION}|{_VARIABLE}"
    elif isinstance(kind, str) and kind in _WRITTEN:
        _allow(schema, {"type": "string", "pattern": f"{_WRITTEN[kind]}|{_VARIABLE}"})
    elif isinstance(schema.get("enum"), list) or (kind == "string" and isinstance(schema.get("pattern"), str)):
        _allow(schema, {"type": "string", "pattern": _VARIABLE})


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
