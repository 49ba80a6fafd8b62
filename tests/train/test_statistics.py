"""Intervals and paired tests: against published formulas, and on models that are truly equal."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import sklearn
from numpy.typing import NDArray
from scipy import stats
from sklearn.model_selection import RepeatedStratifiedKFold
from sklearn.naive_bayes import GaussianNB

from tasks.train.evaluation.statistics import (
    Bootstrap,
    Floats,
    Positions,
    adjust_holm,
    bootstrap_difference,
    bootstrap_interval,
    corrected_interval,
    corrected_paired_test,
)

ONE = np.array([0.81, 0.79, 0.84, 0.80, 0.78])
OTHER = np.array([0.80, 0.77, 0.80, 0.79, 0.78])
FOLDS = 5


def test_the_corrected_interval_is_that_of_the_formula() -> None:
    """The variance of the mean is (1/k + test/train) s², with k - 1 degrees of freedom."""
    low, high = corrected_interval(ONE, train_rows=80, test_rows=20)

    margin = 2.7764451051977987 * np.sqrt((1 / 5 + 20 / 80) * 0.00053)  # t of 4 degrees; s² of ONE by hand
    assert (low, high) == pytest.approx((0.804 - margin, 0.804 + margin), abs=1e-12)


def test_without_test_rows_the_paired_test_is_student_s() -> None:
    """Nothing overlaps then, and scipy's paired t-test gives the same p-value."""
    p_value = corrected_paired_test(ONE, OTHER, train_rows=1, test_rows=0)

    assert p_value == pytest.approx(float(stats.ttest_rel(ONE, OTHER).pvalue), abs=1e-12)


def test_the_corrected_paired_test_is_that_of_the_formula() -> None:
    """The statistic of Student's test shrinks by the square root of 1 + k test/train."""
    p_value = corrected_paired_test(ONE, OTHER, train_rows=80, test_rows=20)

    statistic = float(stats.ttest_rel(ONE, OTHER).statistic) / np.sqrt(1 + 5 * 20 / 80)
    assert p_value == pytest.approx(2 * stats.t.sf(statistic, 4), abs=1e-12)
    assert p_value == corrected_paired_test(OTHER, ONE, train_rows=80, test_rows=20)


def test_the_test_of_repeated_folds_is_that_of_the_formula() -> None:
    """Bouckaert and Frank: the mean over the root of (1/(k r) + test/train) s², with k r - 1 degrees of freedom."""
    first, second = np.tile(ONE, 2), np.concatenate([OTHER, OTHER[::-1]])

    p_value = corrected_paired_test(first, second, train_rows=80, test_rows=20)

    lead = first - second
    statistic = lead.mean() / np.sqrt((1 / 10 + 20 / 80) * lead.var(ddof=1))
    assert p_value == pytest.approx(2 * stats.t.sf(statistic, 9), abs=1e-12)


@pytest.mark.parametrize(("lead", "p_value"), [(0.0, 1.0), (0.25, 0.0)])
def test_a_lead_without_variance_is_no_division_by_zero(lead: float, p_value: float) -> None:
    """The same scores are equal, and the same lead on every fold is certain."""
    scores = np.full(FOLDS, 0.5)

    assert corrected_paired_test(scores + lead, scores, train_rows=80, test_rows=20) == p_value


def test_holm_s_adjustment_is_that_of_his_example() -> None:
    """Each p-value is multiplied by the tests still open, and never falls below that of a smaller one."""
    assert adjust_holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert adjust_holm([0.9, 0.8]) == [1.0, 1.0]
    assert adjust_holm([]) == []


def test_the_bootstrap_of_a_mean_is_near_the_normal_interval() -> None:
    """For a mean, theory has the answer; the same seed gives the same draws."""
    values = np.random.default_rng(0).normal(size=400)

    low, high = bootstrap_interval(lambda rows: float(values[rows].mean()), Bootstrap(400, seed=1, draws=4000))

    error = values.std() / np.sqrt(400)
    assert (low, high) == pytest.approx((values.mean() - 1.96 * error, values.mean() + 1.96 * error), abs=0.006)
    assert (low, high) == bootstrap_interval(
        lambda rows: float(values[rows].mean()), Bootstrap(400, seed=1, draws=4000)
    )


def test_strata_keep_their_rows() -> None:
    """Every draw has as many rows of each class as the hold-out has, in another order of labels too."""
    classes = np.array(["b"] * 7 + ["a"] * 3)
    drawn: list[int] = []

    def count(rows: Floats) -> float:
        drawn.append(int((classes[rows] == "a").sum()))
        return 0.0

    assert bootstrap_interval(count, Bootstrap(10, seed=0, draws=50, strata=classes)) == (0.0, 0.0)  # type: ignore[arg-type]
    assert drawn == [3] * 50


