"""How far new rows have moved from those a model learnt from: the population stability index of each feature."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tasks.core.imports import import_once
from tasks.train.data.types import Array

if TYPE_CHECKING:
    import pandas as pd


DRIFT = 0.2  # the rule of thumb of credit scoring: below 0.1 none, up to 0.2 some
BINS = 10
CATEGORIES = 20  # the others are counted together
CHANCE = 0.001  # how often rows of the same kind may be named by bad luck


@dataclass(frozen=True)
class Reference:
    """How a feature's values were spread over the rows learnt from.

    A number is counted between its `edges`, each of which belongs to the bin
    below it; a text by its `categories`, then all others. Missing values are
    the last count.
    """

    edges: tuple[float, ...] | None
    categories: tuple[str, ...] | None
    counts: tuple[int, ...]


@dataclass(frozen=True)
class Drift:
    """How far a feature has moved."""

    feature: str
    psi: float
    missing: float
    """Share of the new rows without a value."""
    missing_before: float
    drifted: bool
    """Whether it is above 0.2, and above what so many rows show by chance."""


def describe_features(frame: pd.DataFrame) -> dict[str, Reference]:
    """Return how each column of the rows learnt from is spread: numbers in tenths, texts by value."""
    return {str(name): _describe(frame[name]) for name in frame.columns}


def count_values(references: Mapping[str, Reference], columns: pd.DataFrame | Mapping[str, Array]) -> dict[str, Array]:
    """Return how many values of a frame, or of arrays, fall into each bin; the counts of several add up."""
    return {name: _count(reference, np.asarray(columns[name])) for name, reference in references.items()}


def measure_drift(references: Mapping[str, Reference], counts: Mapping[str, Array]) -> list[Drift]:
    """Return how far each feature has moved, the farthest first."""
    found = [_measure(name, reference, counts[name]) for name, reference in references.items()]
    return sorted(found, key=lambda drift: (-drift.psi, drift.feature))


def _describe(values: pd.Series[Any]) -> Reference:
    if _is_number(values):
        known = values[np.isfinite(values)]
        quantiles = np.quantile(known, np.linspace(0, 1, BINS + 1)[1:-1]) if len(known) else np.array([])
        reference = Reference(tuple(float(edge) for edge in np.unique(quantiles)), None, ())
    else:
        frequent = values.dropna().astype(str).value_counts()
        ordered = sorted(frequent.items(), key=lambda item: (-item[1], item[0]))
        reference = Reference(None, tuple(str(name) for name, _ in ordered[:CATEGORIES]), ())
    return Reference(
        reference.edges, reference.categories, tuple(int(n) for n in _count(reference, np.asarray(values)))
    )


def _count(reference: Reference, values: Array) -> Array:
    missing = import_once("pandas").isna(values)
    if reference.edges is not None:
        bins = len(reference.edges) + 1
        places = np.searchsorted(np.array(reference.edges), values.astype(float, copy=False), side="left")
    else:
        assert reference.categories is not None
        bins = len(reference.categories) + 1
        index = import_once("pandas").Index
        places = index(reference.categories, dtype=object).get_indexer(index(values, dtype=object))
        places = np.where(places < 0, bins - 1, places)
    return np.bincount(np.where(missing, bins, places), minlength=bins + 1)


def _measure(name: str, reference: Reference, counts: Array) -> Drift:
    before, after = np.array(reference.counts, dtype=float), counts.astype(float)
    psi = _stability(before, after)
    return Drift(
        feature=name,
        psi=psi,
        missing=float(after[-1] / max(after.sum(), 1)),
        missing_before=float(before[-1] / max(before.sum(), 1)),
        drifted=bool(psi > max(DRIFT, _by_chance(before, after))),
    )


def _stability(before: Array, after: Array) -> float:
    """Return the index; half a row in every bin keeps an empty one from making it infinite."""
    kept = (before + after) > 0
    before, after = before[kept] + 0.5, after[kept] + 0.5
    before, after = before / before.sum(), after / after.sum()
    return float(np.sum((after - before) * np.log(after / before)))


def _by_chance(before: Array, after: Array) -> float:
    """Return what the index of rows of the same kind seldom exceeds.

    It is then chi-squared, scaled by the numbers of rows: Yurdakul,
    Statistical Properties of Population Stability Index (2018).
    """
    from scipy.stats import chi2  # noqa: PLC0415 - a third of a second to import

    bins = int(((before + after) > 0).sum())
    scale = 1 / max(before.sum(), 1) + 1 / max(after.sum(), 1)
    return float(chi2.ppf(1 - CHANCE, max(bins - 1, 1)) * scale)


def _is_number(values: pd.Series[Any]) -> bool:
    return bool(import_once("pandas").api.types.is_numeric_dtype(values))
