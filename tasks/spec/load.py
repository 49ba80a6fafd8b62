"""Read a pipeline file; every mistake in it becomes one sentence."""

from __future__ import annotations

import os
import re
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails
from ruamel.yaml import YAML
from ruamel.yaml.constructor import SafeConstructor
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from tasks.errors import SpecError
from tasks.spec.pipeline import Pipeline
from tasks.spec.secrets import SecretReference

_VARIABLE = re.compile(r"\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^}]*))?\}")
_QUOTE = "'"
_QUOTED = re.compile(r"'([^']*)'")
_MAPPING = "a mapping; write {key: value}"
_SHAPES = {
    "dict_type": _MAPPING,
    "model_type": _MAPPING,
    "model_attributes_type": _MAPPING,
    "tuple_type": "a list; write [value, value]",
    "string_type": "a text; write it in quotes",
}


class _Constructor(SafeConstructor):
    """Leaves dates and times the texts they are in the file: `2013-01-01` is a value for an address."""


_Constructor.add_constructor("tag:yaml.org,2002:timestamp", SafeConstructor.construct_yaml_str)


def load_pipeline(path: Path) -> Pipeline:
    """Return the pipeline that a YAML file describes.

    `${NAME}` and `${NAME:-default}` take the value of an environment variable;
    `training.query: NAME.sql` takes the text of the file beside the pipeline file.

    Raises:
        SpecError: with one sentence per mistake: file, key path, value, cure.

    """
    document = _read_yaml(path)
    try:
        document = _inline_query(_fill_variables(document, path), path)
    except RecursionError:
        raise SpecError(f"{path}: an alias stands within its own anchor; write the value itself") from None
    try:
        return Pipeline.model_validate(document)
    except ValidationError as error:
        sentences = {_key(e, document): _explain(e, document) for e in reversed(error.errors())}
        raise SpecError([f"{path}: {sentence}" for sentence in reversed(sentences.values())]) from None


