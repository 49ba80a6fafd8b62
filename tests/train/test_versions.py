"""Versions are whole, never change, and one of them serves until a better one is sure to be so."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from flows.cli.models import show_versions
from tasks.core.errors import ConfigError, TrainingError
from tasks.reports.training import _row
from tasks.train.registry import list_versions, load_model, promote, read_champion, read_version, roll_back
from tasks.train.registry.card import write_card
from tasks.train.registry.version import KeptTraining, read_environment
from tests.train.conftest import LOGISTIC, sklearn_table
from tests.train.publishing import Judged, judge
from tests.train.test_registry import tamper

STUMP = {"estimator": "sklearn.tree.DecisionTreeClassifier", "params": {"max_depth": 1}}
NAIVE = {"estimator": "sklearn.naive_bayes.GaussianNB"}
CLOSE = LOGISTIC | {"params": {"max_iter": 1000, "C": 0.9}}
QUERY = "SELECT * EXCLUDE (row) FROM rows ORDER BY row"
FEATURES = tuple(f"x{place}" for place in range(6))
CANCER = {name: values for name, values in sklearn_table("breast_cancer").items() if name in (*FEATURES, "row", "y")}


def trained(folder: Path, candidate: dict[str, Any], columns: Any = CANCER, **changes: Any) -> Judged:
    """Return a judged candidate on some columns of the breast cancer table."""
    return judge(folder, columns, candidate, **{"query": QUERY, "metric": "roc_auc", **changes})


def test_a_version_is_a_whole_folder(tmp_path: Path) -> None:
    """It holds the model, its card, its figures, its environment and its answers on the hold-out."""
    judged = trained(tmp_path, LOGISTIC)
    version = judged.publish()

    folder = judged.models / version.name
    names = {"model.skops", "model_card.md", "metrics.json", "environment.json", "holdout.arrow", "learnt.npy"}
    assert {path.name for path in folder.iterdir()} == names | {"lineage.json"}
    assert version.name.startswith("v0001-")
    assert list_versions(judged.models) == [version]
    assert version.training_set == judged.leaderboard.training_set.fingerprint
    assert set(version.features) == set(version.reference) == set(version.importances) == set(FEATURES)
    assert set(json.loads((folder / "environment.json").read_text())["packages"]) >= {"scikit-learn", "skops"}
    assert load_model(folder / "model.skops").classes_.tolist() == [0, 1]


def test_the_card_tells_what_is_known(tmp_path: Path) -> None:
    """Data, split, scores with intervals, features, limits, library versions and how to load it."""
    judged = trained(tmp_path, LOGISTIC, split={"by": "random", "repeats": 2})
    version = judged.publish()

    card = (judged.models / version.name / "model_card.md").read_text()
    assert version.interval is not None
    low, high = version.interval
    for text in (
        f"# toy: only, version {version.name}",
        "455 rows to train, 114 held out",
        f"| **roc_auc**, hold-out | {version.score:.4f} | {low:.4f} to {high:.4f} |",
        "| roc_auc, mean of 5 folds, drawn 2 times |",
        "split by random",
        QUERY,
        "| x5 | number |",
        "drawn at random",
        "scikit-learn ",
        f'load_model("data/models/toy/{version.name}/model.skops")',
    ):
        assert text in card
    single, final = {"only": LOGISTIC, "tree": {"estimator": "a.Tree"}}, {"estimator": "a.Line", "params": {"C": 0.5}}
    for kept, told in ({}, ""), ({"final": None}, ""), ({"final": final}, '"final.C": 0.5, '):
        candidates = single | {"stacked": {"stack": ["only", "tree"], **kept}}
        declared = KeptTraining.model_validate(
            {"query": QUERY, "split": {"by": "random"}, "seed": 1, "candidates": candidates}
        )
        stacked = replace(version, candidate="stacked", training=declared)
        environment = read_environment(judged.models / version.name / "environment.json")
        assert environment is not None
        assert f'parameters: `{{{told}"only.max_iter": 1000}}`' in write_card(stacked, environment)


def test_an_unknown_interval_is_told_as_such(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """On the card, in the UI, in the list of versions and in what is kept, it is no interval of no width."""
    judged = trained(tmp_path, STUMP)
    (line,) = judged.leaderboard.lines
    assert line.finalist is not None
    unsure = replace(line, finalist=replace(line.finalist, interval=None))
    board = replace(judged.leaderboard, lines=(unsure,))
    judged = replace(judged, leaderboard=board)

    version = judged.publish()
    judged.decide()
    show_versions("toy", tmp_path)

    champion, score = read_champion(judged.models), f"{version.score:.4f}"
    assert list_versions(judged.models) == [version]
    assert champion is not None
    assert (version.interval, champion.interval, unsure.kept.holdout_interval) == (None, None, None)
    card = (judged.models / version.name / "model_card.md").read_text()
    assert f"| **roc_auc**, hold-out | {score} | unknown |" in card
    assert _row(unsure, board)["hold-out"] == f"{score} (unknown)"
    assert re.search(rf"{version.name} +only +{score} +unknown +455", capsys.readouterr().out)


def test_the_same_training_is_the_same_version(tmp_path: Path) -> None:
    """Nothing is written a second time, and another candidate is the next version."""
    first = trained(tmp_path, STUMP)
    version = first.publish()
    before = {path: path.stat().st_mtime_ns for path in (first.models / version.name).iterdir()}

    assert trained(tmp_path, STUMP).publish() == version
    assert {path: path.stat().st_mtime_ns for path in (first.models / version.name).iterdir()} == before
    assert trained(tmp_path, NAIVE).publish().name.startswith("v0002-")


def test_a_better_model_takes_the_place_and_an_equal_one_does_not(tmp_path: Path) -> None:
    """The first serves; one within noise does not replace it, nor is asked again; one beyond noise does."""
    first = trained(tmp_path, STUMP).decide()
    better = trained(tmp_path, LOGISTIC).decide()
    equal = trained(tmp_path, CLOSE).decide()
    again = trained(tmp_path, CLOSE).decide()

    assert [first.promoted, better.promoted, equal.promoted] == [True, True, False]
    assert better.low is not None
    assert better.low > 0
    assert "beats v0001-" in better.reason
    assert "by more than noise on the same 114 held-out rows" in better.reason
    assert "does not beat v0002-" in equal.reason
    assert again == equal
    champion = read_champion(tmp_path / "models" / "toy")
    assert champion is not None
    assert champion.version == better.version
    assert champion.previous == [first.version]
    assert champion.decisions == [first, better, equal]


@pytest.mark.parametrize(("when", "promoted"), [("always", True), ("never", False)])
def test_the_pipeline_file_s_policy_decides(tmp_path: Path, when: str, promoted: bool) -> None:
    """Always takes what is worse, never keeps what is worse."""
    order = (LOGISTIC, STUMP) if when == "always" else (STUMP, LOGISTIC)
    trained(tmp_path, order[0]).decide()

    assert trained(tmp_path, order[1], promotion={"when": when}).decide().promoted is promoted


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"query": "SELECT * EXCLUDE (row, x3) FROM rows ORDER BY row"},
            "needs the column x3, which the query no longer",
        ),
        (
            {"query": "SELECT * EXCLUDE (row) REPLACE (x3 > 1 AS x3) FROM rows"},
            "x3 was a number for .*, and is a truth",
        ),
        (
            {"target": "z", "query": "SELECT * EXCLUDE (row), y = 0 AS z FROM rows"},
            "the target was y for .*, and is z now",
        ),
    ],
)
def test_a_champion_that_cannot_be_compared_stays(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    """It is kept, and the decision says why and what to do; `always` takes the new one."""
    first = trained(tmp_path, STUMP).decide()

    kept = trained(tmp_path, LOGISTIC, **changes).decide()
    taken = trained(tmp_path, LOGISTIC, **changes, promotion={"when": "always"}).decide()

    assert kept.champion == first.version
    assert re.search(said, kept.reason)
    assert "promote it by hand" in kept.reason
    assert taken.promoted


@pytest.mark.filterwarnings("ignore:null in every row that trains")
@pytest.mark.parametrize("kind", ["VARCHAR", "DOUBLE", "BOOLEAN", "TIMESTAMP"])
@pytest.mark.parametrize(
    "before", ["x0", "CAST(round(x0) AS VARCHAR)", "x0 > 14", "make_timestamp((x0 * 1e12)::BIGINT)"]
)
def test_a_column_that_is_null_in_all_rows_is_of_the_champion_s_kind(tmp_path: Path, before: str, kind: str) -> None:
    """A champion that learnt from it is compared, whatever type its nulls have."""
    query = "SELECT x1, x2, {} AS known, y FROM rows ORDER BY row"
    trained(tmp_path, STUMP, query=query.format(before)).decide()

    decision = trained(tmp_path, LOGISTIC, query=query.format(f"CAST(NULL AS {kind})")).decide()

    assert re.search(r"beats v0001-\w+ by more than noise on the", decision.reason)


def test_a_champion_that_cannot_serve_is_replaced(tmp_path: Path) -> None:
    """One whose folder is gone, or whose file was tampered with, is no champion."""
    best = trained(tmp_path, LOGISTIC)
    best.decide()
    tamper(best.models / list_versions(best.models)[0].name / "model.skops", ["touch", str(tmp_path / "mark")])

    tampered = trained(tmp_path, STUMP).decide()
    shutil.rmtree(best.models / tampered.version)
    gone = trained(tmp_path, NAIVE).decide()

    assert re.search(r"takes over from v0001-.*, which cannot serve: .* holds subprocess\.call", tampered.reason)
    assert re.search("takes over from v0002-.*, whose model is gone", gone.reason)
    assert not (tmp_path / "mark").exists()


@pytest.mark.parametrize("content", [b"", b'{"version": "v0', b'{"version": 3}', b"null", b'{"version": "\xff"}'])
def test_a_damaged_champion_file_is_an_error_until_one_is_promoted(tmp_path: Path, content: bytes) -> None:
    """Neither a run nor a rollback overwrites it; the error names the file, what is wrong and the cure, which works."""
    models = tmp_path / "models" / "toy"
    first = trained(tmp_path, STUMP).decide()
    (models / "champion.json").write_bytes(content)
    told = rf"models/toy/champion\.json: is damaged \(.+\); .*models promote toy VERSION, of {first.version}"

    for act in (lambda: trained(tmp_path, LOGISTIC).decide(), lambda: roll_back(models), lambda: read_champion(models)):
        with pytest.raises(TrainingError, match=told):
            act()
    kept = (models / "champion.json").read_bytes()
    promoted = promote(models, first.version)

    assert kept == (models / "champion.damaged.json").read_bytes() == content
    assert "the damaged champion.json, with the decisions before, is kept as champion.damaged.json" in promoted.reason
    champion = read_champion(models)
    assert champion is not None
    assert (champion.version, champion.decisions) == (first.version, [promoted])


def test_rows_that_the_champion_has_learnt_from_do_not_count(tmp_path: Path) -> None:
    """A champion that knows its rows by heart gains nothing from meeting them again in another hold-out."""
    generator = np.random.default_rng(0)
    x = generator.normal(size=(600, 3))
    columns = {"a": x[:, 0], "b": x[:, 1], "c": x[:, 2], "y": x[:, 0] + generator.normal(size=600) > 0}
    by_heart = {"estimator": "sklearn.tree.DecisionTreeClassifier"}
    asked = {"query": "SELECT * FROM rows", "split": {"by": "random", "test_fraction": 0.5}}
    trained(tmp_path, by_heart, columns, **asked).decide()

    decision = trained(tmp_path, LOGISTIC, columns, **asked, seed=7).decide()

    assert decision.promoted
    found = re.search(r"on the (\d+) of 300 held-out rows that the champion never learnt from", decision.reason)
    assert found
    assert 120 < int(found[1]) < 180


def test_too_few_unseen_rows_are_told(tmp_path: Path) -> None:
    """Where the champion has learnt from nearly all that is held out, all count, and the decision says so."""
    trained(tmp_path, STUMP).decide()

    decision = trained(tmp_path, LOGISTIC, split={"by": "random", "test_fraction": 0.1}, seed=7).decide()

    assert "the same 57 held-out rows, of which the champion may have learnt some" in decision.reason


def test_without_its_numbers_of_rows_a_champion_is_compared_on_all(tmp_path: Path) -> None:
    """A file of them that is cut off is as good as absent."""
    first = trained(tmp_path, STUMP).decide()
    path = tmp_path / "models" / "toy" / first.version / "learnt.npy"
    path.write_bytes(path.read_bytes()[:1000])

    decision = trained(tmp_path, LOGISTIC, seed=7).decide()

    assert "the same 114 held-out rows, of which the champion may have learnt some" in decision.reason


def test_a_roll_back_goes_back_and_stays(tmp_path: Path) -> None:
    """What was set aside by hand is not taken again by the next run, until somebody promotes it."""
    models = tmp_path / "models" / "toy"
    first, second = trained(tmp_path, STUMP).decide(), trained(tmp_path, LOGISTIC).decide()

    assert roll_back(models).champion == first.version
    again = trained(tmp_path, LOGISTIC).decide()
    assert again.champion == first.version
    assert "was set aside by hand" in again.reason
    with pytest.raises(ConfigError, match=r"no version of toy has served before v0001-.*; name one to promote"):
        roll_back(models)
    assert promote(models, second.version).promoted
    assert trained(tmp_path, LOGISTIC).decide().promoted
    assert roll_back(models).champion == first.version


def test_unknown_versions_are_told_by_name(tmp_path: Path) -> None:
    """The error lists what is there."""
    judged = trained(tmp_path, STUMP)

    with pytest.raises(ConfigError, match="'v0009-x' is not a version of toy; it has none yet; run the pipeline first"):
        promote(judged.models, "v0009-x")
    with pytest.raises(ConfigError, match="no version of toy serves yet"):
        roll_back(judged.models)
    version = judged.publish()
    with pytest.raises(ConfigError, match=f"'v0009-x' is not a version of toy; it has {version.name}"):
        read_version(judged.models, "v0009-x")


def test_a_regression_is_published_and_compared(tmp_path: Path) -> None:
    """Amounts have no classes and no strata."""
    x = np.random.default_rng(0).normal(size=(400, 2))
    columns = {"a": x[:, 0], "b": x[:, 1], "y": x @ [3.0, 1.0] + 0.1 * x[:, 0] ** 2}
    ridge = {"estimator": "sklearn.linear_model.Ridge"}
    stump = {"estimator": "sklearn.tree.DecisionTreeRegressor", "params": {"max_depth": 1}}
    asked = {"query": "SELECT * FROM rows", "metric": "neg_root_mean_squared_error"}

    trained(tmp_path, stump, columns, **asked).decide()

    assert trained(tmp_path, ridge, columns, **asked).decide().promoted


@pytest.mark.parametrize("name", ["model.skops", "model_card.md", "environment.json", "holdout.arrow"])
def test_what_is_lost_of_the_champion_is_made_again(tmp_path: Path, name: str) -> None:
    """The same training writes a lost file of its version anew, as it was."""
    first = trained(tmp_path, STUMP)
    version = first.decide().version
    path = first.models / version / name
    before = path.read_bytes()
    path.unlink()

    again = trained(tmp_path, STUMP).decide()

    assert again.version == version
    assert again.reason == "serves already"
    assert load_model(first.models / version / "model.skops").classes_.tolist() == [0, 1]
    assert name == "model.skops" or path.read_bytes() == before


@pytest.mark.parametrize(
    "damage", [lambda content: content[:-50], lambda content: content[:200] + b"?" + content[201:]]
)
def test_a_damaged_model_of_the_champion_is_made_again(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    """One that is cut off, or of which a byte is another, does not stay because its version is there."""
    first = trained(tmp_path, STUMP)
    path = first.models / first.decide().version / "model.skops"
    path.write_bytes(damage(path.read_bytes()))

    trained(tmp_path, STUMP).decide()

    assert load_model(path).classes_.tolist() == [0, 1]


def test_a_champion_whose_model_is_gone_is_replaced_though_it_was_compared_before(tmp_path: Path) -> None:
    """What was decided when it could serve is no reason to have no model; where only hands promote, it is told."""
    best = trained(tmp_path, LOGISTIC)
    champion = best.decide().version
    stays = trained(tmp_path, STUMP).decide()
    (best.models / champion / "model.skops").unlink()

    told = trained(tmp_path, STUMP, promotion={"when": "never"}).decide()
    taken = trained(tmp_path, STUMP).decide()

    assert (stays.promoted, told.promoted, taken.promoted) == (False, False, True)
    assert f"the model of {champion} is gone" in told.reason
    assert f"takes over from {champion}, whose model is gone" in taken.reason
