"""A threshold is what theory says, is chosen without the hold-out, and serves with its version."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError
from sklearn.metrics import balanced_accuracy_score, confusion_matrix, f1_score

from tasks.config import DecisionRule
from tasks.core.errors import TrainingError
from tasks.train.assessment.assess import Assessment, assess_best
from tasks.train.assessment.threshold import Threshold, Told, choose_threshold, count, possible_thresholds
from tasks.train.data.types import Array
from tasks.train.evaluation.folds import evaluate_fold
from tasks.train.evaluation.holdout import judge_finalist
from tasks.train.evaluation.job import CandidateJob
from tasks.train.evaluation.leaderboard import Leaderboard, rank
from tasks.train.evaluation.metrics import ModelOutput
from tasks.train.evaluation.results import (
    FoldResult,
    HoldoutResult,
    combine_folds,
    keep_part,
    kept_part,
    make_finalist,
)
from tasks.train.evaluation.statistics import held_out_bootstrap
from tasks.train.predict.batches import predict_rows
from tasks.train.predict.inputs import read_input
from tasks.train.registry import Version, decide_champion, promote, publish_version, read_champion, roll_back
from tests.train.conftest import LOGISTIC, sklearn_table, training

Jobs = Callable[..., dict[str, CandidateJob]]
QUERY = "SELECT * EXCLUDE (row) FROM rows ORDER BY row"
COST: dict[str, Any] = {"cost": {"fp": 1, "fn": 20}}


def said(rows: int, seed: int, *, learnt: bool = True) -> ModelOutput:
    """Return what a model says whose probabilities are right, or that has learnt nothing."""
    generator = np.random.default_rng(seed)
    probability = generator.beta(1, 4, rows)
    truth = generator.random(rows) < (probability if learnt else 0.2)
    probabilities = np.column_stack([1 - probability, probability])
    return ModelOutput(truth, probability >= 0.5, probabilities, probability, np.array([False, True]))


def choose(rule: dict[str, Any], known: ModelOutput, judged: ModelOutput) -> Threshold:
    """Return the threshold of a rule."""
    bootstrap = held_out_bootstrap(judged.truth, 42, classes=True, groups=None)
    return choose_threshold(DecisionRule.model_validate(rule), known, judged, bootstrap)


@pytest.mark.parametrize("levels", [np.array([0.2, 0.2, 0.7]), np.array([0.0, 0.5, 1.0]), np.array([0.3])])
def test_every_way_to_part_the_rows_is_tried(levels: Array) -> None:
    """From all positive to none, each once, and a threshold's own rows count as positive."""
    tried = possible_thresholds(levels)

    parted = [tuple(levels >= each) for each in tried]
    assert len(set(parted)) == len(parted) == len(np.unique(levels)) + 1
    assert all(parted[0])
    assert not any(parted[-1])


def test_neighbours_are_parted() -> None:
    """Between two numbers that follow one another there is no third."""
    levels = np.array([0.5, np.nextafter(0.5, 1)])

    assert [(levels >= each).sum() for each in possible_thresholds(levels)] == [2, 1, 0]


def test_counts_are_those_of_plain_sklearn() -> None:
    """At each of some thresholds."""
    output = said(500, 1)
    assert output.ranking is not None

    for threshold in (0.0, 0.1, 0.35, 1.0):
        for weight in (None, np.random.default_rng(2).random(500)):
            counts = count(Told(output.truth, output.ranking, weight), np.array([threshold]))
            decided = output.ranking >= threshold
            plain = confusion_matrix(output.truth, decided, labels=[False, True], sample_weight=weight).ravel()
            assert [float(each[0]) for each in counts] == pytest.approx(plain.tolist(), abs=1e-12)


