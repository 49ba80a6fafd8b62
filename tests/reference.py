"""The reference of the pipeline file, made from its models and the examples: `python -m tests.reference` writes docs/pipeline.md."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from tasks.config import Pipeline
from tasks.config.load import _read_yaml
from tests.documented import DOCS

PAGE = DOCS / "pipeline.md"
EXAMPLES = sorted((DOCS / "examples").glob("*.yaml"))

_HEAD = """# The pipeline file

Every key of a pipeline file, as `tidemill check` knows it. This page is made from the models in
[tasks/config](../tasks/config) and from the pipelines in [examples](examples), which have each key at least once:
`python -m tests.reference` writes it, and a test compares it with them.

Where a heading names a `kind` or a `by`, that key is needed, and says which of the sections holds. A column may be its
type alone, `price: float`, that of web pages its selector alone, a target of `export` its text alone; one `path`,
`start`, target or column of a check may stand for a list of one. A text `${NAME}`, or `${NAME:-default}`, takes the value of an environment variable. A key that is not here is an error.
For an editor that completes keys and marks mistakes, write `tidemill schema > pipeline.schema.json` and name
that file in the first line of a pipeline file: `# yaml-language-server: $schema=pipeline.schema.json`.
"""
_WORDS = {"string": "text", "integer": "whole number", "number": "number", "boolean": "true or false", "null": "null"}
_MOST_CHARACTERS = 60
_OWN_KEYS = {"Range": "range", "Dates": "every", "Parent": "column", "Vote": "vote", "Stack": "stack"}
"""The key that tells a model from others at its place, where none has a kind."""

Schema = dict[str, Any]


@dataclass
class Part:
    """A model of the pipeline file: where it stands first, and an example of each of its keys."""

    name: str
    place: str
    examples: dict[str, Any] = field(default_factory=dict)


class Reference:
    """The models, in the order in which a reader meets them."""

    def __init__(self) -> None:
        self._schema = Pipeline.model_json_schema()
        self.parts: dict[str, Part] = {}
        self._visit("Pipeline", "the file")
        for path in EXAMPLES:
            self._collect(_read_yaml(path), self._schema, "Pipeline")

    def model(self, name: str) -> Schema:
        """Return the schema of a model."""
        found: Schema = self._schema if name == "Pipeline" else self._schema["$defs"][name]
        return found

    def _visit(self, name: str, place: str) -> None:
        if name in self.parts or "properties" not in self.model(name):
            return
        self.parts[name] = Part(name, place)
        path, _, kind = place.partition(" · ")
        for key, schema in self.model(name)["properties"].items():
            for other, inner in _models_of(schema, key if name == "Pipeline" else f"{path}.{key}"):
                is_taken = inner in (part.place for part in self.parts.values())
                tag = self.tag(other) or (kind if is_taken else None)
                self._visit(other, f"{inner} · {tag}" if tag else inner)

    def tag(self, name: str) -> str | None:
        """Return what tells a kind from the others at its place."""
        properties = self.model(name).get("properties", {})
        if name in _OWN_KEYS:
            return _OWN_KEYS[name]
        for key in ("kind", "by"):
            if "const" in properties.get(key, {}):
                return f"{key}: {properties[key]['const']}"
        return (
            next((key for key in properties if key in self.model(name).get("required", [])), None)
            if ("on_fail" in properties)
            else None
        )

    def _collect(self, value: Any, schema: Schema, name: str | None) -> None:
        """Take the values of an example for the keys of the models that they are of."""
        for inner_name, inner in self._choose(value, schema, name):
            if "properties" in inner and isinstance(value, dict):
                part = self.parts[inner_name] if inner_name else None
                for key, each in value.items():
                    if part is not None:
                        part.examples.setdefault(key, each)
                    self._collect(each, inner["properties"].get(key, {}), None)
            elif isinstance(value, dict):
                for each in value.values():
                    self._collect(each, _named(inner), None)
            elif isinstance(value, list):
                for each in value:
                    self._collect(each, inner.get("items") or {}, None)

    def _choose(self, value: Any, schema: Schema, name: str | None) -> Iterator[tuple[str | None, Schema]]:
        """Yield what of a schema a value may be of: of several models the one that has all of its keys."""
        if "$ref" in schema:
            name = schema["$ref"].rpartition("/")[2]
            yield from self._choose(value, self.model(name), name)
            return
        for key in ("anyOf", "oneOf"):
            for each in schema.get(key, []):
                yield from self._choose(value, each, None)
        if "properties" in schema:
            own = schema["properties"]
            told = isinstance(value, dict) and set(value) <= set(own) and _agrees(value, own)
            if told and set(schema.get("required", [])) <= set(value):
                yield name, schema
        elif "anyOf" not in schema and "oneOf" not in schema:
            yield name, schema


def _agrees(value: dict[str, Any], properties: Schema) -> bool:
    """Return whether a mapping is of the kind that its model is."""
    return all(
        value.get(key, properties[key]["const"]) == properties[key]["const"]
        for key in ("kind", "by")
        if "const" in properties.get(key, {})
    )


def _models_of(schema: Any, place: str) -> Iterator[tuple[str, str]]:
    """Yield the models that a value may be of, and where."""
    if "$ref" in schema:
        yield schema["$ref"].rpartition("/")[2], place
    for key in ("anyOf", "oneOf"):
        for each in schema.get(key, []):
            yield from _models_of(each, place)
    if named := _named(schema):
        yield from _models_of(named, f"{place}.NAME")
    if isinstance(schema.get("items"), dict):
        yield from _models_of(schema["items"], place)


def _named(schema: Schema) -> Schema:
    """Return the schema of the values of a mapping whose keys are names."""
    found = schema.get("additionalProperties") or next(iter(schema.get("patternProperties", {}).values()), None)
    return found if isinstance(found, dict) else {}


def write_page() -> str:
    """Return the page."""
    reference = Reference()
    lines = [_HEAD]
    for part in reference.parts.values():
        lines += _section(reference, part)
    return "\n".join(lines).rstrip() + "\n"


def _section(reference: Reference, part: Part) -> Iterator[str]:
    model = reference.model(part.name)
    yield f"## {part.place}\n"
    yield f"{_line(model.get('description', ''))}\n"
    yield "| key | type | default | what | example |"
    yield "|---|---|---|---|---|"
    for key, schema in model["properties"].items():
        if part.place.endswith(f" · {key}: {schema.get('const')}"):
            continue
        default = "needed" if key in model.get("required", []) else _shown(schema.get("default"), schema)
        example = _example(part.examples[key], key) if key in part.examples else ""
        yield f"| `{key}` | {_type(reference, schema)} | {default} | {_line(schema.get('description', ''))} | {example} |"
    yield ""


def _type(reference: Reference, schema: Schema) -> str:
    """Return what a value is, in words; a model as a link to its section."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        part = reference.parts.get(name)
        return f"[{reference.tag(name) or part.place}](#{_anchor(part.place)})" if part else "any value"
    for key in ("anyOf", "oneOf"):
        if key in schema:
            kinds = [_type(reference, each) for each in schema[key] if each.get("type") != "null"]
            return " or ".join(dict.fromkeys(kinds))
    if "const" in schema or "enum" in schema:
        return ", ".join(f"`{flow(value)}`" for value in schema.get("enum", [schema.get("const")]))
    if schema.get("type") == "array":
        items = schema.get("prefixItems", [schema.get("items", {})])
        return f"list of {', '.join(_type(reference, each) for each in items)}"
    if schema.get("type") == "object":
        inner = _named(schema)
        return f"by name: {_type(reference, inner)}" if inner else "mapping"
    word = "duration" if schema.get("format") == "duration" else _WORDS.get(str(schema.get("type")), "any value")
    return f"{word}{_bounds(schema)}"