def test_groups_are_drawn_whole() -> None:
    """Rows that are copies of each other make the interval no narrower."""
    values = np.random.default_rng(0).normal(size=50)
    copied, groups = np.repeat(values, 4), np.repeat(np.arange(50), 4)

    alone = bootstrap_interval(lambda rows: float(values[rows].mean()), Bootstrap(50, seed=3))
    grouped = bootstrap_interval(lambda rows: float(copied[rows].mean()), Bootstrap(200, seed=3, groups=groups))

    assert grouped == pytest.approx(alone)


def test_draws_without_a_score_are_left_out() -> None:
    """A draw may hold one class only, where a metric is not defined."""
    low, high = bootstrap_interval(lambda rows: float("nan") if rows[0] else 1.0, Bootstrap(2, seed=0))

    assert (low, high) == (1.0, 1.0)
    assert np.isnan(bootstrap_interval(lambda _: float("nan"), Bootstrap(2, seed=0))).all()


def test_a_difference_is_taken_on_the_same_rows() -> None:
    """What is the same in both cancels out: a constant lead has no width."""
    values = np.random.default_rng(0).normal(size=100)

    found = bootstrap_difference(
        lambda rows: float(values[rows].mean()) + 0.25, lambda rows: float(values[rows].mean()), Bootstrap(100, seed=0)
    )

    assert found == pytest.approx((0.25, 0.25, 0.25))


def test_coverage_and_false_positives_over_folds() -> None:
    """Real models on real folds: two that are equal by construction, on data drawn anew each time.

    Each model sees its own half of the columns, and the halves are drawn
    alike: whatever one learns, the other learns as well.
    """
    generator = np.random.default_rng(20030901)
    unseen = draw_rows(generator, 20_000)
    scores, truths = [], []
    for number in range(110):
        x, y = draw_rows(generator, 200)
        with sklearn.config_context(assume_finite=True, skip_parameter_validation=True):  # each takes as long as a fit
            halves = [judge(x[:, half], y, number) for half in (slice(4), slice(4, 8))]
        scores.append([fold_scores for fold_scores, _ in halves])
        truths += [accuracy(model, unseen[0][:, :4], unseen[1]) for _, model in halves]  # the halves are alike

    widths = []
    for folds in (slice(FOLDS), slice(None)):  # once, and repeated
        intervals = [corrected_interval(s[folds], train_rows=160, test_rows=40) for pair in scores for s in pair]
        covered = np.mean([low <= np.mean(truths) <= high for low, high in intervals])
        pairs = [[scored[folds] for scored in pair] for pair in scores]
        alarms = np.mean([corrected_paired_test(*pair, train_rows=160, test_rows=40) < 0.05 for pair in pairs])
        widths.append(np.mean([high - low for low, high in intervals]))
        assert covered >= 0.93
        assert alarms <= 0.06
    assert widths[1] < widths[0]


def test_coverage_and_false_positives_on_the_hold_out() -> None:
    """The bootstrap of held-out rows, of two predictions that are right equally often but on other rows."""
    generator = np.random.default_rng(1979)
    covered, alarms = [], []
    for seed in range(300):
        one, other = (partial(share, hits) for hits in generator.random((2, 300)) < 0.8)
        low, high = bootstrap_interval(one, Bootstrap(300, seed, 300))
        _, least, most = bootstrap_difference(one, other, Bootstrap(300, seed, 300))
        covered.append(low <= 0.8 <= high)
        alarms.append(not least <= 0 <= most)

    assert np.mean(covered) >= 0.93
    assert np.mean(alarms) <= 0.06


def share(hits: NDArray[np.bool_], rows: Positions) -> float:
    """Return the share of hits among rows."""
    return np.count_nonzero(hits[rows]) / len(rows)


def draw_rows(generator: np.random.Generator, rows: int) -> tuple[Floats, Floats]:
    """Return eight noisy columns, each of which tells a little of two classes."""
    classes = generator.integers(2, size=rows)
    return generator.normal(size=(rows, 8)) + 0.35 * classes[:, None], classes.astype(float)


def judge(x: Floats, y: Floats, seed: int) -> tuple[Floats, GaussianNB]:
    """Return the accuracies of a model over folds, parted twice, and the model of the last one."""
    scores = []
    for train, test in RepeatedStratifiedKFold(n_splits=FOLDS, n_repeats=2, random_state=seed).split(x, y):
        model = GaussianNB().fit(x[train], y[train])
        scores.append(accuracy(model, x[test], y[test]))
    return np.array(scores), model


def accuracy(model: GaussianNB, x: Floats, y: Floats) -> float:
    """Return the accuracy of a model; scikit-learn's own looks at the labels for longer than the model predicts."""
    return float(np.mean(model.predict(x) == y))


def test_an_equal_lead_in_few_folds_is_not_sure() -> None:
    """Two folds that differ by the same tell no more than that two signs agree."""
    p = corrected_paired_test(np.array([0.85, 0.90]), np.array([0.80, 0.85]), train_rows=20, test_rows=20)

    assert p == 0.5
