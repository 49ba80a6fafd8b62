"""Values of requests as they are written in a pipeline file: 01 is a number to YAML, and would be sent as 1."""

from __future__ import annotations

import math
from collections.abc import Iterator

from ruamel.yaml import YAML
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

_SENT = ("partitions", "params", "headers", "body")
_NUMBERS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")
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
