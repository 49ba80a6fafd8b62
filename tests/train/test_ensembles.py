"""Votes and stacks of candidates: what they say is what scikit-learn's own say of the same folds, and no member is fitted twice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from scipy.optimize import nnls
from sklearn.ensemble import StackingClassifier, StackingRegressor, VotingClassifier, VotingRegressor
from sklearn.linear_model import LogisticRegression, Ridge, RidgeCV
from sklearn.metrics import log_loss
from sklearn.model_selection import KFold, StratifiedKFold, cross_val_predict, cross_val_score, train_test_split
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from tasks.config.trusted import trust_packages
from tasks.core.errors import TrainingError
from tasks.train.checks.section import check_training
from tasks.train.evaluation.folds import evaluate_fold
from tasks.train.evaluation.holdout import judge_finalist, refit_member
from tasks.train.evaluation.job import CandidateJob
from tasks.train.evaluation.members import combine_fold, combine_models
from tasks.train.evaluation.out_of_fold import read_out_of_fold
from tasks.train.evaluation.output_file import keep_output, read_output
from tasks.train.evaluation.results import Combination, keep_part
from tasks.train.models.ensembles import fit_shares, same_classes
from tasks.train.models.model_file import load_model, save_model
from tests.train.conftest import LOGISTIC, check_rows, sklearn_table, training

ODD = """
from sklearn.naive_bayes import GaussianNB


class Odd(GaussianNB):
    def __init__(self, how=""):
        super().__init__()
        self.how = how

    def fit(self, X, y):
        super().fit(X, y)
        if self.how == "keeps":
            self.function_ = lambda x: x
        if self.how == "turns":
            self.classes_ = self.classes_[::-1]
        return self
