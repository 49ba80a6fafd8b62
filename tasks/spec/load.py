"""Read a pipeline file; every mistake in it becomes one sentence."""

from __future__ import annotations

import os
import re
from datetime import date
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from tasks.errors import SpecError
from tasks.spec.pipeline import Pipeline

_VARIABLE = re.compile(r"\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^}]*))?\}")
_QUOTE = "'"
_QUOTED = re.compile(r"'([^']*)'")


def load_pipeline(path: Path) -> Pipeline:
    """Return the pipeline that a YAML file describes.

    `${NAME}` and `${NAME:-default}` take the value of an environment variable;
    `training.query: NAME.sql` takes the text of the file beside the pipeline file.

    Raises:
        SpecError: with one sentence per mistake: file, key path, value, cure.

    """
    document = _read_yaml(path)
    document = _fill_variables(document, path)
    document = _inline_query(document, path)
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
        document = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SpecError(f"{path}: there is no such pipeline file; {_beside(path)}") from None
    except (IsADirectoryError, PermissionError, UnicodeDecodeError) as error:
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
    """Return `value` with its variables filled; dates, which YAML makes of bare text, are text again."""
    if isinstance(value, date):
        return value.isoformat()
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
    message = error["msg"].removeprefix("Value error, ")
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
            sentence = message
        case _:
            sentence = f"{value!r:.80}: {message[0].lower()}{message[1:]}"
    return f": {sentence}"


def _not_one_of(value: object, expected: str) -> str:
    """Return that a value is none of those pydantic lists, quoted, in `expected`."""
    allowed = _QUOTED.findall(expected)
    near = get_close_matches(str(value), allowed, n=1, cutoff=0.5)
    return f"{value!r} is not one of {', '.join(allowed)}" + (f"; did you mean {near[0]}?" if near else "")


def _key(error: ErrorDetails, document: Any) -> str:
    return ".".join(_key_path(error["loc"], document)) or "the file"


def _key_path(location: tuple[int | str, ...], document: Any) -> list[str]:
    """Return the keys as they stand in the file, without pydantic's names of union members."""
    keys: list[str] = []
    for position, item in enumerate(location):
        last = position == len(location) - 1
        if isinstance(document, dict) and (item in document or last):
            keys.append(str(item))
            document = document.get(item)
        elif isinstance(document, list) and isinstance(item, int) and item < len(document):
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
    while "$ref" in node:
        node = schema["$defs"][node["$ref"].rsplit("/", 1)[-1]]
    return node


def _child(node: Any, item: int | str, schema: Any) -> Any:
    if "properties" in node and item in node["properties"]:
        return node["properties"][item]
    for union in ("oneOf", "anyOf"):
        for option in node.get(union, []):
            resolved = _resolve(option, schema)
            tags = [p.get("const") for p in resolved.get("properties", {}).values()]
            if item in tags or resolved.get("title") == item:
                return resolved
    options = [_resolve(o, schema) for o in node.get("anyOf", []) if _resolve(o, schema).get("type") != "null"]
    if len(options) == 1 and not node.get("properties"):
        return _child(options[0], item, schema)
    extra: Any = node.get("additionalProperties") or next(iter(node.get("patternProperties", {}).values()), {})
    return extra if isinstance(extra, dict) else {}
