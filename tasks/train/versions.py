"""Versions of what a result depends on."""

from __future__ import annotations

import sys
from importlib.metadata import PackageNotFoundError, version


def versions(*packages: str) -> dict[str, str]:
    """Return the versions of Python (major.minor) and the named distributions, without importing them."""
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    return {"python": python, **{package: _version_of(package) for package in packages}}


def _version_of(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return version(f"{package}-cpu")  # as xgboost without the parts for graphics cards is named
