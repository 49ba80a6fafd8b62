"""What is installed beside Tidemill: as pinned, at peace with each other, and without a vulnerability that is known."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from importlib.metadata import distributions, packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tests.test_architecture import MODULES, imports

PROJECT = Path(__file__).parent.parent
_PINNED = re.compile(r"^(?P<name>[A-Za-z0-9_.-]+)==(?P<version>\S+)$", re.MULTILINE)
ADVISORIES = tomllib.loads((PROJECT / "tests" / "advisories.toml").read_text(encoding="utf-8"))["advisory"]


def pins() -> dict[str, Version]:
    """Return the version of each package of constraints.txt."""
    text = (PROJECT / "constraints.txt").read_text(encoding="utf-8")
    return {canonicalize_name(match["name"]): Version(match["version"]) for match in _PINNED.finditer(text)}


@pytest.mark.parametrize("advisory", ADVISORIES, ids=lambda advisory: advisory["id"])
def test_no_pin_has_a_vulnerability_that_is_known(advisory: dict[str, str]) -> None:
    """The pin of a package is the first release without it, or a later one."""
    assert pins()[canonicalize_name(advisory["package"])] >= Version(advisory["fixed"])


def test_what_is_installed_is_what_is_pinned() -> None:
    """Tests say something about what a user gets only if that is what they run on."""
    pinned = pins()
    installed = {canonicalize_name(each.metadata["Name"]): Version(each.version) for each in distributions()}

    others = {name: version for name, version in installed.items() if name in pinned and version != pinned[name]}

    assert others == {}


def test_the_packages_agree_with_each_other() -> None:
    """No package asks for a version of another that is not the one installed."""
    ended = subprocess.run([sys.executable, "-m", "pip", "check"], capture_output=True, text=True, check=False)

    assert ended.returncode == 0, ended.stdout


def test_what_is_imported_is_declared() -> None:
    """A package that another one happens to bring may be gone with its next release."""
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [
        *project["dependencies"],
        *(each for extra in project["optional-dependencies"].values() for each in extra),
    ]
    declared = {canonicalize_name(Requirement(each).name) for each in wanted}
    known = {"mlflow": ["mlflow-skinny"], **packages_distributions()}  # of an extra that the tests do without

    undeclared = {
        module
        for module in imported() - sys.stdlib_module_names - {"flows", "tasks", "deployments", "compression"}
        if not declared & {canonicalize_name(name) for name in known.get(module, [module])}
    }

    assert undeclared == set()


def imported() -> set[str]:
    """Return the top level of every module that ours import, wherever they do."""
    return {each.split(".")[0] for path in MODULES for each in imports(path)}
