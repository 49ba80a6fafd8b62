"""Packages of one's own whose classes a pipeline file lets fits be made of: what may be named, and by whom."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable

from tasks.config.base import is_trusted, trust

_PATH = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*")
_KNOWN = frozenset({"catboost", "lightgbm", "sklearn", "xgboost"})
_BENEATH = frozenset({"joblib", "numpy", "pandas", "pyarrow", "scipy", "skops"})
_OURS = frozenset({"deployments", "flows", "tasks", "tests"})


def covers(trusted: Iterable[str], path: str) -> bool:
    """Return whether a path of names with dots between them is one of these packages, or lies in one."""
    return bool(_PATH.fullmatch(path)) and any(path == name or path.startswith(f"{name}.") for name in trusted)


def trust_packages(section: object) -> None:
    """Let the packages be imported that the section `training` of a file names in so many letters; of what is no list, its validation tells."""
    names = section.get("trusted") if isinstance(section, dict) else None
    for name in names if isinstance(names, list) else ():
        if isinstance(name, str):
            trust("package", name)


def check_trusted(names: Iterable[str]) -> None:
    """Raise ValueError unless these are packages that a pipeline file may trust, and one on disk does."""
    for name in names:
        if mistake := find_refusal(name):
            raise ValueError(f"{name!r} {mistake}")
        if not is_trusted("package", name):
            raise ValueError(
                f"{name!r} is trusted where a pipeline file on disk says so itself, and by no form, parameter or "
                "environment variable; write it into the file, and give the file's path"
            )


def find_refusal(name: str) -> str | None:
    """Return why a name is none of a package that may be trusted; None where it is one."""
    top = name.partition(".")[0]
    if not _PATH.fullmatch(name):
        return "is no name of a package; write it as it is imported, e.g. my_package or my_package.models"
    if top == "__main__":
        return "is whatever is run, and another elsewhere; put its classes into a module of their own, and name that"
    if top in _KNOWN:
        return "has estimators that are known without it; take it out"
    if top in _BENEATH or top in _OURS:
        return f"is no package of your own: with it a model file might name whatever is in {top}; take it out"
    if top in sys.stdlib_module_names:
        return "is a part of Python: with it a model file might run whatever it likes; take it out"
    return None
