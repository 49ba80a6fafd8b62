"""Packages of one's own for tests: the documented ones, and odd ones."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tasks.config.trusted import trust_packages
from tasks.core.isolation.client import stop_call_server
from tests.documented import code_of

NEAREST = {"estimator": "my_models.NearestCentre", "params": {"temperature": 100.0}}
TRUSTED = ["my_models", "my_features", "odd_models", "dying"]
ODD = '''
"""Classes that are not as they should be."""

import os
from os import system

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.linear_model import LogisticRegression
from my_models import NearestCentre


class Odd(NearestCentre):
    def __init__(self, how="", temperature=1.0):
        self.how = how
        self.temperature = temperature

    def fit(self, X, y):
        super().fit(X, y)
        if self.how == "prints":
            print("much to say")
        if self.how == "turns":
            self.classes_ = self.classes_[::-1]
        if self.how == "keeps a function":
            self.function_ = lambda x: x
        return self

    def predict_proba(self, X):
        probability = self.tell(X)
        if self.how == "wipes":
            X[:] = 0
        return probability

    def tell(self, X):
        return {
            "drops": lambda p: p[1:],
            "loses far ones": lambda p: np.where(X[:, :1] > 1000, np.nan, p),
            "misses": lambda p: np.where(p == p.max(), np.nan, p),
            "doubles": lambda p: 2 * p,
            "narrows": lambda p: p[:, :1],
            "ranks": lambda p: (lambda q: q / q.sum(axis=1, keepdims=True))(p.argsort(axis=0) + 1.0),
            "draws": lambda p: np.random.default_rng().dirichlet([1.0] * p.shape[1], len(p)),
        }.get(self.how, lambda p: p)(super().predict_proba(X))

    def predict(self, X):
        return np.full(len(X), 7) if self.how == "invents" else super().predict(X)


class Forgets(Odd):
    def __getstate__(self):
        return {**self.__dict__, "centres_": self.centres_ * 0}


class Changes(NearestCentre):
    def __init__(self, temperature=1.0):
        self.temperature = 2 * temperature


class Loses(NearestCentre):
    def __init__(self, temperature=1.0):
        pass


class Centred(BaseEstimator):
    def __init__(self, rows=None):
        self.rows = rows

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        return (X - X.mean()).to_numpy()[: self.rows]


class Plain:
    fit = predict = get_params = print


class Neither(BaseEstimator):
    fit = predict = print
'''


@contextmanager
def installed(packages: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Put the packages where they can be imported, trusted as by a file; afterwards they are unknown."""
    stop_call_server()  # it has the paths of before
    (packages / "my_models.py").write_text(code_of("extending.md", "An estimator"))
    (packages / "my_features.py").write_text(code_of("extending.md", "A transformer"))
    (packages / "odd_models.py").write_text(ODD)
    (packages / "dying.py").write_text("import os\n\nos._exit(3)\n")
    monkeypatch.syspath_prepend(packages)
    monkeypatch.setattr("tasks.config.base._trusted", set())
    trust_packages({"trusted": TRUSTED})
    yield
    stop_call_server()
    for name in TRUSTED:
        sys.modules.pop(name, None)