def _bounds(schema: Schema) -> str:
    signs = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    said = ", ".join(f"{sign} {schema[key]:,}".removesuffix(".0") for key, sign in signs.items() if key in schema)
    return f" {said}" if said else ""


def _shown(default: Any, schema: Schema) -> str:
    """Return a default as a file would write it; that of a model is told in its section."""
    if default is None or default in ({}, []) or isinstance(default, dict) or "$ref" in schema:
        return "" if not (isinstance(default, dict) and "kind" in default) else f"`{default['kind']}`"
    return f"`{flow(default)}`"


def _example(value: Any, key: str) -> str:
    """Return an example as a file would write it, unless it is too long for a table: then its models have theirs."""
    text = f"{key}: {flow(value)}"
    return f"`{_line(text)}`" if len(text) <= _MOST_CHARACTERS else ""


def flow(value: Any) -> str:
    """Return a value in YAML's flow style, on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {flow(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(flow, value)) + "]"
    if isinstance(value, str) and _is_plain(value):
        return value
    return json.dumps(value, ensure_ascii=False)


def _is_plain(text: str) -> bool:
    """Return whether a text needs no quotes in a list of YAML."""
    try:
        return bool(YAML(typ="safe", pure=True).load(f"[{text}]") == [text])
    except YAMLError:
        return False


def _line(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _anchor(heading: str) -> str:
    """Return the anchor that GitHub gives a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


if __name__ == "__main__":
    PAGE.write_text(write_page(), encoding="utf-8")
