"""Classes by any name: the positive one is that of every figure, and a pipeline file names them as the target does."""

from __future__ import annotations

import base64
import re
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from sklearn.metrics import average_precision_score, f1_score, precision_score, recall_score

from tasks.config import Candidate
from tasks.core.errors import TrainingError
from tasks.train.data.classes import find_label
from tasks.train.models.estimators import build_estimator
from tasks.train.plots.gallery import make_gallery
from tasks.train.registry import load_model, read_version
from tests.train.conftest import Build, Evaluate, check_rows, sklearn_table, training
from tests.train.publishing import judge

ROWS = 600
RNG = np.random.default_rng(3)
FRAUD = RNG.random(ROWS) < 0.21
FEATURES = {f"x{i}": RNG.normal(size=ROWS) + FRAUD * shift for i, shift in enumerate((1.2, 0.8, 0.0))}
NAMED = {**FEATURES, "y": np.where(FRAUD, "fraud", "legit")}
TREE = {"estimator": "sklearn.tree.DecisionTreeClassifier", "params": {"max_depth": 4}}
LOGISTIC = {"estimator": "sklearn.linear_model.LogisticRegression"}
SVM = {"estimator": "sklearn.svm.LinearSVC"}
RIDGE = {"estimator": "sklearn.linear_model.Ridge"}


def holdout(folder: Path) -> pa.Table:
    """Return what a judged candidate said of the held-out rows."""
    return pa.ipc.open_file(str(folder / "holdout.arrow")).read_all()


@pytest.mark.parametrize("candidate", [TREE, LOGISTIC, SVM], ids=["probability", "both", "decision"])
@pytest.mark.parametrize(("positive", "other"), [(None, "legit"), ("fraud", "legit"), ("legit", "fraud")])
def test_every_figure_is_of_the_positive_class(
    tmp_path: Path, candidate: dict[str, Any], positive: str | None, other: str
) -> None:
    """F1 and the areas are the rarer class's, unless the file says otherwise, whichever comes first in order."""
    of = positive or "fraud"
    judged = judge(tmp_path, NAMED, candidate, positive=positive)
    (line,) = judged.leaderboard.lines
    assert line.finalist is not None

    said, metrics = holdout(line.finalist.folder), line.finalist.metrics

    truth, prediction = (np.array(said[name].to_pylist()) for name in ("truth", "prediction"))
    assert metrics["f1"] == f1_score(truth, prediction, pos_label=of)
    ranked = [name for name in said.column_names if name.startswith("ranking_")]
    assert ranked == [f"ranking_{of}"]
    ranking = said[ranked[0]].to_numpy()
    assert metrics["pr_auc"] == pytest.approx(average_precision_score(truth == of, ranking))
    if candidate is not SVM:
        names = [name for name in said.column_names if name.startswith("probability_")]
        assert names == [f"probability_{other}", f"probability_{of}"]
        likely = np.array(said[f"probability_{of}"].to_pylist())
        assert ((likely > 0.5) == (prediction == of)).all()


@pytest.mark.parametrize(
    ("metric", "figure"),
    [
        ("f1", lambda t, p: f1_score(t, p, pos_label="fraud")),
        ("precision", lambda t, p: precision_score(t, p, pos_label="fraud")),
        ("recall", lambda t, p: recall_score(t, p, pos_label="fraud")),
        ("f1_weighted", lambda t, p: f1_score(t, p, average="weighted")),
    ],
)
def test_scorers_take_classes_of_any_name(build: Build, tmp_path: Path, metric: str, figure: Any) -> None:
    """A candidate is ranked by F1 of its positive class, or of both, as scikit-learn computes it of the names."""
    from tasks.train.evaluation.holdout import judge_finalist  # noqa: PLC0415 - as a fit imports it
    from tasks.train.evaluation.job import plan_jobs  # noqa: PLC0415 - the same

    asked = training(metric=metric, candidates={"tree": TREE})
    job = plan_jobs(asked, build(NAMED, metric=metric, candidates={"tree": TREE}), tmp_path / "models")[1]

    judged = judge_finalist(job)

    said = holdout(job.folder)
    assert judged.score == pytest.approx(figure(said["truth"].to_pylist(), said["prediction"].to_pylist()))
    assert judged.interval is not None
    assert judged.interval[0] <= judged.score <= judged.interval[1]