def read_pipeline(spec: Pipeline | Path) -> Pipeline:
    """Return the pipeline itself, read from its file when `spec` is a path."""
    return load_pipeline(spec) if isinstance(spec, Path) else spec


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        yaml = YAML(typ="safe", pure=True)
        yaml.Constructor = _Constructor
        document = yaml.load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SpecError(f"{path}: there is no such pipeline file; {_beside(path)}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise SpecError(f"{path}: cannot be read as a pipeline file ({error}); name a YAML file in UTF-8") from None
    except MarkedYAMLError as error:
        mark = error.problem_mark
        where = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
        problem = " ".join(str(error.problem).split())
        raise SpecError(f"{path}{where}: not valid YAML: {problem}; mend the line") from None
    except YAMLError as error:
        raise SpecError(f"{path}: not valid YAML: {' '.join(str(error).split())}; mend the file") from None
    if not isinstance(document, dict):
        raise SpecError(
            f"{path}: a pipeline file is a mapping with the keys name, sources, training; this is {document!r:.60}"
        )
    return document


def _beside(path: Path) -> str:
    """Return the cure for a missing file: the pipeline files that do exist nearby."""
    found = sorted(str(p) for p in Path("deployments").glob("*/pipeline.yaml"))
    near = get_close_matches(str(path), found, n=1, cutoff=0.6)
    if near:
        return f"did you mean {near[0]}?"
    return f"there are {', '.join(found)}" if found else "check the path"


def _fill_variables(value: Any, path: Path) -> Any:
    """Return `value` with its variables filled."""
    if isinstance(value, dict):
        return {key: _fill_variables(inner, path) for key, inner in value.items()}
    if isinstance(value, list):
        return [_fill_variables(inner, path) for inner in value]
    if not isinstance(value, str):
        return value

    def fill(match: re.Match[str]) -> str:
        found = os.environ.get(match["name"], match["default"])
        if found is None:
            raise SpecError(
                f"{path}: {value!r} needs the environment variable {match['name']}, which is not set; "
                f"set it, or give a default: ${{{match['name']}:-value}}"
            )
        return found

    return _VARIABLE.sub(fill, value)


def _inline_query(document: dict[str, Any], path: Path) -> dict[str, Any]:
    training = document.get("training")
    query = training.get("query") if isinstance(training, dict) else None
    if not (isinstance(training, dict) and isinstance(query, str) and query.strip().endswith(".sql")):
        return document
    file = path.parent / query.strip()
    try:
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise SpecError(f"{path}: training.query: {file} is not UTF-8 ({error}); save it as UTF-8") from None
    except OSError:
        raise SpecError(
            f"{path}: training.query: there is no file {file}; put the SQL there or correct the name"
        ) from None
    return {**document, "training": {**training, "query": text}}


def _explain(error: ErrorDetails, document: Any) -> str:
    """Return one sentence for one of pydantic's errors: key path, value, cure."""
    return f"{_key(error, document)}{_explain_value(error)}"


def _explain_value(error: ErrorDetails) -> str:
    kind, value, context = error["type"], error["input"], error.get("ctx", {})
    match kind:
        case "extra_forbidden":
            sentence = f"unknown key; {_known_keys(error['loc'])}"
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
        case "value_error":
            sentence = error["msg"].removeprefix("Value error, ")
        case _:
            sentence = _explain_shape(error)
    return f": {sentence}"


def _explain_shape(error: ErrorDetails) -> str:
    """Return the sentence for a value that has not the form it should have."""
    kind, value, context = error["type"], error["input"], error.get("ctx", {})
    if context.get("class_name") == SecretReference.__name__:  # the value may be the secret: it is not repeated
        return "is no place of a secret; name where it is held: {env: NAME} or {secret_block: name}"
    if kind == "too_short":
        return f"has {context['actual_length']} entries; give at least {context['min_length']}"
    shown = "the value" if "auth" in error["loc"] else f"{value!r:.80}"
    if kind in _SHAPES:
        return f"{shown} is not {_SHAPES[kind]}"
    return f"{shown}: {error['msg'][0].lower()}{error['msg'][1:]}"


def _not_one_of(value: object, expected: str) -> str:
    """Return that a value is none of those pydantic lists, quoted, in `expected`."""
    allowed = _QUOTED.findall(expected)
    near = get_close_matches(str(value), allowed, n=1, cutoff=0.5)
    return f"{value!r} is not one of {', '.join(allowed)}" + (f"; did you mean {near[0]}?" if near else "")


def _key(error: ErrorDetails, document: Any) -> str:
    missing = error["type"] == "missing"
    return ".".join(_key_path(error["loc"], document, missing=missing)) or "the file"


def _key_path(location: tuple[int | str, ...], document: Any, *, missing: bool) -> list[str]:
    """Return the keys as they stand in the file, without pydantic's names of union members; the last may be missing."""
    keys: list[str] = []
    for position, item in enumerate(location):
        known = item in document if isinstance(document, dict) else isinstance(document, list) and isinstance(item, int)
        if missing and position == len(location) - 1:
            keys.append(str(item))
        elif known:
            keys.append(str(item))
            document = document[item]
    return keys


def _known_keys(location: tuple[int | str, ...]) -> str:
    """Return the cure for an unknown key: the nearest known one, or all of them."""
    known = sorted(_fields_at(location))
    near = get_close_matches(str(location[-1]), known, n=1, cutoff=0.6)
    return f"did you mean {near[0]}?" if near else f"known here are {', '.join(known)}"


def _fields_at(location: tuple[int | str, ...]) -> list[str]:
    """Return the keys of the object that holds the last item of `location`, from the JSON schema."""
    schema = Pipeline.model_json_schema()
    here: Any = schema
    for item in location[:-1]:
        here = _child(_resolve(here, schema), item, schema)
    return list(_resolve(here, schema).get("properties", {}))


def _resolve(node: Any, schema: Any) -> Any:
    """Return what a reference means, or what a value is unless it is null."""
    while True:
        options = [option for option in node.get("anyOf", []) if option.get("type") != "null"]
        if "$ref" in node:
            node = schema["$defs"][node["$ref"].rsplit("/", 1)[-1]]
        elif len(options) == 1:
            node = options[0]
        else:
            return node


def _child(node: Any, item: int | str, schema: Any) -> Any:
    if "properties" in node and item in node["properties"]:
        return node["properties"][item]
    for union in ("oneOf", "anyOf"):
        for option in node.get(union, []):
            resolved = _resolve(option, schema)
            tags = [p.get("const") for p in resolved.get("properties", {}).values()]
            if item in tags or resolved.get("title", "").lower() == item:
                return resolved
    extra: Any = node.get("additionalProperties") or next(iter(node.get("patternProperties", {}).values()), {})
    return extra if isinstance(extra, dict) else {}