@pytest.mark.parametrize("rule", [COST, {"metric": "f1"}, {"recall": 0.9}])
def test_a_row_of_weight_three_counts_as_three(rule: dict[str, Any]) -> None:
    """It is chosen, and told to be worth, as of that many rows."""
    known, judged = said(200, 9), said(150, 10)
    times = np.random.default_rng(0).integers(1, 4, 200)

    weighed = choose(rule, replace(known, weight=times.astype(float)), replace(judged, weight=np.full(150, 2.0)))
    alike = choose(rule, known.taken(np.repeat(np.arange(200), times)), judged)

    assert weighed.value == alike.value
    assert weighed.out_of_fold == pytest.approx(alike.out_of_fold, abs=1e-12)
    assert weighed.holdout[weighed.measure].value == pytest.approx(alike.holdout[alike.measure].value, abs=1e-12)
    assert weighed.gain.low == pytest.approx(alike.gain.low, abs=1e-12)


@pytest.mark.parametrize(("metric", "plain"), [("f1", f1_score), ("balanced_accuracy", balanced_accuracy_score)])
def test_the_best_metric_is_that_of_plain_sklearn(metric: str, plain: Any) -> None:
    """No other threshold has a greater one, and the figures are scikit-learn's."""
    known, judged = said(300, 2), said(200, 3)
    assert known.ranking is not None
    assert judged.ranking is not None

    chosen = choose({"metric": metric}, known, judged)

    best = max(plain(known.truth, known.ranking >= each) for each in possible_thresholds(known.ranking))
    assert chosen.out_of_fold[metric] == pytest.approx(best, abs=1e-12)
    assert chosen.holdout[metric].value == pytest.approx(plain(judged.truth, judged.ranking >= chosen.value), abs=1e-12)
    assert chosen.gain.value == pytest.approx(
        plain(judged.truth, judged.ranking >= chosen.value) - plain(judged.truth, judged.ranking >= 0.5), abs=1e-12
    )


def test_a_cost_gives_the_threshold_of_theory() -> None:
    """Of right probabilities it is fp / (fp + fn), and on other rows it costs less than a half does."""
    chosen = choose(COST, said(20_000, 4), said(5_000, 5))

    assert chosen.value == pytest.approx(1 / 21, abs=0.03)
    assert chosen.gain.low is not None
    assert chosen.gain.low > 0
    judged = said(5_000, 5)
    assert judged.ranking is not None
    fp = (judged.ranking >= chosen.value) & ~judged.truth
    fn = (judged.ranking < chosen.value) & judged.truth
    assert chosen.holdout["cost of a row"].value == pytest.approx((fp.sum() + 20 * fn.sum()) / 5_000, abs=1e-12)


def test_of_noise_nothing_is_gained() -> None:
    """Where probabilities say nothing, what it gains on other rows is what deciding all alike does: no peeking."""
    gains = [choose(COST, said(300, seed, learnt=False), said(300, 1000 + seed, learnt=False)) for seed in range(6)]

    for each in gains:
        assert each.holdout["decided positive"].value == pytest.approx(1, abs=0.1)
        assert each.holdout["cost of a row"].value == pytest.approx(0.8, abs=0.25)


def test_a_recall_is_reached_by_the_highest_threshold() -> None:
    """One step higher and too few of the positive rows are found."""
    known = said(1_000, 6)
    assert known.ranking is not None

    chosen = choose({"recall": 0.9}, known, said(500, 7))

    positive = known.ranking[known.truth]
    higher = possible_thresholds(known.ranking)
    assert (positive >= chosen.value).mean() >= 0.9
    assert (positive >= higher[higher > chosen.value][0]).mean() < 0.9


def judged(job: CandidateJob) -> Leaderboard:
    """Return the leaderboard of one candidate that is evaluated and judged as a run does it, without processes."""
    parts = [kept_part(job, FoldResult, fold) or evaluate_fold(job, fold) for fold in range(len(job.split.folds))]
    final = kept_part(job, HoldoutResult) or judge_finalist(job)
    for part in parts:
        keep_part(job, part)
    keep_part(job, final)
    return rank([job], [combine_folds(job, parts)], {job.name: make_finalist(job, final, [])})


