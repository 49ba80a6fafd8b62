"""Every mistake in a pipeline file as one sentence: key path, value, cure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeAlias

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from tasks.config.auth import KeyReference, SecretReference
from tasks.config.pipeline import Pipeline
from tasks.core.redaction import redact
from tasks.core.suggestions import did_you_mean

_QUOTE = "'"
_QUOTED = re.compile(r"'([^']*)'")
_MAPPING = "a mapping; write {key: value}"
_SIZE = "a size; write a number of bytes, or one like 64MiB"
_SHAPES = {
    "dict_type": _MAPPING,
    "model_type": _MAPPING,
    "model_attributes_type": _MAPPING,
    "tuple_type": "a list; write [value, value]",
    "string_type": "a text; write it in quotes",
    "invalid-json-value": "a value of JSON; write a text, a number, true, false, null, a list or a mapping",
    "byte_size": _SIZE,
    "byte_size_unit": _SIZE,
}
_PLACES_OF_SECRETS = (SecretReference.__name__, KeyReference.__name__)
_MAY_HOLD_SECRETS = frozenset({"auth", "headers"})

Schema = Mapping[str, Any]
Keys: TypeAlias = tuple[str, ...]
"""The keys under which something stands in a pipeline file, places in lists among them."""


@dataclass(frozen=True)
class Mistake:
    """A mistake in one sentence, and where it is: the keys as they stand in the file, and those known beside an unknown one."""

    keys: Keys
    kind: str
    """Pydantic's word for it."""
    sentence: str
    known: tuple[str, ...] = ()

    @property
    def path(self) -> str:
        """Return the keys as they are told."""
        return _join(self.keys)


def _join(keys: Keys) -> str:
    return ".".join(keys) or "the file"


@dataclass(frozen=True)
class _Place:
    """Where a mistake is: the keys as they stand in the file, and those known beside the last."""

    keys: Keys
    known: tuple[str, ...]

    @property
    def path(self) -> str:
        return _join(self.keys)


def explain_mistakes(error: ValidationError, document: Any) -> list[Mistake]:
    """Return one mistake for each key of a pipeline file, read as `document`, that pydantic finds one in."""
    schema = read_schema()
    mistakes: dict[str, Mistake] = {}
    for details in error.errors():
        if details["type"] == "too_short" and len(details["input"]) >= details["ctx"]["min_length"]:
            continue  # pydantic counts the right entries alone, and has told what is wrong with the others
        place = _find_place(details, document, schema)
        sentence = redact(f"{place.path}{_explain(details, place)}")
        mistakes.setdefault(place.path, Mistake(place.keys, details["type"], sentence, place.known))
    return list(mistakes.values())


def read_schema() -> Schema:
    """Return the schema of a pipeline file, with the kinds that are known now."""
    return _schema_of(Pipeline.__pydantic_validator__)


@lru_cache(maxsize=1)
def _schema_of(_validator: object) -> Schema:
    """Return the schema; to build it takes 50 ms. Kinds that are added make the model's validator another one."""
    return Pipeline.model_json_schema()


def _explain(error: ErrorDetails, place: _Place) -> str:
    kind, value, context = error["type"], error["input"], error.get("ctx", {})
    match kind:
        case "extra_forbidden":
            sentence = f"unknown key; {_known_keys(place)}"
        case "missing":
            sentence = "is missing; add it"
        case "literal_error":
            sentence = _not_one_of(value, str(context["expected"]))
        case "union_tag_invalid":
            return f".{str(context['discriminator']).strip(_QUOTE)}: {_not_one_of(context['tag'], str(context['expected_tags']))}"
        case "union_tag_not_found":
            sentence = f"needs the key {str(context['discriminator']).strip(_QUOTE)}, which says what it is"
        case "string_pattern_mismatch":
            sentence = f"{value!r} is not a name; use small letters, digits, - and _, a letter first"
        case "mistake_at":
            sentence = str(context["what"])
        case "value_error":
            sentence = error["msg"].removeprefix("Value error, ")
        case _:
            sentence = _explain_shape(error)
    return f": {sentence}"


