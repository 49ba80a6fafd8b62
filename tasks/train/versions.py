"""Versions of what a result depends on."""

from __future__ import annotations

import sys
from importlib.metadata import version


def versions(*packages: str) -> dict[str, str]:
    """Return the versions of Python (major.minor) and the named distributions, without importing them."""
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    return {"python": python, **{package: version(package) for package in packages}}