def test_a_search_tunes_by_the_positive_class(evaluate: Evaluate) -> None:
    """What it maximizes is the figure of the class that the leaderboard shows."""
    search = {"by": "grid", "space": {"max_depth": [1, 3]}}
    found = evaluate(
        NAMED, metric="average_precision", candidates={"tree": {"estimator": TREE["estimator"], "search": search}}
    )

    tree = found["tree"]
    assert tree.error is None
    assert tree.metrics is not None
    assert tree.score == pytest.approx(tree.metrics["pr_auc"])


@pytest.mark.parametrize("candidate", [LOGISTIC, SVM], ids=["probability", "decision"])
def test_names_of_classes_do_not_move_a_score(evaluate: Evaluate, candidate: dict[str, Any]) -> None:
    """The same rows as fraud and legit, as truths, and as numbers in either order give the same figures."""
    by_time = {"by": "time", "column": "t"}  # a split that does not ask for the order of classes
    named = {
        "texts": NAMED["y"],
        "truths": FRAUD,
        "numbers": FRAUD.astype(int),
        "the other way round": 1 - FRAUD.astype(int),
    }

    scores = {
        name: evaluate(
            {**FEATURES, "t": np.arange(ROWS), "y": y},
            metric="average_precision",
            split=by_time,
            candidates={"only": candidate},
        )["only"].metrics
        for name, y in named.items()
    }

    assert scores["texts"]
    for name, found in scores.items():
        assert found == pytest.approx(scores["texts"], rel=1e-6), name


def test_the_guess_of_the_task_and_the_positive_class_is_shown(tmp_path: Path) -> None:
    """On the card, in the leaderboard, with the version and beside the pictures; what is declared is told as that."""
    judged = judge(tmp_path, NAMED, LOGISTIC)
    version = judged.publish()
    declared = judge(tmp_path / "declared", NAMED, LOGISTIC, task="classification", positive="legit")
    told = declared.publish()

    card = (judged.models / version.name / "model_card.md").read_text()
    assert "classification, as its values look; f1, pr_auc and their like are of the class fraud, the rarer one" in card
    assert (version.positive, version.guessed) == ("fraud", ("task", "positive"))
    board = judged.leaderboard.kept
    assert (board.target, board.positive, board.guessed) == (
        "y",
        "fraud",
        ("task", "positive"),
    )
    card = (declared.models / told.name / "model_card.md").read_text()
    assert "y (classification; f1, pr_auc and their like are of the class legit, as declared)" in card
    assert (told.positive, told.guessed) == ("legit", ())
    assert read_version(declared.models, told.name) == told
    gallery = make_gallery(declared.leaderboard)
    assert gallery.count("Of the class `legit`.") == 3


def test_curves_are_of_the_positive_class(tmp_path: Path) -> None:
    """The precision and recall that are drawn have the average precision of the table."""
    judged = judge(tmp_path, NAMED, LOGISTIC)
    (line,) = judged.leaderboard.lines
    assert line.finalist is not None

    (uri,) = re.findall(
        r"!\[Precision and recall\]\(data:image/svg\+xml;base64,([^)]*)\)", make_gallery(judged.leaderboard)
    )

    assert f"(AP {line.finalist.metrics['pr_auc']:.3f})" in base64.b64decode(uri).decode()


def test_the_loaded_model_says_the_names(tmp_path: Path) -> None:
    """Whichever class is positive, a prediction is the class as the target has it."""
    judged = judge(tmp_path, NAMED, LOGISTIC, positive="legit")

    model = load_model(judged.models / judged.publish().name / "model.skops")

    assert model.classes_.tolist() == ["fraud", "legit"]


@pytest.mark.parametrize(
    ("target", "declared", "positive"),
    [
        (FRAUD, True, True),
        (FRAUD, "true", True),
        (FRAUD, "False", False),
        (FRAUD.astype(int), 0, 0),
        (FRAUD.astype(int), "1", 1),
        (FRAUD.astype(float), 1, 1),
        (np.where(FRAUD, "1", "0"), 1, "1"),
        (np.where(FRAUD, "True", "False"), True, "True"),
        (np.where(FRAUD, "TRUE", "FALSE"), None, "TRUE"),
    ],
)
def test_a_class_is_named_in_any_spelling_of_its_type(target: Any, declared: Any, positive: Any) -> None:
    """A truth, a number and a text mean the class that reads the same."""
    table = pa.table({**FEATURES, "y": target})

    found = check_rows(training(task="classification", positive=declared), table).target

    assert (found.positive, type(found.positive)) == (positive, type(positive))


