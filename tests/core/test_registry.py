"""Kinds by name: ours, those of installed packages, and those named by a path."""

from __future__ import annotations

import inspect
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, get_args

import pytest

from tasks.config import answers, auth, checks, formats, metrics, pagination, runners
from tasks.core.errors import ConfigError, TidemillError
from tasks.core.registry import REGISTRIES, Registry, add_extension, import_path


class Unit:
    """What the test's kinds are derived from."""

    name = "unit"


class Metre(Unit):
    """A kind of its own."""

    name = "metre"


class Foot(Unit):
    """A kind from outside."""

    name = "foot"


class Vague(Unit, ABC):
    """A kind that does not say all."""

    name = "vague"

    @abstractmethod
    def metres(self) -> float:
        """Return how long it is."""


class OtherFoot(Unit):
    """Another kind of the same name."""

    name = "foot"


class Nameless:
    """What a kind without a name is derived from."""


class Cubit(Nameless):
    """A kind that says nothing of itself."""


HERE = __name__
OURS: list[Registry[Any]] = [
    pagination.PAGINATORS, answers.ANSWERS, auth.AUTHS, checks.CHECKS, formats.FORMATS, runners.RUNNERS, metrics.METRICS,
]  # fmt: skip
PROJECT = Path(__file__).parent.parent.parent


@pytest.fixture
def units() -> Registry[type[Unit]]:
    """Return a registry with one kind."""
    return Registry("tidemill.units", f"{HERE}:Unit", {"metre": f"{HERE}:Metre"})


@pytest.fixture(autouse=True)
def _forgotten() -> object:
    """Take the test's registries away again."""
    known = len(REGISTRIES)
    yield
    del REGISTRIES[known:]


def test_a_kind_of_its_own_is_found_by_name(units: Registry[type[Unit]]) -> None:
    """It is imported when it is wanted."""
    assert units.get("metre") is Metre


def test_an_unknown_name_is_told_with_the_nearest(units: Registry[type[Unit]]) -> None:
    """As every unknown word of a pipeline file is."""
    with pytest.raises(ConfigError, match=r"'meter' is not one of units; did you mean metre\?"):
        units.get("meter")


def test_a_kind_named_by_a_path_goes_into_its_registry(units: Registry[type[Unit]]) -> None:
    """What it is derived from tells which; named twice it is the same."""
    assert add_extension(f"{HERE}:Foot") is units
    assert add_extension(f"{HERE}:Foot") is units
    assert units.get("foot") is Foot


def test_two_kinds_of_one_name_are_refused(units: Registry[type[Unit]]) -> None:
    """Neither takes the other's place."""
    add_extension(f"{HERE}:Foot")

    with pytest.raises(ConfigError, match=r"'foot' is the name of another kind of tidemill.units already"):
        add_extension(f"{HERE}:OtherFoot")
    assert units.get("foot") is Foot


@pytest.mark.parametrize(
    ("path", "message"),
    [
        (
            "tests.core.gone:Foot",
            "tests.core.gone:Foot: cannot be imported .*; install its package, or correct the path",
        ),
        (f"{HERE}:Gone", "the module tests.core.test_registry has no Gone; correct the path"),
        ("Foot", "'Foot' is no path of a class; write module:Class"),
    ],
)
def test_a_path_that_leads_nowhere_is_told(path: str, message: str) -> None:
    """With what is wrong with it."""
    with pytest.raises(ConfigError, match=message):
        import_path(path)


@pytest.mark.parametrize(
    ("name", "kind", "base", "said"),
    [
        ("yard", "Metre", "Unit", "is called 'metre'; register it so, not as 'yard'"),
        ("vague", "Vague", "Unit", "has no metres; add it"),
        ("cubit", "Cubit", "Nameless", 'has no name; add kind: Literal["NAME"] = "NAME", or name = "NAME"'),
    ],
)
def test_half_a_kind_of_its_own_is_refused_with_the_registry(name: str, kind: str, base: str, said: str) -> None:
    """A line that names it otherwise, a method or a name that it lacks: no pipeline file has to name it first."""
    registry: Registry[type] = Registry("tidemill.units", f"{HERE}:{base}", {name: f"{HERE}:{kind}"})

    with pytest.raises(ConfigError, match=f"^{re.escape(f'{HERE}:{kind}: {said}')}$"):
        registry.get(name)


