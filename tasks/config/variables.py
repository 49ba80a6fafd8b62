"""Variables of the environment in a pipeline file: `${NAME}`, and `${NAME:-default}`."""

from __future__ import annotations

import os
import re
from typing import Any

from tasks.config.mistakes import Keys
from tasks.core.redaction import is_secret, redact

_ADDRESSES = (("url",), ("start",))
_VARIABLE = re.compile(r"\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^}]*))?\}")


def fill_variables(document: dict[str, Any], mistakes: dict[Keys, str]) -> dict[str, Any]:
    """Return the same with the values of its variables; add to `mistakes`, by its keys, what is wrong with one: that it is not set, or a secret."""
    return {key: _fill(value, (str(key),), mistakes) for key, value in document.items()}


def _fill(value: Any, keys: Keys, mistakes: dict[Keys, str]) -> Any:
    if isinstance(value, dict):
        return {key: _fill(inner, (*keys, str(key)), mistakes) for key, inner in value.items()}
    if isinstance(value, list):
        return [_fill(inner, (*keys, str(place)), mistakes) for place, inner in enumerate(value)]
    return _fill_text(value, keys, mistakes) if isinstance(value, str) else value


def _fill_text(value: str, keys: Keys, mistakes: dict[Keys, str]) -> str:
    names = tuple(key for key in keys if not key.isdecimal())
    held: dict[str, str] = {}

    def fill(match: re.Match[str]) -> str:
        found = os.environ.get(match["name"], match["default"])
        if found is None:
            mistakes[keys] = (
                f"{'.'.join(keys)}: {redact(value)!r} needs the environment variable {match['name']}, which is not set; "
                f"set it, or give a default: ${{{match['name']}:-value}}"
            )
            return "http://stand.in" if names[-1:] in _ADDRESSES and not match.start() else match[0]
        if found and (is_secret(match["name"]) or _is_in_secret(match[0], found, value, names)):
            held[match["name"]] = found
        return found

    filled = _VARIABLE.sub(fill, value)
    for name, secret in held.items():
        if not (names[-1:] == ("path",) and secret not in redact(filled)):
            mistakes[keys] = _explain_secret(names, name)
    return filled


def _is_in_secret(variable: str, written: str, value: str, keys: Keys) -> bool:
    """Return whether a variable stands where a secret may: what is held outside of the file may well be one."""
    if keys[-2:-1] == ("params",) and "auth" not in keys:
        return is_secret(keys[-1], written)
    return (keys[-1:] in _ADDRESSES or keys[:1] == ("export",)) and variable not in redact(value)


def _explain_secret(keys: Keys, name: str) -> str:
    """Return why the value of a variable that is a secret by its name would be stored with the run as it stands."""
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
    return (
        f"{'.'.join(keys)}: ${{{name}}} is a secret by {by}, and would be stored with the run as it "
        f"stands here; {cure}, or name a variable that is none otherwise"
    )
