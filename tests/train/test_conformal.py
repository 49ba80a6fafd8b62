"""Intervals and sets by conformal prediction: against plain numpy, and on data whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn.datasets import load_diabetes, load_wine
from sklearn.linear_model import LinearRegression, LogisticRegression, QuantileRegressor
from sklearn.model_selection import GroupKFold, KFold, cross_val_predict, train_test_split
from sklearn.preprocessing import StandardScaler

from tasks.core.errors import TrainingError
from tasks.train.assessment.conformal import Conformal, Exchangeable, fit_conformal, fit_margins, fit_threshold, sets_of
from tasks.train.data.types import Array
from tasks.train.evaluation.metrics import ModelOutput
from tasks.train.evaluation.statistics import binomial_interval

FOLDS = KFold(5, shuffle=True, random_state=0)


def at_random(rows: int) -> Exchangeable:
    """Return that each row counts as one."""
    return Exchangeable("random", np.arange(rows), np.zeros(rows, int))


def fold_numbers(rows: int) -> Array:
    """Return the fold of each row."""
    folds = np.empty(rows, int)
    for number, (_, test) in enumerate(FOLDS.split(np.empty(rows))):
        folds[test] = number
    return folds


def judge_amounts(model: LinearRegression | QuantileRegressor, x: Array, y: Array, coverage: float) -> Conformal:
    """Return the intervals of a model of amounts, chosen on four fifths of the rows and judged on the last."""
    train, test = train_test_split(np.arange(len(y)), test_size=0.2, random_state=0)
    seen = ModelOutput(y[train], cross_val_predict(model, x[train], y[train], cv=FOLDS))
    held_out = ModelOutput(y[test], model.fit(x[train], y[train]).predict(x[test]))
    return fit_conformal(coverage, seen, at_random(len(train)), held_out, None)


@pytest.mark.parametrize("coverage", [0.8, 0.9, 0.95])
def test_margins_are_order_statistics_of_the_errors_out_of_fold(coverage: float) -> None:
    """On scikit-learn's diabetes they are numpy's own sorted errors, to the last digit, and so is what they cover."""
    x, y = load_diabetes(return_X_y=True)
    model = LinearRegression()
    train, test = train_test_split(np.arange(len(y)), test_size=0.2, random_state=0)

    found = judge_amounts(model, x, y, coverage)

    errors = np.sort(y[train] - cross_val_predict(model, x[train], y[train], cv=FOLDS))
    place = int(np.ceil(np.round((len(train) + 1) * (1 + coverage) / 2, 9)))
    low, high = errors[len(train) - place], errors[place - 1]
    said = model.fit(x[train], y[train]).predict(x[test])
    inside = int(((said + low <= y[test]) & (y[test] <= said + high)).sum())
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-12)
    assert (found.holdout.rows, found.holdout.covered) == (len(test), inside)
    assert found.holdout.interval == pytest.approx(tuple(binomtest(inside, len(test)).proportion_ci()), abs=1e-12)


def test_sets_are_the_classes_as_probable_as_the_truth_usually_is() -> None:
    """On scikit-learn's wine the threshold and the sets are numpy's of the same folds, also of texts out of order."""
    x, y = load_wine(return_X_y=True)
    x = StandardScaler().fit_transform(x[:, :2])
    model = LogisticRegression()
    train, test = train_test_split(np.arange(len(y)), test_size=0.3, random_state=0, stratify=y)
    names = np.array(["b", "c", "a"])
    said = cross_val_predict(model, x[train], y[train], cv=FOLDS, method="predict_proba")
    held = model.fit(x[train], y[train]).predict_proba(x[test])

    found = fit_conformal(
        0.9,
        ModelOutput(names[y[train]], names[said.argmax(axis=1)], said, None, names),
        at_random(len(train)),
        ModelOutput(names[y[test]], names[held.argmax(axis=1)], held, None, names),
        None,
    )

    misses = np.sort(1 - said[np.arange(len(train)), y[train]])
    threshold = misses[int(np.ceil((len(train) + 1) * 0.9)) - 1]
    sets = 1 - held <= threshold
    assert found.threshold == pytest.approx(threshold, abs=1e-12)
    assert sets.any(axis=1).all()
    assert found.size == pytest.approx(float(sets.sum(axis=1).mean()), abs=1e-12)
    assert found.holdout.covered == int(sets[np.arange(len(test)), y[test]].sum())
    assert found.classes is not None
    assert {name: each.rows for name, each in found.classes.items()} == {
        names[each]: int((y[test] == each).sum()) for each in range(3)
    }


def test_an_empty_set_is_never_told_as_one_class() -> None:
    """Where no class is probable enough, the set has those that are together: the model is least sure there."""
    probability = np.array([[0.97, 0.02, 0.01], [0.5, 0.4, 0.1], [0.3, 0.36, 0.34], [0.85, 0.1, 0.05]])

    assert sets_of(probability, 0.1).tolist() == [
        [True, False, False],
        [True, True, False],
        [True, True, True],
        [True, True, False],
    ]
    assert sets_of(np.array([[1.0, 0.0], [0.9, 0.1]]), 0.0).tolist() == [[True, False], [True, True]]


def test_errors_of_a_model_of_a_quantile_are_lopsided_and_so_is_its_interval() -> None:
    """The 0.9 quantile of skewed amounts is above most of them: the interval reaches far down, and covers all the same."""
    generator = np.random.default_rng(7)
    x = generator.normal(size=(600, 2))
    y = x[:, 0] + generator.exponential(2.0, size=600)

    found = judge_amounts(QuantileRegressor(quantile=0.9, alpha=0), x, y, 0.8)

    assert found.low is not None
    assert found.high is not None
    assert -found.low > 4 * abs(found.high)
    assert 0.75 <= found.holdout.share <= 0.9


def test_a_group_counts_as_one_whatever_its_rows() -> None:
    """Rows of one group err alike: counting them one by one promises 0.9 of a new group's rows, and covers less."""
    generator = np.random.default_rng(11)
    counted: list[float] = []
    grouped: list[float] = []
    for _ in range(60):
        sizes = generator.integers(1, 40, size=40)
        units = np.repeat(np.arange(40), sizes)
        errors = generator.normal(size=40)[units] * np.where(sizes > 20, 0.3, 2.0)[units]
        folds = np.zeros(len(units), int)
        new = generator.normal(size=400) * np.where(generator.integers(1, 40, size=400) > 20, 0.3, 2.0)
        for found, exchangeable in ((counted, at_random(len(units))), (grouped, Exchangeable("group", units, folds))):
            low, high = fit_margins(errors, 0.9, exchangeable)
            found.append(float(np.mean((low <= new) & (new <= high))))

    assert np.mean(counted) < 0.87
    assert 0.885 <= np.mean(grouped) < 0.97  # the mean of 60 draws is off by 0.006