"""
Jobs = Callable[..., dict[str, CandidateJob]]
QUERY = "SELECT * EXCLUDE (row) FROM rows ORDER BY row"
THIRDS = {"by": "random", "folds": 3}
TREE = {"estimator": "sklearn.tree.DecisionTreeClassifier", "params": {"max_depth": 3}}
CLASSES = {
    "logistic": LOGISTIC,
    "tree": TREE,
    "blend": {"vote": ["logistic", "tree"], "weights": [2, 1]},
    "stacked": {
        "stack": ["logistic", "tree"],
        "final": {"estimator": "sklearn.linear_model.LogisticRegression"},
    },
    "shared": {"stack": ["logistic", "tree"]},
}
AMOUNTS = {
    "ridge": {"estimator": "sklearn.linear_model.Ridge"},
    "tree": {"estimator": "sklearn.tree.DecisionTreeRegressor", "params": {"max_depth": 3}},
    "blend": {"vote": ["ridge", "tree"]},
    "stacked": {"stack": ["ridge", "tree"]},
}


def fold_scores(planned: dict[str, CandidateJob]) -> dict[str, list[float]]:
    """Return the scores of the folds of all candidates, members first."""
    scores: dict[str, list[float]] = {}
    for job in planned.values():
        found = [evaluate_fold(job, fold) for fold in range(len(job.split.folds))]
        assert [each.error for each in found] == [None] * len(found)
        for each in found:
            keep_part(job, each)
        scores[job.name] = [each.score or 0.0 for each in found]
    return scores


def refit(planned: dict[str, CandidateJob], name: str) -> CandidateJob:
    """Return the job of an ensemble whose members are fitted on all rows that train."""
    for member in planned[name].members:
        keep_part(member, refit_member(member))
    return planned[name]


def saved(job: CandidateJob) -> Pipeline:
    """Return the model of an ensemble, as it is read from its file."""
    model, _ = combine_models(job)
    save_model(model, job.folder / "model.skops")
    return load_model(job.folder / "model.skops")


@pytest.mark.parametrize("name", ["breast_cancer", "wine"])
def test_classes_are_those_of_plain_sklearn(jobs: Jobs, name: str) -> None:
    """Folds of a vote, folds of a stack, and both on the hold-out, to 1e-12."""
    table = sklearn_table(name)
    planned = jobs(table, query=QUERY, metric="neg_log_loss", candidates=CLASSES, split=THIRDS)

    scores = fold_scores(planned)

    features = pd.DataFrame({column: values for column, values in table.items() if column.startswith("x")})
    train, test = train_test_split(np.arange(len(features)), test_size=0.2, random_state=42, stratify=table["y"])
    x, y = features.iloc[train], table["y"][train]
    members = [
        ("logistic", make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000, random_state=42))),
        ("tree", DecisionTreeClassifier(max_depth=3, random_state=42)),
    ]
    folds = StratifiedKFold(3, shuffle=True, random_state=42)
    vote = VotingClassifier(members, voting="soft", weights=[2, 1])
    alone = cross_val_score(vote, x, y, cv=folds, scoring="neg_log_loss")
    np.testing.assert_allclose(scores["blend"], alone, rtol=0, atol=1e-12)
    told = np.hstack([cross_val_predict(each, x, y, cv=folds, method="predict_proba") for _, each in members])
    wanted = (y[:, None] == np.unique(y)).astype(float)
    for number, (learnt, asked) in enumerate(folds.split(x, y)):
        by_member = np.stack(np.hsplit(told, 2), axis=-1)  # rows, classes, members
        shares, _ = nnls(by_member[learnt].reshape(-1, 2), wanted[learnt].ravel())
        mean = by_member[asked] @ (shares / shares.sum())
        assert scores["shared"][number] == pytest.approx(-log_loss(y[asked], mean), abs=1e-12)
    told = told[:, 1::2] if name == "breast_cancer" else told
    final = LogisticRegression(random_state=42)
    alone = cross_val_score(final, told, y, cv=folds, scoring="neg_log_loss")
    np.testing.assert_allclose(scores["stacked"], alone, rtol=0, atol=1e-12)
    stack = StackingClassifier(members, final, cv=folds)
    for ensemble, other in {"blend": vote, "stacked": stack}.items():
        model, held_out = saved(refit(planned, ensemble)), features.iloc[test]
        fitted = other.fit(x, y)
        np.testing.assert_allclose(model.predict_proba(held_out), fitted.predict_proba(held_out), rtol=0, atol=1e-12)
        assert (model.predict(held_out) == fitted.predict(held_out)).all()


def test_amounts_are_those_of_plain_sklearn(jobs: Jobs) -> None:
    """Of the diabetes data, the same."""
    table = sklearn_table("diabetes")
    planned = jobs(table, query=QUERY, metric="r2", task="regression", candidates=AMOUNTS, split=THIRDS)

    scores = fold_scores(planned)

    features = pd.DataFrame({column: values for column, values in table.items() if column.startswith("x")})
    train, test = train_test_split(np.arange(len(features)), test_size=0.2, random_state=42)
    x, y = features.iloc[train], table["y"][train]
    members: list[Any] = [
        ("ridge", make_pipeline(StandardScaler(), Ridge(random_state=42))),
        ("tree", DecisionTreeRegressor(max_depth=3, random_state=42)),
    ]
    folds = KFold(3, shuffle=True, random_state=42)
    vote = VotingRegressor(members)
    np.testing.assert_allclose(scores["blend"], cross_val_score(vote, x, y, cv=folds), rtol=0, atol=1e-12)
    told = np.column_stack([cross_val_predict(each, x, y, cv=folds) for _, each in members])
    np.testing.assert_allclose(scores["stacked"], cross_val_score(RidgeCV(), told, y, cv=folds), rtol=0, atol=1e-12)
    held_out = features.iloc[test], table["y"][test]
    judged = judge_finalist(refit(planned, "blend"))
    assert judged.score == pytest.approx(vote.fit(x, y).score(*held_out), abs=1e-12)
    assert judged.combination == Combination(None, 0, {"ridge": (0.5,), "tree": (0.5,)})
    stack = StackingRegressor(members, RidgeCV(), cv=folds).fit(x, y)
    judged = judge_finalist(refit(planned, "stacked"))
    assert judged.score == pytest.approx(stack.score(*held_out), abs=1e-12)
    assert judged.combination is not None
    weights = [weight for (weight,) in judged.combination.weights.values()]
    np.testing.assert_allclose(weights, stack.final_estimator_.coef_, rtol=0, atol=1e-12)


TIMED = {"at": pd.date_range("2024-01-01", periods=240, freq="h"), "group": [i // 6 for i in range(240)]}


@pytest.mark.parametrize(
    "split",
    [
        {"by": "time", "column": "at", "folds": 3, "gap": "12h"},
        {"by": "group", "column": "group", "folds": 3},
        {"by": "random", "folds": 3, "repeats": 2},
    ],
)
def test_no_final_model_learns_from_what_it_is_judged_on(jobs: Jobs, split: dict[str, Any]) -> None:
    """Whatever is true of all that a fold does not train on, what a stack says of its test rows is the same; by time, at first the mean."""
    rows = 240
    generator = np.random.default_rng(3)
    x = generator.normal(size=rows)
    y = (x + generator.normal(size=rows) > 0).astype(int)
    columns = {**TIMED, "x": x, "z": generator.normal(size=rows), "y": y}
    names = ("logistic", "tree", "stacked", "shared")
    planned = jobs(columns, split=split, candidates={name: CLASSES[name] for name in names}, metric="neg_log_loss")
    fold_scores(planned)
    job, fold = planned["stacked"], len(planned["stacked"].split.folds) - 1 if split["by"] != "time" else 1
    stacks = [planned["stacked"], planned["shared"]]
    said = [combine_fold(each, fold)[0] for each in stacks]

    if split["by"] == "time":
        with pytest.warns(
            UserWarning, match="fold 1: nothing was said of rows before it that a stack could be fitted on"
        ):
            first, _, _ = combine_fold(job, 0)
        known = [read_output(member.folder / "fold-0.arrow").output.probability for member in job.members]
        np.testing.assert_array_equal(first.probability, np.mean(np.array(known), axis=0))
    train = job.split.sides(fold).train
    for member in job.members:
        for path in member.folder.glob("fold-*.arrow"):
            kept, output = read_output(path)
            unknown = ~np.isin(kept, train)
            keep_output(path, replace(output, truth=np.where(unknown, 1 - output.truth, output.truth)), kept)
    again = [combine_fold(each, fold)[0] for each in stacks]

    for one, other in zip(said, again, strict=True):
        assert one.probability is not None
        np.testing.assert_array_equal(one.probability, other.probability)
        assert (one.truth != other.truth).all()


def test_members_that_know_more_after_their_last_fold_are_stacked_all_the_same(jobs: Jobs) -> None:
    """Of a class that first comes in the last span folds said 0; one that comes in none that is tested is never predicted, which is told."""
    x = np.random.default_rng(5).normal(size=150)
    y = np.where(x > 0, "a", "c")
    y[:40:5], y[80:120:4] = "d", "b"  # of 120 rows that train, in the first third alone and in the last
    candidates = {name: CLASSES[name] for name in ("logistic", "tree", "stacked")}
    split = {"by": "time", "column": "at", "folds": 2}
    planned = jobs({"at": np.arange(150), "x": x, "y": y}, split=split, candidates=candidates, metric="accuracy")
    fold_scores(planned)

    judged = judge_finalist(refit(planned, "stacked"))
    model = load_model(planned["stacked"].folder / "model.skops")

    assert judged.error is None
    assert judged.warnings == (
        "UserWarning: no fold tested a row of d, so that the final model learnt nothing of it and the stack never predicts it",
    )
    assert model.classes_.tolist() == ["a", "b", "c"]
    assert model[-1].coef_.shape == (3, 8)
    assert (model[-1].coef_[:, [1, 5]] == 0).all()  # what members say of b now, and nothing of it then
    assert (model[-1].coef_[:, [0, 2, 4, 6]] != 0).all()


def test_rows_count_by_their_weights_to_a_final_model(jobs: Jobs) -> None:
    """A fold of a stack is what plain scikit-learn makes of the same weights; a final model that takes none is told."""
    table = sklearn_table("breast_cancer")
    table["w"] = np.random.default_rng(0).uniform(0.5, 3, len(table["y"]))
    near = {"stack": ["logistic", "tree"], "final": {"estimator": "sklearn.neighbors.KNeighborsClassifier"}}
    wanted = {name: CLASSES[name] for name in ("logistic", "tree", "stacked")}
    asked = {"query": QUERY, "weights": "w", "positive": 1, "metric": "neg_log_loss"}
    planned = jobs(table, **asked, candidates={**wanted, "near": near})

    refused = planned.pop("near")
    fold_scores(planned)
    said, rows, _ = combine_fold(planned["stacked"], 0)

    known = [read_out_of_fold(planned[name]) for name in ("logistic", "tree")]
    order = np.argsort(known[0].rows)
    told = np.column_stack([each.output.probability[order, 1] for each in known if each.output.probability is not None])
    learnt, truth = known[0].folds[order] != 0, known[0].output.truth[order]
    final = LogisticRegression(random_state=42)
    final.fit(told[learnt], truth[learnt], sample_weight=table["w"][known[0].rows[order]][learnt])
    assert said.weight is not None
    assert said.probability is not None
    assert (said.weight == table["w"][rows]).all()
    np.testing.assert_allclose(said.probability, final.predict_proba(told[~learnt]), rtol=0, atol=1e-12)
    error = str(evaluate_fold(refused, 0).error)
    assert (
        "near: sklearn.neighbors.KNeighborsClassifier takes no weights of rows, and training.weights has them" in error
    )


def test_a_final_model_of_one_s_own_is_proven_before_it_may_win(
    jobs: Jobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By time in the second fold, where one is first fitted: a file says what it says, and its classes are in order."""
    (tmp_path / "odd_finals.py").write_text(ODD)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr("tasks.config.base._trusted", set())
    trust_packages({"trusted": ["odd_finals"]})
    x = np.random.default_rng(1).normal(size=90)
    asked = {"split": {"by": "time", "column": "at", "folds": 2}, "metric": "accuracy"}
    candidates = {name: CLASSES[name] for name in ("logistic", "tree", "stacked")}
    planned = jobs({"at": np.arange(90), "x": x, "y": (x > 0).astype(int)}, **asked, candidates=candidates)
    fold_scores(planned)

    errors = []
    for how in ("", "keeps", "turns"):
        final = {"estimator": "odd_finals.Odd", "params": {"how": how}}
        candidates["stacked"] = {"stack": ["logistic", "tree"], "final": final}
        own = training(**asked, trusted=["odd_finals"], candidates=candidates)
        job = replace(planned["stacked"], candidate=own.candidates["stacked"], training=own)
        errors.append([evaluate_fold(job, fold).error or "" for fold in range(2)])

    assert [first for first, _ in errors] == [""] * 3
    assert errors[0][1] == ""
    assert "cannot be saved: it holds odd_finals" in errors[1][1]
    assert "has the classes_ 1, 0 of the target's 0, 1 after its fit" in errors[2][1]