@pytest.mark.parametrize(
    ("changes", "columns", "says"),
    [
        ({"positive": "fruad"}, NAMED, "training.positive: 'fruad' is not a class of 'y'; did you mean fraud\\?"),
        ({"positive": True}, NAMED, "training.positive: 'true' is not a class of 'y'; there are fraud, legit"),
        (
            {"positive": 1},
            sklearn_table("iris"),
            r"training.positive: is of two classes, and 'y' has 3 \(0, 1, 2\); take it out, or make the target a truth",
        ),
        (
            {"positive": 1, "metric": "r2", "candidates": {"ridge": RIDGE}},
            {**FEATURES, "y": FEATURES["x0"]},
            "training.positive: '1' is a class, and 'y' is taken for an amount; add training.task: classification",
        ),
    ],
)
def test_a_positive_class_that_is_none_is_refused(changes: dict[str, Any], columns: Any, says: str) -> None:
    """The sentence names the value and what there is instead."""
    with pytest.raises(TrainingError, match=says):
        check_rows(training(**changes), pa.table(columns))


def test_a_positive_class_that_nobody_expects_is_told_where_it_is_ranked_by() -> None:
    """Where 0 is the rarer one and F1 is asked for, the file is to say which is meant; accuracy does not care."""
    table = pa.table({**FEATURES, "y": 1 - FRAUD.astype(int)})

    doubtful = check_rows(training(metric="f1"), table)
    declared, accuracy = (check_rows(training(**changes), table) for changes in ({"metric": "f1", "positive": 1}, {}))

    assert doubtful.warnings == (
        f"training.positive: f1 is of y = 0, the rarer class ({FRAUD.mean():.0%} of the rows); "
        "declare positive: 1 if you mean that, else positive: 0",
    )
    assert (declared.warnings, accuracy.warnings) == ((), ())
    assert [each.target.positive for each in (doubtful, declared, accuracy)] == [0, 1, 0]


def test_two_classes_as_frequent_have_the_second_as_positive() -> None:
    """As truths and numbers have it, where none is the rarer one."""
    table = pa.table({"x": np.arange(40.0) % 7, "y": [True, False] * 20})

    assert check_rows(training(), table).target.positive is True


WEIGHED = [
    ("sklearn.linear_model.LogisticRegression", "class_weight"),
    ("sklearn.ensemble.HistGradientBoostingClassifier", "class_weight"),
    ("sklearn.ensemble.RandomForestClassifier", "class_weight"),
    ("lightgbm.LGBMClassifier", "class_weight"),
    ("catboost.CatBoostClassifier", "class_weights"),
    ("sklearn.naive_bayes.GaussianNB", "priors"),
    ("sklearn.discriminant_analysis.LinearDiscriminantAnalysis", "priors"),
]
TARGETS: dict[str, tuple[Any, Any, Any]] = {
    "texts": (NAMED["y"], "legit", "fraud"),
    "truths": (FRAUD, False, True),
    "numbers": (FRAUD.astype(int), 0, 1),
    "number texts": (np.where(FRAUD, "1", "0"), 0, 1),
}


@pytest.mark.parametrize("kind", TARGETS)
@pytest.mark.parametrize(("estimator", "name"), WEIGHED)
def test_weights_are_of_the_target_s_own_classes(tmp_path: Path, estimator: str, name: str, kind: str) -> None:
    """A class of more weight is predicted more often, whatever its type, and the model is kept."""
    if estimator.partition(".")[0] != "sklearn":
        pytest.importorskip(estimator.partition(".")[0])
    target, often, rare = TARGETS[kind]
    light = {often: 0.99, rare: 0.01} if name == "priors" else {often: 20, rare: 1}
    heavy = {often: 0.01, rare: 0.99} if name == "priors" else {rare: 20, often: 1}
    fewer = {
        "Hist": {"max_iter": 5},
        "Forest": {"n_estimators": 5},
        "LGBM": {"n_estimators": 5},
        "Cat": {"iterations": 5},
    }
    small = next((params for part, params in fewer.items() if part in estimator), {})

    named = []
    for number, weights in enumerate((light, heavy)):
        candidate = {"estimator": estimator, "params": {name: weights, **small}}
        judged = judge(tmp_path / str(number), {**FEATURES, "y": target}, candidate)
        version = judged.publish()
        model = load_model(judged.models / version.name / "model.skops")
        assert len(model.classes_) == 2
        said = holdout(judged.leaderboard.lines[0].finalist.folder)  # type: ignore[union-attr]
        named.append(sum(find_label(rare, [each]) is not None for each in said["prediction"].to_pylist()))

    assert named[0] < named[1]