def test_by_time_the_widest_span_decides() -> None:
    """A span of time that was harder than the others may come again."""
    errors = np.concatenate([np.linspace(-1, 1, 99), np.linspace(-3, 5, 99)])
    folds = np.repeat([0, 1], 99)
    one = Exchangeable("random", np.arange(99), np.zeros(99))

    found = fit_margins(errors, 0.9, Exchangeable("time", np.arange(198), folds))

    assert found == fit_margins(errors[99:], 0.9, one)


def test_a_row_that_was_predicted_thrice_counts_once() -> None:
    """Of repeated folds a row has several predictions, which are one row's all the same."""
    errors = np.random.default_rng(3).normal(size=101)
    thrice = Exchangeable("random", np.tile(np.arange(101), 3), np.zeros(303, int))

    assert fit_margins(np.tile(errors, 3), 0.9, thrice) == fit_margins(errors, 0.9, at_random(101))


def test_too_few_rows_are_told_and_not_guessed_from() -> None:
    """Nine rows are the fewest that tell what one in ten exceeds."""
    misses = np.linspace(0, 0.8, 9)

    assert fit_threshold(misses, 0.9, at_random(9)) == 0.8
    with pytest.raises(TrainingError, match=r"takes 9 rows or groups to tell .* there are 8; lower coverage"):
        fit_threshold(misses[:8], 0.9, at_random(8))


def test_sets_need_probabilities() -> None:
    """A model that only ranks is told so, with the cure."""
    classes, truth = np.array([0, 1]), np.tile([0, 1], 20)
    output = ModelOutput(truth, truth, None, truth * 1.0, classes)

    with pytest.raises(TrainingError, match=r"gives no probabilities .* calibrate: sigmoid"):
        fit_conformal(0.9, output, at_random(40), output, None)


@pytest.mark.parametrize(("hits", "rows"), [(0, 7), (7, 7), (3, 40), (88, 100)])
def test_the_interval_of_a_share_is_clopper_and_pearson_s(hits: int, rows: int) -> None:
    """It is scipy's exact one."""
    assert binomial_interval(hits, rows) == pytest.approx(tuple(binomtest(hits, rows).proportion_ci()), abs=1e-12)


def test_coverage_holds_over_draws_of_the_data() -> None:
    """Of new rows of forty draws each, models of groups and of rows cover what is asked for."""
    generator = np.random.default_rng(2019)
    covered = []
    for _ in range(40):
        x = generator.normal(size=(700, 3))
        y = x.sum(axis=1) + generator.standard_t(3, size=700)
        units = generator.integers(60, size=200)
        model = LinearRegression()
        said = cross_val_predict(model, x[:200], y[:200], cv=GroupKFold(5), groups=units)
        new = model.fit(x[:200], y[:200]).predict(x[200:])
        at_level = []
        for level in (0.8, 0.9):
            low, high = fit_margins(y[:200] - said, level, at_random(200))
            at_level.append(np.mean((new + low <= y[200:]) & (y[200:] <= new + high)))
        covered.append(at_level)

    assert np.mean(covered, axis=0) == pytest.approx([0.805, 0.905], abs=0.012)


@pytest.mark.parametrize("unmet", ["c", "z"])
def test_a_class_that_no_model_has_met_is_in_no_set(unmet: str) -> None:
    """Whether it would sort between the known ones or after them, it is not taken for one of these."""
    classes = np.array(["a", "b", "d"])
    truth = np.array(["a", "b", "d"] * 40)
    probability = np.full((120, 3), 0.2) + 0.4 * (truth[:, None] == classes)
    seen = ModelOutput(truth, truth, probability, None, classes)
    held_out = ModelOutput(np.array([unmet, "d"]), np.array(["d", "d"]), np.array([[0.1, 0.1, 0.8]] * 2), None, classes)

    judged = fit_conformal(0.8, seen, at_random(120), held_out, None)

    assert (judged.holdout.covered, judged.holdout.rows) == (1, 2)