def _explain_shape(error: ErrorDetails) -> str:
    """Return the sentence for a value that has not the form it should have."""
    kind, value, context = error["type"], error["input"], error.get("ctx", {})
    if context.get("class_name") in _PLACES_OF_SECRETS:  # the value may be the secret: it is not repeated
        return "is no place of a secret; name where it is held: {env: NAME} or {secret_block: name}"
    if kind == "too_short":
        return f"has {context['actual_length']} entries; give at least {context['min_length']}"
    shown = "the value" if _MAY_HOLD_SECRETS.intersection(error["loc"]) else f"{value!r:.80}"
    if kind in _SHAPES:
        return f"{shown} is not {_SHAPES[kind]}"
    return f"{shown}: {error['msg'][0].lower()}{error['msg'][1:]}"


def _not_one_of(value: object, expected: str) -> str:
    """Return that a value is none of those pydantic lists, quoted, in `expected`."""
    allowed = _QUOTED.findall(expected)
    cure = did_you_mean(value, allowed, "")
    return f"{value!r} is not one of {', '.join(allowed)}" + (f"; {cure}" if cure else "")


def _known_keys(place: _Place) -> str:
    """Return the cure for an unknown key: the nearest known one, or all of them."""
    return did_you_mean(place.keys[-1], place.known, f"known here are {', '.join(place.known)}")


def _find_place(error: ErrorDetails, document: Any, schema: Schema) -> _Place:
    """Return the place that pydantic's location means.

    A location has the names of union members among the keys, which may be keys of
    the file as well: the JSON schema tells which is which. It also has keys that the
    file leaves out, as in `column: int`: those but the one that is missing are not told.
    """
    here = _resolve(schema, schema)
    keys: list[str] = []
    known: tuple[str, ...] = ()
    missing = error["type"] == "missing"
    for position, item in enumerate((*error["loc"], *error.get("ctx", {}).get("within", ())), 1):
        options = [_resolve(option, schema) for option in here.get("oneOf", here.get("anyOf", ()))]
        if options:
            here = next((option for option in options if _is_called(option, item)), {})
        else:
            if _has(document, item) or (missing and position == len(error["loc"])):
                keys.append(str(item))
                known = tuple(sorted(here.get("properties", ())))
            document = document[item] if _has(document, item) else None
            here = _resolve(_child(here, item), schema)
    return _Place(tuple(keys), known)


def _has(document: Any, item: int | str) -> bool:
    """Return whether a mapping or a list of the file has a key or a position."""
    if isinstance(document, list):
        return isinstance(item, int) and item < len(document)
    return isinstance(document, dict) and item in document


def _is_called(option: Schema, member: int | str) -> bool:
    """Return whether a union's option is the member of this name: its kind, the key that it alone has, or what it is."""
    kinds = [field.get("const") for field in option.get("properties", {}).values()]
    return member in (*kinds, *option.get("required", ())) or member in (
        str(option.get("title")).lower(),
        {"array": "list"}.get(option.get("type", "")),
    )


def _child(node: Schema, item: int | str) -> Schema:
    """Return the schema of what an object has under a key, or a list at a position."""
    if isinstance(item, int):
        first = node.get("prefixItems", ())
        child = first[item] if item < len(first) else node.get("items")
    elif item in node.get("properties", {}):
        child = node["properties"][item]
    else:
        child = node.get("additionalProperties") or next(iter(node.get("patternProperties", {}).values()), None)
    return child if isinstance(child, dict) else {}


def _resolve(node: Schema, schema: Schema) -> Schema:
    """Return what a reference means, or what a value is unless it is null."""
    while True:
        options = [option for option in node.get("anyOf", []) if option.get("type") != "null"]
        if "$ref" in node:
            node = schema["$defs"][node["$ref"].rsplit("/", 1)[-1]]
        elif len(options) == 1:
            node = options[0]
        else:
            return node