def test_what_cannot_be_a_part_of_an_ensemble_is_told_before_any_fit() -> None:
    """A member without probabilities, a final model of the other task, and parameters that it has not."""
    svm = {"estimator": "sklearn.svm.LinearSVC"}
    final = {"estimator": "sklearn.linear_model.Ridge", "params": {"alpah": 1}}
    asked = training(candidates={"svm": svm, "tree": TREE, "odd": {"stack": ["svm", "tree"], "final": final}})

    assert check_training(asked) == [
        "training.candidates.odd.final.params.alpah: Ridge has no parameter 'alpah'; did you mean alpha?"
    ]
    with pytest.raises(TrainingError) as told:
        check_rows(asked, pa.table({"x": np.arange(40.0), "y": ["a", "b"] * 20}))
    assert str(told.value).splitlines() == [
        "training.candidates.odd.final.estimator: 'sklearn.linear_model.Ridge' is a regressor, but the target 'y' asks for "
        "classification; choose a classifier",
        "training.candidates.odd: its member svm, sklearn.svm.LinearSVC, tells no probabilities, which an ensemble is made "
        "of; add calibrate: sigmoid to svm, or take it out",
    ]


def test_members_that_are_always_sure_and_wrong_count_alike() -> None:
    """No share of them is better than another."""
    sure = np.array([[1.0, 0.0], [0.0, 1.0]])

    shares = fit_shares(np.hstack([sure, sure]), 2, np.array(["a", "b"]), np.array(["b", "a"]), None)

    assert shares == (0.5, 0.5)


def test_members_that_know_other_classes_are_no_ensemble() -> None:
    """Their probabilities are of different classes, of which a mean would mean nothing."""
    with pytest.raises(
        TrainingError, match="its members one and two do not know the same classes, 3 and 2; take calibrate"
    ):
        same_classes({"one": np.array(["a", "b", "c"]), "two": np.array(["a", "b"])})
