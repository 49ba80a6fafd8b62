"""Read a pipeline file; every mistake in it becomes one sentence."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.constructor import SafeConstructor
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from tasks.config.base import trust
from tasks.config.kinds import add_extensions
from tasks.config.mistakes import explain_mistakes
from tasks.config.pipeline import Pipeline
from tasks.core.errors import ConfigError
from tasks.core.redaction import is_secret, redact
from tasks.core.suggestions import did_you_mean

_SENT = ("partitions", "params", "headers", "body")
_NUMBERS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")
_TRUTH, _TEXT = "tag:yaml.org,2002:bool", "tag:yaml.org,2002:str"
_MERGE = "tag:yaml.org,2002:merge"


def find_rewritten(text: str) -> Iterator[str]:
    """Yield a sentence for each number of a request that would be sent otherwise than it is written."""
    yaml = YAML(typ="safe", pure=True)
    sources = dict(_pairs(yaml.compose(text))).get("sources")
    for name, source in _pairs(sources):
        keys = dict(_pairs(source))
        sent = {key: keys.get(key) for key in _SENT} | {"auth.params": dict(_pairs(keys.get("auth"))).get("params")}
        seen: set[int] = set()
        for key, node in sent.items():
            yield from _rewritten(yaml, f"sources.{name}.{key}", node, seen)


def _rewritten(yaml: YAML, path: str, node: Node | None, seen: set[int]) -> Iterator[str]:
    if node is None or id(node) in seen:
        return  # an alias of what was looked at, which may stand in many places
    seen.add(id(node))
    if isinstance(node, ScalarNode) and node.tag in _NUMBERS and not node.style:
        value = yaml.constructor.construct_object(node)
        if math.isfinite(value) and str(value) != node.value:
            yield (
                f"{path}: {node.value} is a number to YAML, and would be sent as {value}; "
                f'write it in quotes, "{node.value}", or write {value}'
            )
    for key, inner in _pairs(node):
        yield from _rewritten(yaml, f"{path}.{key}", inner, seen)
    if isinstance(node, SequenceNode):
        for place, inner in enumerate(node.value):
            yield from _rewritten(yaml, f"{path}.{place}", inner, seen)


def _pairs(node: Node | None) -> Iterator[tuple[str, Node]]:
    """Yield the keys of a mapping that are texts, and their values; those of mappings that are merged into it first."""
    if not isinstance(node, MappingNode):
        return
    for key, value in node.value:
        if key.tag == _MERGE:
            for merged in value.value if isinstance(value, SequenceNode) else [value]:
                yield from _pairs(merged)
    yield from ((str(key.value), value) for key, value in node.value if key.tag != _MERGE)


MOST_VALUES = 100_000  # with aliases counted wherever they stand
MOST_LEVELS = 100
_WHOLE_NUMBERS = 2**63
_VARIABLE = re.compile(r"\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^}]*))?\}")
_VALUES_OF_A_KEY = re.compile(r" with value .*")  # which may be a secret, written where it should not be


class _Constructor(SafeConstructor):
    """Leaves dates and times the texts they are in the file: `2013-01-01` is a value for an address; and keys, as `true:` of a column."""

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        """Return a mapping whose keys true and false are texts."""
        for key, _ in node.value:
            if key.tag == _TRUTH:
                key.tag = _TEXT
        return super().construct_mapping(node, deep)


_Constructor.add_constructor("tag:yaml.org,2002:timestamp", SafeConstructor.construct_yaml_str)


def load_pipeline(path: Path) -> Pipeline:
    """Return the pipeline that a YAML file describes.

    `${NAME}` and `${NAME:-default}` take the value of an environment variable;
    `query: NAME.sql` takes the text of the file beside the pipeline file, and the
    module of `python: MODULE:FUNCTION` may lie there.

    Raises:
        ConfigError: with one sentence per mistake: file, key path, value, cure.

    """
    document = _read_yaml(path)
    _check_extent(document, path)
    if rewritten := list(find_rewritten(path.read_text(encoding="utf-8"))):
        raise ConfigError([f"{path}: {sentence}" for sentence in rewritten])
    document = _inline_queries(_fill_variables(document, path), path)
    _extend(document, path)
    _trust_targets(document.get("export"))
    try:
        return Pipeline.model_validate(document)
    except ValidationError as error:
        raise ConfigError([f"{path}: {sentence}" for sentence in explain_mistakes(error, document)]) from None


def read_pipeline(config: Pipeline | Path) -> Pipeline:
    """Return the pipeline itself, read from its file when `config` is a path."""
    return load_pipeline(config) if isinstance(config, Path) else config


def add_kinds_of(path: Path) -> None:
    """Add the kinds that a pipeline file brings, whatever else it says.

    Raises:
        ConfigError: it is no YAML, or a path leads to no kind.

    """
    _extend(_read_yaml(path), path)


def _extend(document: dict[str, Any], path: Path) -> None:
    """Add the kinds that a pipeline file brings; what is no list of paths, its validation tells."""
    paths = document.get("extensions")
    if isinstance(paths, list) and all(isinstance(each, str) for each in paths):
        try:
            add_extensions(paths)
        except ConfigError as error:
            raise ConfigError(f"{path}: extensions: {error}") from error.__cause__


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        yaml = YAML(typ="safe", pure=True)
        yaml.Constructor = _Constructor
        document = yaml.load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"{path}: there is no such pipeline file; {_beside(path)}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read as a pipeline file ({error}); name a YAML file in UTF-8") from None
    except MarkedYAMLError as error:
        mark = error.problem_mark
        where = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
        problem = _VALUES_OF_A_KEY.sub("", " ".join(str(error.problem).split()))
        raise ConfigError(f"{path}{where}: not valid YAML: {problem}; mend the line") from None
    except (RecursionError, ValueError) as error:  # of brackets in brackets, and of a number of thousands of digits
        what = "is nested too deeply" if isinstance(error, RecursionError) else f"has a value that is none ({error})"
        raise ConfigError(f"{path}: {what:.200}; write a pipeline file by hand") from None
    except YAMLError as error:
        raise ConfigError(f"{path}: not valid YAML: {' '.join(str(error).split())}; mend the file") from None
    if not isinstance(document, dict):
        raise ConfigError(
            f"{path}: a pipeline file is a mapping with the keys name, sources, training; this is {document!r:.60}"
        )
    return document


def _check_extent(document: Any, path: Path) -> None:
    """Raise where a file is deeper, or by aliases upon aliases larger, than any that is written by hand."""
    waiting, seen = [(document, 0)], 0
    while waiting:
        value, level = waiting.pop()
        seen += 1
        if level > MOST_LEVELS:
            if _holds_itself(document, set(), set()):
                raise ConfigError(f"{path}: an alias stands within its own anchor; write the value itself")
            raise ConfigError(f"{path}: is nested in more than {MOST_LEVELS} levels; write a pipeline file by hand")
        if seen > MOST_VALUES:
            raise ConfigError(
                f"{path}: holds more than {MOST_VALUES:,} values, each alias counted as what it stands for; "
                "write a range, or split the pipeline"
            )
        if isinstance(value, int) and abs(value) > _WHOLE_NUMBERS:
            raise ConfigError(f"{path}: {str(value)[:20]}... has more digits than a number may; write it in quotes")
        waiting += [(each, level + 1) for each in _within(value)]


def _within(value: Any) -> Iterable[Any]:
    return value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()


def _holds_itself(value: Any, around: set[int], seen: set[int]) -> bool:
    """Return whether a value is one of those around it; each is looked into once."""
    if id(value) in around or id(value) in seen or not _within(value):
        return id(value) in around
    around.add(id(value))
    found = any(_holds_itself(inner, around, seen) for inner in _within(value))
    around.discard(id(value))
    seen.add(id(value))
    return found


def _beside(path: Path) -> str:
    """Return the cure for a missing file: the pipeline files that do exist nearby."""
    found = sorted(str(p) for p in Path("deployments").glob("*/pipeline.yaml"))
    return did_you_mean(path, found) if found else "check the path"


def _fill_variables(value: Any, path: Path, keys: tuple[str, ...] = ()) -> Any:
    """Return `value`, which stands under `keys`, with its variables filled."""
    if isinstance(value, dict):
        return {key: _fill_variables(inner, path, (*keys, str(key))) for key, inner in value.items()}
    if isinstance(value, list):
        return [_fill_variables(inner, path, keys) for inner in value]
    if not isinstance(value, str):
        return value
    held: dict[str, str] = {}

    def fill(match: re.Match[str]) -> str:
        found = os.environ.get(match["name"], match["default"])
        if found is None:
            raise ConfigError(
                f"{path}: {redact(value)!r} needs the environment variable {match['name']}, which is not set; "
                f"set it, or give a default: ${{{match['name']}:-value}}"
            )
        if found and (is_secret(match["name"]) or _is_in_secret(match[0], found, value, keys)):
            held[match["name"]] = found
        return found

    filled = _VARIABLE.sub(fill, value)
    for name, secret in held.items():
        _check_secret(path, keys, name, is_hidden=keys[-1:] == ("path",) and secret not in redact(filled))
    return filled


def _is_in_secret(variable: str, written: str, value: str, keys: tuple[str, ...]) -> bool:
    """Return whether a variable stands where a secret may: what is held outside of the file may well be one."""
    if keys[-2:-1] == ("params",) and "auth" not in keys:
        return is_secret(keys[-1], written)
    return (keys[-1:] in (("url",), ("start",)) or keys[:1] == ("export",)) and variable not in redact(value)


def _check_secret(path: Path, keys: tuple[str, ...], name: str, *, is_hidden: bool) -> None:
    """Raise where the value of a variable that is a secret by its name would be stored with the run as it stands."""
    if is_hidden:
        return
    by = "its name" if is_secret(name) else "what it stands in"
    section, key = keys[-2:] if len(keys) > 1 else ("", "")
    reference = f"{{env: {name}}}"
    match section:
        case "params" if "auth" not in keys:
            cure = f"write auth: {{kind: api_key, place: query, name: {key}, key: {reference}}}"
        case "headers":
            cure = f"write auth: {{kind: api_key, name: {key}, key: {reference}}}"
        case _ if keys[0] == "export":
            cure = f"write password: {reference}"
        case _ if key == "path":
            cure = "only user:password@ and a parameter like token, which tells what it is, are stored nowhere"
        case _:
            cure = f"write auth, and in it {reference}"
    raise ConfigError(
        f"{path}: {'.'.join(keys)}: ${{{name}}} is a secret by {by}, and would be stored with the run as it "
        f"stands here; {cure}, or name a variable that is none otherwise"
    )


def _trust_targets(section: Any) -> None:
    """Let each target of a section `export` be written to; what is no target, its validation tells."""
    for value in section.values() if isinstance(section, dict) else ():
        for target in value if isinstance(value, list) else [value]:
            to = target.get("to") if isinstance(target, dict) else target
            if isinstance(to, str):
                trust(to)


def _inline_queries(document: dict[str, Any], path: Path) -> dict[str, Any]:
    """Return the same with the text of each .sql file in the place of its name."""
    training, tables = document.get("training"), document.get("tables")
    if isinstance(training, dict):
        document = {**document, "training": _inline_query(training, "training", path)}
    if isinstance(tables, dict):
        made = {
            name: _locate_function(_inline_query(table, f"tables.{name}", path), path)
            if isinstance(table, dict)
            else table
            for name, table in tables.items()
        }
        document = {**document, "tables": made}
    return document


def _inline_query(section: dict[str, Any], key: str, path: Path) -> dict[str, Any]:
    query = section.get("query")
    if not (isinstance(query, str) and query.strip().endswith(".sql")):
        return section
    file = path.parent / query.strip()
    try:
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: {key}.query: {file} is not UTF-8 ({error}); save it as UTF-8") from None
    except OSError:
        raise ConfigError(
            f"{path}: {key}.query: there is no file {file}; put the SQL there or correct the name"
        ) from None
    return {**section, "query": text}


def _locate_function(table: dict[str, Any], path: Path) -> dict[str, Any]:
    """Return a table of which the function's module is the file beside the pipeline file, where there is one; it may run."""
    function = table.get("python")
    if not isinstance(function, str) or ":" not in function:
        return table
    module, _, name = function.rpartition(":")
    file = path.parent / (module if module.endswith(".py") else f"{module.replace('.', '/')}.py")
    if file.is_file():
        function = f"{file.absolute()}:{name}"
    trust(function)
    return {**table, "python": function}
