"""A pipeline file of which parts are wrong, so that the others can be looked at: each mistake is told, and what it is in stood in for."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from typing import Any

from pydantic import ValidationError

from tasks.config.mistakes import Keys, Mistake, explain_mistakes
from tasks.config.pipeline import Pipeline
from tasks.core.suggestions import nearest

_UNKNOWN = "extra_forbidden"
_CANDIDATE = {"estimator": "sklearn.dummy.DummyClassifier"}
_REQUIRED: dict[str, Any] = {
    "query": "SELECT 1",
    "target": "target",
    "candidates": {"one": _CANDIDATE},
}  # of a training
_ROUNDS = 5  # of what is seen only once the mistakes before it are mended


def validate_mended(document: dict[str, Any], doubtful: set[Keys]) -> tuple[Pipeline | None, list[str]]:
    """Return the pipeline of a file as far as it is right, None where too little is, and one sentence for each mistake.

    A key that is like one that is known is taken for it. Added to `doubtful` are the
    keys of what has been stood in for; of those that are doubtful already nothing is told.
    """
    document, told, unsure = deepcopy(document), dict[str, str](), set[Keys]()
    for _ in range(_ROUNDS):
        try:
            return Pipeline.model_validate(document), list(told.values())
        except ValidationError as error:
            mistakes = explain_mistakes(error, document)
        for mistake in mistakes:
            is_known = not any(_is_within(mistake.keys, keys) or _is_within(keys, mistake.keys) for keys in doubtful)
            if is_known and mistake.keys not in unsure:
                told.setdefault(mistake.path, mistake.sentence)
        try:
            unsure |= _rename_unknown(document, mistakes, doubtful)
            doubtful |= _stand_in(document, mistakes)
        except LookupError:  # in the file as a whole
            break
    return None, list(told.values())


def _is_within(keys: Keys, outer: Keys) -> bool:
    return keys[: len(outer)] == outer


def _rename_unknown(document: dict[str, Any], mistakes: Sequence[Mistake], doubtful: set[Keys]) -> set[Keys]:
    """Take each unknown key for the known one that it is most like, or take it out; return what may be right nevertheless.

    What is doubtful below it is so below the known one.
    """
    unsure = set()
    for mistake in mistakes:
        if mistake.kind == _UNKNOWN:
            parent = _find(document, mistake.keys[:-1])
            value, meant = parent.pop(mistake.keys[-1]), nearest(mistake.keys[-1], mistake.known)
            unsure.add((*mistake.keys[:-1], meant) if meant else mistake.keys[:-1])
            if meant is not None:
                parent.setdefault(meant, value)
                size = len(mistake.keys)
                doubtful |= {
                    (*mistake.keys[:-1], meant, *keys[size:]) for keys in doubtful if _is_within(keys, mistake.keys)
                }
    return unsure


def _stand_in(document: dict[str, Any], mistakes: Sequence[Mistake]) -> set[Keys]:
    """Have something right stand for what other mistakes are in; return the keys of that."""
    places = set()
    for mistake in mistakes:
        keys = mistake.keys
        is_found = mistake.kind == "missing" and keys[-1] in _find(document, keys[:-1])  # by another name
        if mistake.kind != _UNKNOWN and not is_found:
            places.add(_put_right(document, keys))
    return places


def _put_right(document: dict[str, Any], keys: Keys) -> Keys:
    """Take the key of a part out that a mistake is in, else put something right into the part's place; return the keys of what is gone.

    Raises:
        LookupError: it is in the file as a whole.

    """
    match keys:
        case ("name",):
            document["name"] = "pipeline"
            return keys
        case ("export", name, *_):
            del document["export"][name]
            return keys[:2]
        case ("training", "candidates", name, "vote" | "stack", *_):  # without which it would lack an estimator
            document["training"]["candidates"][name] = _CANDIDATE
            return keys[:3]
        case ("sources" | "tables", _, *_):
            part = keys[:2]
        case ("training", "candidates", _, *_):
            part = keys[:3]
        case ("training" | "description" | "allow_partial" | "extensions", *_):
            part = keys[:1]
        case _:
            raise KeyError(keys)
    there = _find(document, part)
    key = keys[len(part)] if len(keys) > len(part) and isinstance(there, dict) else None
    if part == ("training",) and key in _REQUIRED:
        there[key] = _REQUIRED[key]
        return keys[:2]
    if key is not None and key in there:
        del there[key]
        return (*part, key)
    if len(part) == 1:
        del document[keys[0]]
    else:
        _find(document, part[:-1])[part[-1]] = _stand_in_for(part[0], there)
    return part


def _stand_in_for(section: str, there: Any) -> dict[str, Any]:
    """Return something right in the place of a part of a section; the tables of a source's lists are known by their names still."""
    if section == "training":
        return _CANDIDATE
    if section == "tables":
        return {"query": "SELECT 1"}
    lists = there.get("tables") if isinstance(there, dict) else None
    elements = {name: {"explode": "-"} for name in lists} if isinstance(lists, dict) else {}
    return {"kind": "api", "url": "http://stand.in", "tables": elements}


def _find(document: Any, keys: Keys) -> Any:
    for key in keys:
        document = document[int(key)] if isinstance(document, list) else document[key]
    return document