@pytest.mark.parametrize("more", [{"calibrate": "sigmoid"}, {"search": {"by": "grid", "space": {"depth": [1, 2]}}}])
def test_lists_of_catboost_are_cloned(evaluate: Evaluate, more: dict[str, Any]) -> None:
    """Whoever clones it: what corrects probabilities, and a search."""
    pytest.importorskip("catboost")
    params = {"iterations": 3, "monotone_constraints": [1, 0], "class_weights": {True: 20, False: 1}}
    candidate = {"estimator": "catboost.CatBoostClassifier", "params": params, **more}

    found = evaluate({**FEATURES, "y": FRAUD}, candidates={"only": candidate})

    assert found["only"].error is None


def test_weights_are_tuned_by_a_search(evaluate: Evaluate) -> None:
    """A grid may try weights by class beside a word."""
    search = {"by": "grid", "space": {"class_weight": [{False: 1, True: 10}, "balanced", None]}}
    found = evaluate({**FEATURES, "y": FRAUD}, metric="recall", candidates={"only": {**LOGISTIC, "search": search}})

    assert found["only"].error is None


@pytest.mark.parametrize(
    ("candidate", "target", "says"),
    [
        (
            {**LOGISTIC, "params": {"class_weight": {0: 1, 2: 10}}},
            FRAUD.astype(int),
            "candidates.only.params.class_weight: '2' is not a class of 'y'; there are 0, 1",
        ),
        (
            {**LOGISTIC, "search": {"by": "grid", "space": {"class_weight": [{"fruad": 2}]}}},
            NAMED["y"],
            "candidates.only.search.space.class_weight: 'fruad' is not a class of 'y'; did you mean fraud\\?",
        ),
        (
            {"estimator": "sklearn.naive_bayes.GaussianNB", "params": {"priors": {"fraud": 0.5}}},
            NAMED["y"],
            "candidates.only.params.priors: has no share of legit; every class of 'y' needs one",
        ),
        (
            {"estimator": "sklearn.ensemble.HistGradientBoostingClassifier", "params": {"monotonic_cst": {"x0": 1}}},
            NAMED["y"],
            "candidates.only.params.monotonic_cst: speaks of 'legit', the second class of 'y' in order, and the positive "
            "one is 'fraud'; add training.positive: legit, or make the target a truth: y = 'fraud' AS y",
        ),
    ],
)
def test_params_of_classes_that_are_not_there_or_are_others_are_refused(
    candidate: dict[str, Any], target: Any, says: str
) -> None:
    """Before a fit, by the key, the value and the cure."""
    with pytest.raises(TrainingError, match=says):
        check_rows(training(candidates={"only": candidate}), pa.table({**FEATURES, "y": target}))


def test_a_weight_of_the_second_class_is_refused_where_the_first_is_positive() -> None:
    """`scale_pos_weight` is of the class that xgboost and lightgbm number 1, which need not be the positive one."""
    pytest.importorskip("xgboost")
    weighed = {"estimator": "xgboost.XGBClassifier", "params": {"scale_pos_weight": 4}}
    asked = training(candidates={"only": weighed})

    with pytest.raises(TrainingError, match="scale_pos_weight: speaks of 'legit'"):
        check_rows(asked, pa.table(NAMED))
    assert check_rows(asked, pa.table({**FEATURES, "y": FRAUD})).target.positive is True


def test_a_class_that_a_fold_lacks_has_no_weight_there() -> None:
    """Weights of classes that are not among a fit's rows are left out, and of all others stay."""
    candidate = Candidate.model_validate({**LOGISTIC, "params": {"class_weight": {0: 3, 1: 5, 2: 9}}})

    assert build_estimator(candidate, 1, (0, 2)).class_weight == {0: 3, 2: 9}
    assert build_estimator(candidate, 1, (0, 2, 4)).class_weight == {0: 3, 2: 9, 4: 1}