def test_it_serves_with_its_version(jobs: Jobs, tmp_path: Path) -> None:
    """Another cost is another version of the same model, without a fit, and takes its place; `predict` decides by it."""
    table = sklearn_table("breast_cancer")
    versions: list[Version] = []
    states = []
    for rule in (COST, COST, {"cost": {"fp": 20, "fn": 1}}):
        job = jobs(table, query=QUERY, positive=0, decision=rule)["logistic"]
        board = judged(job)
        assessment = assess_best([job], board)
        assert assessment is not None
        versions.append(publish_version(job.models, board, assessment))
        decide_champion(job.models, versions[-1], board)
        states.append({path: path.stat().st_mtime_ns for path in job.folder.glob("*.arrow")})

    first, same, other = versions
    assert first.name == same.name != other.name
    assert first.model == other.model
    assert states[0] == states[2]
    champion = read_champion(job.models)
    assert champion is not None
    assert champion.version == other.name
    assert "is the model of" in champion.decisions[-1].reason
    card = (job.models / other.name / "model_card.md").read_text()
    assert "## Decision" in card
    assert "20 a false positive and 1 a false negative" in card

    roll_back(job.models)
    job = jobs(table, query=QUERY, positive=0, decision={"metric": "f1"})["logistic"]
    third = publish_version(job.models, judged(job), assess_best([job], judged(job)))
    assert decide_champion(job.models, third, judged(job)).promoted, "other decisions were set aside, and not the model"
    promote(job.models, other.name)

    pq.write_table(pa.table({name: values for name, values in table.items() if name != "y"}), tmp_path / "new.parquet")
    predict_rows(job.models, read_input(str(tmp_path / "new.parquet"), {}), {}, tmp_path / "out.parquet")
    told = pq.read_table(tmp_path / "out.parquet").to_pandas()
    assert other.assessment is not None
    assert other.assessment.decision is not None
    positive = told["probability_0"] >= other.assessment.decision.value
    assert (told["decision"] == np.where(positive, 0, 1)).all()
    assert 0 < positive.sum() < len(told)
    assert (told["decision"] != told["prediction"]).any()


def test_a_candidate_without_probabilities_is_told_before_any_fit(jobs: Jobs) -> None:
    """With what to do about it."""
    told = r"training\.candidates\.svm: sklearn\.svm\.LinearSVC tells no probabilities, which training\.decision needs"

    with pytest.raises(TrainingError, match=told):
        jobs(
            sklearn_table("breast_cancer"),
            query=QUERY,
            decision=COST,
            candidates={"svm": {"estimator": "sklearn.svm.LinearSVC"}},
        )


def test_three_classes_are_refused_before_any_fit(jobs: Jobs) -> None:
    """A threshold parts two."""
    with pytest.raises(TrainingError, match=r"training\.decision: is between two classes, and 'y' has 3 \(0, 1, 2\)"):
        jobs(sklearn_table("iris"), query=QUERY, decision=COST)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"decision": {}}, "has none of cost, metric and recall"),
        ({"decision": {"recall": 0.9, "metric": "f1"}}, "has metric and recall, and a threshold is chosen by one"),
        ({"decision": {"cost": {"fp": 0, "fn": 1}}}, "greater than 0"),
        ({"decision": {"recall": 1.5}}, "less than 1"),
        ({"decision": COST, "task": "regression"}, "decision is between two classes"),
        ({"decision": {**COST, "positive": 1}, "positive": 0}, "positive is 0, and decision.positive is 1"),
    ],
)
def test_a_rule_that_says_too_much_or_too_little(changes: dict[str, Any], said: str) -> None:
    """Each is told in a sentence."""
    with pytest.raises(ValidationError, match=said):
        training(**changes)


def test_the_positive_class_may_stand_in_the_rule() -> None:
    """It is the training's then."""
    assert training(decision={**COST, "positive": "fraud"}).positive == "fraud"
    assert training(candidates={"a": LOGISTIC}, decision=COST).positive is None


def test_an_assessment_of_today_is_read_again(jobs: Jobs) -> None:
    """It is kept, and not made twice."""
    job = jobs(sklearn_table("breast_cancer"), query=QUERY, decision={"metric": "f1"})["logistic"]
    board = judged(job)

    made: Assessment | None = assess_best([job], board)
    state = (job.folder / "assessment.json").stat().st_mtime_ns

    assert assess_best([job], board) == made
    assert (job.folder / "assessment.json").stat().st_mtime_ns == state
