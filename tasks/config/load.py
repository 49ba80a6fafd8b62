"""Read a pipeline file; every mistake in it becomes one sentence."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.constructor import SafeConstructor
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from tasks.config.base import trust
from tasks.config.kinds import add_extensions
from tasks.config.mending import validate_mended
from tasks.config.mistakes import Keys
from tasks.config.pipeline import Pipeline
from tasks.config.trusted import trust_packages
from tasks.config.variables import fill_variables
from tasks.core.errors import ConfigError
from tasks.core.suggestions import did_you_mean

_SENT = ("partitions", "params", "headers", "body")
_NUMBERS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")
_TRUTH, _TEXT = "tag:yaml.org,2002:bool", "tag:yaml.org,2002:str"
_MERGE = "tag:yaml.org,2002:merge"


def find_rewritten(text: str) -> dict[Keys, str]:
    """Return a sentence for each number of a request that would be sent otherwise than it is written, by its keys."""
    yaml = YAML(typ="safe", pure=True)
    sources = dict(_pairs(yaml.compose(text))).get("sources")
    found: dict[Keys, str] = {}
    for name, source in _pairs(sources):
        keys = dict(_pairs(source))
        sent: dict[Keys, Node | None] = {(key,): keys.get(key) for key in _SENT}
        auth = dict(_pairs(keys.get("auth")))
        sent |= {("auth", key): auth.get(key) for key in ("params", "body")}
        seen: set[int] = set()
        for place, node in sent.items():
            found |= _rewritten(yaml, ("sources", name, *place), node, seen)
    return found


def _rewritten(yaml: YAML, keys: Keys, node: Node | None, seen: set[int]) -> Iterator[tuple[Keys, str]]:
    if node is None or id(node) in seen:
        return  # an alias of what was looked at, which may stand in many places
    seen.add(id(node))
    if isinstance(node, ScalarNode) and node.tag in _NUMBERS and not node.style:
        value = yaml.constructor.construct_object(node)
        if math.isfinite(value) and str(value) != node.value:
            yield (
                keys,
                f"{'.'.join(keys)}: {node.value} is a number to YAML, and would be sent as {value}; "
                f'write it in quotes, "{node.value}", or write {value}',
            )
    for key, inner in _pairs(node):
        yield from _rewritten(yaml, (*keys, key), inner, seen)
    if isinstance(node, SequenceNode):
        for place, inner in enumerate(node.value):
            yield from _rewritten(yaml, (*keys, str(place)), inner, seen)


def _pairs(node: Node | None) -> Iterator[tuple[str, Node]]:
    """Yield the keys of a mapping that are texts, and their values; those of mappings that are merged into it first."""
    if not isinstance(node, MappingNode):
        return
    for key, value in node.value:
        if key.tag == _MERGE:
            for merged in value.value if isinstance(value, SequenceNode) else [value]:
                yield from _pairs(merged)
    yield from ((str(key.value), value) for key, value in node.value if key.tag != _MERGE)


_PLACES = ("deployments/*/pipeline.yaml", "pipelines/*.yaml")
"""Where pipeline files are, in this project and in others."""
MOST_VALUES = 100_000  # with aliases counted wherever they stand
MOST_LEVELS = 100
_WHOLE_NUMBERS = 2**63
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


@dataclass(frozen=True)
class ExaminedFile:
    """A pipeline file as far as it is right, and each mistake in it as one sentence.

    `pipeline` has stand-ins for what is not known, under the key paths that are
    `doubtful`; it is None where too little of the file is a pipeline.
    """

    pipeline: Pipeline | None
    mistakes: tuple[str, ...]
    doubtful: frozenset[str] = frozenset()


def load_pipeline(path: Path) -> Pipeline:
    """Return the pipeline that a YAML file describes.

    `${NAME}` and `${NAME:-default}` take the value of an environment variable;
    `query: NAME.sql`, or NAME.graphql, takes the text of the file beside the pipeline file, and the
    module of `python: MODULE:FUNCTION` may lie there.

    Raises:
        ConfigError: with one sentence per mistake: file, key path, value, cure.

    """
    examined = examine_pipeline(path)
    if examined.pipeline is None or examined.mistakes:
        raise ConfigError([f"{path}: {sentence}" for sentence in examined.mistakes])
    return examined.pipeline


def examine_pipeline(path: Path) -> ExaminedFile:
    """Return what a YAML file describes, with every mistake in it.

    Raises:
        ConfigError: it is no mapping in YAML, or larger than any that is written by hand.

    """
    document = _read_yaml(path)
    _check_extent(document, path)
    mistakes = find_rewritten(path.read_text(encoding="utf-8"))
    trust_packages(document.get("training"))  # before variables are filled in: the environment trusts nothing
    document = fill_variables(document, mistakes)
    document = _inline_queries(document, path, mistakes)
    _trust_targets(document.get("export"))
    _trust_browsers(document.get("sources"))
    if unknown := _extend(document):
        return ExaminedFile(None, (*mistakes.values(), *unknown))
    doubtful = set(mistakes)
    pipeline, told = validate_mended(document, doubtful)
    return ExaminedFile(pipeline, (*mistakes.values(), *told), frozenset(".".join(keys) for keys in doubtful))


def read_pipeline(config: Pipeline | Path) -> Pipeline:
    """Return the pipeline itself, read from its file when `config` is a path."""
    return load_pipeline(config) if isinstance(config, Path) else config


def add_kinds_of(path: Path) -> None:
    """Add the kinds that a pipeline file brings, whatever else it says.

    Raises:
        ConfigError: it is no YAML, or a path leads to no kind.

    """
    if mistakes := _extend(_read_yaml(path)):
        raise ConfigError([f"{path}: {sentence}" for sentence in mistakes])


def _extend(document: dict[str, Any]) -> list[str]:
    """Add the kinds that a pipeline file brings, and return what is wrong with them; of what is no list of paths, its validation tells."""
    paths = document.get("extensions")
    if isinstance(paths, list) and all(isinstance(each, str) for each in paths):
        try:
            add_extensions(paths)
        except ConfigError as error:
            return [f"extensions: {sentence}" for sentence in error.mistakes]
    return []


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


def list_pipeline_files() -> list[Path]:
    """Return the pipeline files of the project of the working directory."""
    return sorted(file for pattern in _PLACES for file in Path().glob(pattern))


def _beside(path: Path) -> str:
    """Return the cure for a missing file: the pipeline files that do exist nearby."""
    found = [str(file) for file in list_pipeline_files()]
    return did_you_mean(path, found) if found else "check the path, or propose one with the command new"


def _trust_targets(section: Any) -> None:
    """Let each target of a section `export` be written to; what is no target, its validation tells."""
    for value in section.values() if isinstance(section, dict) else ():
        for target in value if isinstance(value, list) else [value]:
            to = target.get("to") if isinstance(target, dict) else target
            if isinstance(to, str):
                trust("target", to)


def _trust_browsers(sources: Any) -> None:
    """Let the browsers that sources name be run; what is no source, its validation tells."""
    for source in sources.values() if isinstance(sources, dict) else ():
        render = source.get("render") if isinstance(source, dict) else None
        if isinstance(render, dict) and isinstance(render.get("browser"), str):
            trust("browser", render["browser"])


def _inline_queries(document: dict[str, Any], path: Path, mistakes: dict[Keys, str]) -> dict[str, Any]:
    """Return the same with the text of each .sql and .graphql file in the place of its name; add to `mistakes`, by its keys, what is wrong with one."""

    def inline(section: dict[str, Any], *keys: str) -> dict[str, Any]:
        query = section.get("query")
        if not (isinstance(query, str) and query.strip().endswith((".sql", ".graphql"))):
            return section
        try:
            return {**section, "query": _read_query(path.parent / query.strip())}
        except ConfigError as error:
            mistakes[(*keys, "query")] = f"{'.'.join(keys)}.query: {error}"
            return section

    tables, sources = document.get("tables"), document.get("sources")
    if isinstance(sources, dict):
        asked = {
            name: {**source, "graphql": inline(source["graphql"], "sources", str(name), "graphql")}
            for name, source in sources.items()
            if isinstance(source, dict) and isinstance(source.get("graphql"), dict)
        }
        document = {**document, "sources": {**sources, **asked}}
    for key in ("training", "truth"):
        if isinstance(section := document.get(key), dict):
            document = {**document, key: inline(section, key)}
    if isinstance(tables, dict):
        made = {
            name: _locate_function(inline(table, "tables", str(name)), path) if isinstance(table, dict) else table
            for name, table in tables.items()
        }
        document = {**document, "tables": made}
    return document


def _read_query(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{file} is not UTF-8 ({error}); save it as UTF-8") from None
    except OSError:
        what = "SQL" if file.suffix == ".sql" else "query"
        raise ConfigError(f"there is no file {file}; put the {what} there or correct the name") from None


def _locate_function(table: dict[str, Any], path: Path) -> dict[str, Any]:
    """Return a table of which the function's module is the file beside the pipeline file, where there is one; it may run."""
    function = table.get("python")
    if not isinstance(function, str) or ":" not in function:
        return table
    module, _, name = function.rpartition(":")
    file = path.parent / (module if module.endswith(".py") else f"{module.replace('.', '/')}.py")
    if file.is_file():
        function = f"{file.absolute()}:{name}"
    trust("function", function)
    return {**table, "python": function}