def test_no_kind_of_its_own_is_left_out() -> None:
    """Every kind in a module beside those that are registered is registered, too."""
    left_out = []
    for registry in OURS:
        paths = {path.partition(":")[0] for path in registry._own.values()}
        for folder in {Path(str(import_module(module).__file__)).parent for module in paths}:
            for file in folder.glob("*.py"):
                import_module(".".join(file.relative_to(PROJECT).with_suffix("").parts).removesuffix(".__init__"))
        left_out += [
            f"{kind.__module__}:{kind.__name__} in {registry.group}"
            for kind in derived(registry.base)
            if kind.__module__.startswith("tasks.") and not inspect.isabstract(kind) and ABC not in kind.__bases__
            if kind not in registry.kinds.values()
        ]

    assert left_out == []


def derived(base: type) -> Iterator[type]:
    """Yield every class that is derived from one, or from one of a union."""
    for each in get_args(base) or (base,):
        for kind in each.__subclasses__():
            yield kind
            yield from derived(kind)


@pytest.mark.usefixtures("units")
def test_a_kind_that_lacks_a_method_is_refused() -> None:
    """What it lacks is named, before anything runs."""
    with pytest.raises(ConfigError, match=rf"^{HERE}:Vague: has no metres; add it$"):
        add_extension(f"{HERE}:Vague")


@pytest.mark.usefixtures("units")
def test_what_is_no_kind_is_refused() -> None:
    """The classes to derive from are named."""
    with pytest.raises(TidemillError, match=r"is no extension; derive it from one of .*test_registry.Unit"):
        add_extension("pathlib:Path")


def test_a_module_that_fails_is_told_by_its_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In one sentence, whatever it raises."""
    (tmp_path / "wrong_feet.py").write_text("width = {}\nwidth['foot']\n")
    monkeypatch.syspath_prepend(tmp_path)

    with pytest.raises(
        ConfigError, match=r"^wrong_feet:Foot: cannot be imported \(KeyError: 'foot'\); mend the module$"
    ):
        import_path("wrong_feet:Foot")


@pytest.mark.parametrize(
    ("point", "said"),
    [
        (f"yard = {HERE}:Foot", rf"^{HERE}:Foot: is called 'foot'; call its entry point so, not 'yard'$"),
        ("path = pathlib:Path", rf"^pathlib:Path: is none of tidemill.units; derive it from {HERE}:Unit$"),
        (f"metre = {HERE}:Metre", rf"^{HERE}:Metre: tidemill.units has a 'metre' already; call it otherwise$"),
    ],
)
def test_an_entry_point_that_is_wrong_is_told(
    point: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, units: Registry[type[Unit]]
) -> None:
    """It leads to a kind, has the kind's own name, by which pipeline files call it, and takes none that is there."""
    install(tmp_path, monkeypatch, point)

    with pytest.raises(ConfigError, match=said):
        units.get("foot")


def test_a_kind_of_an_installed_package_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, units: Registry[type[Unit]]
) -> None:
    """Its entry point is enough."""
    install(tmp_path, monkeypatch, f"foot = {HERE}:Foot")

    assert units.get("foot") is Foot


def install(folder: Path, monkeypatch: pytest.MonkeyPatch, point: str) -> None:
    """Put a package with an entry point where Python finds packages."""
    info = folder / "lengths-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: lengths\nVersion: 1\n")
    (info / "entry_points.txt").write_text(f"[tidemill.units]\n{point}\n")
    monkeypatch.syspath_prepend(folder)
