"""Simulations of stacks: whether what folds say of one is what new rows say of it, where there is something to learn and where not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression, Ridge, RidgeCV
from sklearn.metrics import log_loss, r2_score, roc_auc_score
from sklearn.model_selection import KFold, StratifiedKFold, cross_val_predict
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsRegressor
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from tasks.train.data.types import Array
from tasks.train.evaluation.statistics import corrected_interval
from tasks.train.models.ensembles import fit_shares
from tests.benchmarks.rig import say
from tests.benchmarks.table import Line

_SEEDS = 200
_ROWS, _NEW_ROWS, _FOLDS = 300, 4000, 5
_BEYOND = 0.05  # of the draws new rows may say less than the interval's lower end, which is to be 0.025 of them

Learn = Callable[[Array, Array], Callable[[Array], Array]]
"""Takes what members said, and what is true, and returns what makes of what they say of other rows one answer."""
Score = Callable[[Array, Array], float]

_CLASSIFIERS = (LogisticRegression(), DecisionTreeClassifier(max_depth=4, random_state=0), GaussianNB())
_REGRESSORS = (Ridge(), DecisionTreeRegressor(max_depth=4, random_state=0), KNeighborsRegressor(10))


@dataclass(frozen=True)
class _Drawn:
    """What members said of rows, out of fold and of new ones."""

    told: Array
    truth: Array
    folds: list[tuple[Array, Array]]
    asked: Array
    new_truth: Array

    def flatter(self, learn: Learn, score: Score) -> tuple[float, bool]:
        """Return by how much the folds' mean score is better than that of new rows, and whether this lies below its interval."""
        told, truth = self.told, self.truth
        scores = np.array(
            [score(truth[test], learn(told[train], truth[train])(told[test])) for train, test in self.folds]
        )
        found = score(self.new_truth, learn(told, truth)(self.asked))
        low, _ = corrected_interval(scores, train_rows=_ROWS - _ROWS // _FOLDS, test_rows=_ROWS // _FOLDS)
        return float(scores.mean() - found), found < low


def measure_stacks() -> Iterator[Line]:
    """Yield for each kind of stack by how much folds flatter it, and how often new rows say less than its interval."""
    for has_signal in (True, False):
        for kind, cases in _CASES.items():
            what = f"of {kind} where {'something' if has_signal else 'nothing'} is to be learnt"
            say(f"stacks {what}")
            drawn = [_draw(np.random.default_rng(seed), kind, has_signal=has_signal) for seed in range(_SEEDS)]
            for name, (learn, score) in cases.items():
                flattered, below = np.mean([each.flatter(learn, score) for each in drawn], axis=0)
                # What is said of a logistic regression where nothing is to be learnt is why it is not the usual choice.
                is_held = has_signal or learn is not _learn_logistic
                limit, holds = (f"≤ {_BEYOND:.0%}", bool(below <= _BEYOND)) if is_held else ("", None)
                yield Line(f"stack {what}, by {name}", f"{flattered:+.4f}, {below:.1%}", limit, holds)


def _draw(generator: np.random.Generator, kind: str, *, has_signal: bool) -> _Drawn:
    x = generator.normal(size=(_ROWS + _NEW_ROWS, 5))
    signal = (x[:, 0] + x[:, 1] * x[:, 2]) * has_signal
    members, method, splitter = _CLASSIFIERS, "predict_proba", StratifiedKFold
    if kind == "amounts":
        members, method, splitter = _REGRESSORS, "predict", KFold
        y = signal + generator.normal(size=len(x))
    else:
        y = (generator.random(len(x)) < 1 / (1 + np.exp(-signal))).astype(int)
    old, new = slice(_ROWS), slice(_ROWS, None)
    folds = list(splitter(_FOLDS, shuffle=True, random_state=0).split(x[old], y[old]))
    told = [cross_val_predict(each, x[old], y[old], cv=folds, method=method) for each in members]
    asked = [getattr(clone(each).fit(x[old], y[old]), method)(x[new]) for each in members]
    return _Drawn(_columns(told), y[old], folds, _columns(asked), y[new])


def _columns(said: list[Array]) -> Array:
    """Return a column a member: the probability of the second class, or the amount."""
    return np.column_stack([each if each.ndim == 1 else each[:, 1] for each in said])


def _learn_shares(told: Array, truth: Array) -> Callable[[Array], Array]:
    both = np.stack([1 - told, told], axis=-1).reshape(len(told), -1)
    shares = fit_shares(both, len(_CLASSIFIERS), np.arange(2), truth, None)
    return lambda asked: np.average(asked, axis=1, weights=shares)


def _learn_logistic(told: Array, truth: Array) -> Callable[[Array], Array]:
    final = LogisticRegression().fit(told, truth)
    return lambda asked: np.asarray(final.predict_proba(asked)[:, 1])


def _learn_ridge(told: Array, truth: Array) -> Callable[[Array], Array]:
    final = RidgeCV().fit(told, truth)
    return lambda asked: np.asarray(final.predict(asked))


def _score_by_log(truth: Array, probability: Array) -> float:
    return -float(log_loss(truth, probability))


_CASES: dict[str, dict[str, tuple[Learn, Score]]] = {
    "classes": {
        "shares, roc_auc": (_learn_shares, roc_auc_score),
        "shares, neg_log_loss": (_learn_shares, _score_by_log),
        "LogisticRegression, roc_auc": (_learn_logistic, roc_auc_score),
        "LogisticRegression, neg_log_loss": (_learn_logistic, _score_by_log),
    },
    "amounts": {"RidgeCV, r2": (_learn_ridge, r2_score)},
}
