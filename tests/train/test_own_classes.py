"""Estimators from outside: as the page on extensions shows one, and as they should not be."""

from __future__ import annotations

import json
import re
import shutil
import sys
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError
from ruamel.yaml import YAML

from tasks.config import Pipeline, load_pipeline
from tasks.config.base import trust
from tasks.config.trusted import trust_packages
from tasks.core.errors import ConfigError, TrainingError
from tasks.train.checks.section import check_training
from tasks.train.checks.training_set import write_training_set
from tasks.train.data.training_set import TrainingSet
from tasks.train.evaluation.folds import Attempt, evaluate_fold, fit_rows
from tasks.train.evaluation.holdout import judge_finalist, measure_importances
from tasks.train.evaluation.job import CandidateJob, plan_jobs
from tasks.train.evaluation.leaderboard import Leaderboard
from tasks.train.models.estimators import load_estimator
from tasks.train.predict.batches import predict_rows
from tasks.train.predict.inputs import read_input
from tasks.train.registry import decide_champion, list_versions, load_model, promote
from tests.documented import DOCS, blocks
from tests.train.conftest import LOGISTIC, sklearn_table, training, write_table
from tests.train.own_packages import NEAREST, TRUSTED
from tests.train.publishing import judge
from tests.train.test_registry import nodes_of

QUERY = "SELECT * EXCLUDE (row) FROM rows ORDER BY row"

pytestmark = pytest.mark.usefixtures("own_packages")


def write(folder: Path, trusted: str) -> Path:
    """Write a pipeline file that trusts packages, and return its path."""
    file = folder / "pipeline.yaml"
    candidate = "{estimator: sklearn.dummy.DummyClassifier}"
    file.write_text(
        f"name: own\nsources: {{rows: {{kind: files, path: '*.csv'}}}}\ntraining:\n  query: rows\n  target: y\n"
        f"  trusted: {trusted}\n  candidates: {{only: {candidate}}}\n"
    )
    return file


Plan = Callable[[dict[str, Any]], dict[str, CandidateJob]]


@pytest.fixture(scope="module")
def irises(tmp_path_factory: pytest.TempPathFactory) -> TrainingSet:
    """Return a training set, built once."""
    folder = tmp_path_factory.mktemp("irises")
    return write_training_set(
        training(query=QUERY), {"rows": write_table(folder / "rows", sklearn_table("iris"))}, folder / "training"
    )


@pytest.fixture
def plan(irises: TrainingSet, tmp_path: Path) -> Plan:
    """Return a function that plans the jobs of candidates on the irises; they are not checked, for which a process would be begun."""

    def _plan(candidates: dict[str, Any]) -> dict[str, CandidateJob]:
        asked = training(query=QUERY, trusted=TRUSTED, candidates=candidates)
        return {job.name: job for job in plan_jobs(asked, irises, tmp_path / "models")}

    return _plan


def test_the_sections_of_the_page_are_right() -> None:
    """Each is one that a pipeline file may have."""
    trust_packages({"trusted": ["my_models", "my_features", "my_splits"]})
    sections = [YAML(typ="safe").load(text) for text in blocks(DOCS / "extending.md", "yaml") if "trusted:" in text]

    read = [training(**section["training"]) for section in sections]

    assert [(each.trusted, each.split.by) for each in read] == [
        (("my_models",), "random"),
        (("my_features",), "random"),
        (("my_splits",), "own"),
    ]


def test_nothing_but_a_file_trusts_a_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a form, nor another key of the file, nor the environment, from which the file takes a value."""
    section = {"query": "rows", "target": "y", "trusted": ["evil"], "candidates": {"only": LOGISTIC}}
    form = {"name": "own", "sources": {"rows": {"kind": "files", "path": "*.csv"}}, "training": section}
    trust("target", "evil")  # as a target of an export of that name would be
    monkeypatch.setenv("PACKAGE", "evil")

    with pytest.raises(ValidationError, match="'evil' is trusted where a pipeline file on disk says so itself"):
        Pipeline.model_validate(form)
    for told in ('["${PACKAGE}"]', '["${GONE:-evil}"]', '["${PACKAGE}.models"]'):
        with pytest.raises(
            ConfigError, match=r"'evil(.models)?' is trusted where a pipeline file on disk says so itself"
        ):
            load_pipeline(write(tmp_path, told))
    known = load_pipeline(write(tmp_path, "[my_models, odd_models.deep]")).training
    assert known is not None
    assert known.trusted == ("my_models", "odd_models.deep")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("os", "'os' is a part of Python"),
        ("__main__", "is whatever is run, and another elsewhere"),
        ("builtins", "'builtins' is a part of Python"),
        ("sklearn", "'sklearn' has estimators that are known without it"),
        ("numpy.core", "is no package of your own"),
        ("tasks.train", "is no package of your own"),
        ("", "'' is no name of a package"),
        (".my_models", "is no name of a package"),
        ("my_models..deep", "is no name of a package"),
        ("my models", "is no name of a package"),
        ("'*'", "is no name of a package"),
    ],
)
def test_some_packages_are_not_to_be_trusted(tmp_path: Path, name: str, said: str) -> None:
    """A model file could name all that is in them."""
    with pytest.raises(ConfigError, match=said):
        load_pipeline(write(tmp_path, f"[{name or repr('')}]"))


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("my_models2.NearestCentre", "is not an estimator of"),
        ("my_models.os.system", "there is no module my_models.os"),
        ("odd_models.system", "is no class; name a class of odd_models"),
        ("odd_models.LogisticRegression", "is sklearn.linear_model._logistic.LogisticRegression, of a package that"),
        ("odd_models.os.system", "there is no module odd_models.os"),
        ("my_models..NearestCentre", "is not an estimator of"),
        ("my_models.NearestCentre.fit", "there is no module my_models.NearestCentre"),
        ("my_models.np", "is no class"),
        ("odd_models.Plain", "is not derived from sklearn.base.BaseEstimator"),
        ("odd_models.Neither", "is neither a classifier nor a regressor"),
        ("os.system", "is not an estimator of"),
        ("__main__.Own", "is not an estimator of"),
        ("gone.Class", "needs the package gone, which is not installed; install it"),
    ],
)
def test_no_class_of_another_package_is_taken(path: str, said: str) -> None:
    """Nor one that a package has only imported, nor what is no estimator."""
    with pytest.raises(ConfigError, match=said):
        load_estimator(path, ("my_models", "odd_models", "gone"))


def test_a_package_that_is_there_and_not_trusted_is_named() -> None:
    """With the cure, and without an import."""
    with pytest.raises(ConfigError, match=r"add my_models to training\.trusted if its code is to be run"):
        load_estimator("my_models.NearestCentre")

    assert "my_models" not in sys.modules


def test_its_figures_are_those_of_its_class(plan: Plan) -> None:
    """As those of scikit-learn's own class of the same, with a search and corrected probabilities as any other's."""
    searched = {"by": "grid", "space": {"temperature": [1.0, 100.0]}}
    candidates = {
        "nearest": NEAREST,
        "centroid": {"estimator": "sklearn.neighbors.NearestCentroid"},
        "searched": {"estimator": "my_models.NearestCentre", "search": searched},
        "calibrated": NEAREST | {"calibrate": "sigmoid"},
    }
    jobs = plan(candidates)

    found = {name: evaluate_fold(jobs[name], 1) for name in candidates}

    assert [each.error for each in found.values()] == [None] * 4
    assert found["nearest"].score == found["centroid"].score
    assert min(each.score or 0 for each in found.values()) > 0.75


def test_a_transformer_makes_features_of_its_columns(plan: Plan) -> None:
    """In their place, beside the others as ever, also where an estimator knows texts by itself; an own estimator has what it makes."""

    def through(
        transformer: str, columns: list[str], estimator: str = str(LOGISTIC["estimator"]), **params: Any
    ) -> Any:
        steps = [{"transformer": transformer, "columns": columns, "params": params}]
        return {"estimator": estimator, "preprocessing": {"transformers": steps}}

    candidates = {
        "ratio": through("my_features.Ratio", ["x0", "x1"], floor=0.1),
        "nearest": through("my_features.Ratio", ["x2", "x3"], "my_models.NearestCentre"),
        "centred": through("odd_models.Centred", ["x0"]),
        "short": through("odd_models.Centred", ["x0", "x1", "x2", "x3"], rows=-1),
        "gone": through("my_features.Ratio", ["x0", "x9"]),
        "foreign": through("sklearn.preprocessing.PowerTransformer", ["x0"]),
    }
    jobs = plan(candidates)

    found = {name: evaluate_fold(jobs[name], 0) for name in candidates}
    attempt = Attempt(jobs["ratio"])
    model = fit_rows(jobs["ratio"], jobs["ratio"].split.sides().train, attempt)

    assert min(found["ratio"].score or 0, found["nearest"].score or 0) > 0.8, found
    assert model[0].transformers_[-1][2] == ["x0", "x1"]
    assert model[-1].n_features_in_ == 3
    assert "when it is asked 12 of them alone: what it says of a row may depend on no other" in str(
        found["centred"].error
    )
    assert "inconsistent numbers of samples" in str(found["short"].error)
    assert "preprocessing.transformers: 'x9' is no feature" in str(found["gone"].error)
    assert "'sklearn.preprocessing.PowerTransformer' is of no package that training.trusted names" in str(
        found["foreign"].error
    )
    assert jobs["ratio"].own_packages == ("my_features",)


@pytest.mark.parametrize(
    ("candidate", "said"),
    [
        ({"params": {"how": "turns"}}, "has the classes_ 2, 1, 0 of the target's 0, 1, 2 after its fit"),
        ({"params": {"how": "keeps a function"}}, "cannot be saved: it holds odd_models.<lambda>"),
        ({"params": {"how": "drops"}}, "it gives 23 answers for 24 rows"),
        ({"params": {"how": "misses"}}, "predict_proba returns what is no finite number"),
        ({"params": {"how": "doubles"}}, "predict_proba returns what are no probabilities"),
        ({"params": {"how": "narrows"}}, r"returns the shape \(24, 1\), and has 3 classes"),
        ({"params": {"how": "ranks"}}, "when it is asked 12 of them alone"),
        ({"params": {"how": "draws"}}, "says otherwise once it is loaded"),
        ({"params": {"how": "invents"}}, "predict returns .*7.*, which is none of its classes_"),
        ({"estimator": "odd_models.Forgets"}, "says otherwise once it is loaded"),
        ({"estimator": "odd_models.Changes"}, "cannot be copied .*modifies parameter temperature"),
        ({"estimator": "odd_models.Loses"}, "cannot be copied .*no attribute 'temperature'"),
    ],
)
def test_one_that_cannot_be_right_is_a_line(plan: Plan, candidate: dict[str, Any], said: str) -> None:
    """It says which method of which class, and what to do; there is no figure of it."""
    found = evaluate_fold(plan({"odd": {"estimator": "odd_models.Odd", **candidate}})["odd"], 0)

    assert str(found.error).startswith("training.candidates.odd: ")
    assert re.search(said, str(found.error)), found.error
    assert found.score is None


def test_it_is_loaded_by_processes_that_may_be_killed(plan: Plan) -> None:
    """What is wrong is told before a fit, also of a module that ends its process, and nothing of it comes here."""
    steps = [{"transformer": "my_features.Gone", "columns": ["x0"]}]
    wrong = {
        "dying": {"estimator": "dying.Model"},
        "unknown": NEAREST | {"params": {"temprature": 1}},
        "changes": {"estimator": "odd_models.Changes"},
        "features": LOGISTIC | {"preprocessing": {"transformers": steps}},
    }
    planned = plan(wrong)

    mistakes = check_training(training(trusted=TRUSTED, candidates=wrong))

    key = "training.candidates"
    assert mistakes[0].startswith(f"{key}.dying.estimator: dying.Model: its process ended by itself with exit code 3")
    assert mistakes[1].endswith("NearestCentre has no parameter 'temprature'; did you mean temperature?")
    assert mistakes[2].startswith(f"{key}.changes.params: odd_models.Changes cannot be copied")
    assert mistakes[3].startswith(f"{key}.features.preprocessing.transformers.0: 'my_features.Gone': is not there")
    assert planned["dying"].preloaded == (), "what is preloaded is in a process without limits"
    assert not set(TRUSTED) & set(sys.modules)


def test_what_it_prints_and_is_made_of_is_kept(plan: Plan) -> None:
    """Beside what any other finalist is judged by."""
    job = plan({"prints": {"estimator": "odd_models.Odd", "params": {"how": "prints", "temperature": 100.0}}})["prints"]

    judged = judge_finalist(job)
    drops = measure_importances(job, judged.types)

    assert judged.error is None
    assert judged.types == ("odd_models.Odd",)
    assert judged.warnings == ("it writes to standard output: much to say",)
    assert len(drops) == 4
    with pytest.raises(TrainingError, match="which is not on the list of trusted types"):
        measure_importances(job)


def test_other_code_is_another_candidate(packages: Path, plan: Plan) -> None:
    """By the hash of the package's files, and its version where it has one; those of other packages stay as they are."""

    def prints() -> dict[str, str]:
        return {name: job.fingerprint for name, job in plan({"nearest": NEAREST, "logistic": LOGISTIC}).items()}

    first, again = prints(), prints()
    module = packages / "my_models.py"
    module.write_text(module.read_text().replace("** 2", "** 4"))
    edited = prints()
    info = packages / "own_models-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: own-models\nVersion: 1.2\n")
    (info / "top_level.txt").write_text("my_models\n")
    installed = prints()

    shutil.rmtree(info)

    assert first == again
    assert first["logistic"] == edited["logistic"] == installed["logistic"]
    assert len({first["nearest"], edited["nearest"], installed["nearest"]}) == 3


def test_a_model_is_of_what_its_version_lists_and_its_file_trusts(tmp_path: Path, packages: Path) -> None:
    """The champion of one's own predicts where the file trusts its package, is told in the card, is compared by another process, and else nothing of it is run."""
    (packages / "my_models.py").open("a").write(f"\n\nopen({str(tmp_path / 'ran')!r}, 'a').write('x')\n")
    columns = sklearn_table("iris")
    judged = judge(tmp_path, columns, NEAREST, query=QUERY, trusted=["my_models"])
    decided = judged.decide()
    folder = judged.models / decided.version
    rows = read_input(
        str(write_table(tmp_path / "new", {k: v[:30] for k, v in columns.items()}) / "part-0.parquet"), {}
    )
    path = folder / "model.skops"
    version = list_versions(judged.models)[0]
    sys.modules.pop("my_models")
    challenger = judge(tmp_path, columns, LOGISTIC, query=QUERY, trusted=["my_models"])
    challenged = decide_champion(judged.models, challenger.publish(), renamed(challenger.leaderboard))
    compared_here = "my_models" in sys.modules
    promote(judged.models, challenged.version)
    with pytest.raises(TrainingError, match=r"of a package that training\.trusted of the pipeline file does not name"):
        promote(judged.models, decided.version)
    promote(judged.models, decided.version, ("my_models",))
    predict_rows(judged.models, rows, {}, tmp_path / "out.parquet", trusted=("my_models",))
    sys.modules.pop("my_models")
    ran = (tmp_path / "ran").read_text()

    refusals: dict[str, list[Callable[[], object]]] = {
        "of a package that training.trusted of the pipeline file does not name": [
            lambda: predict_rows(judged.models, rows, {}, tmp_path / "no.parquet"),
            lambda: load_model(path, version.types),
            lambda: load_model(path, version.types, ("my_model", "my_models2", "odd_models")),
        ],
        "my_models.NearestCentre, which is not on the list of trusted types": [
            lambda: load_model(path, (), ("my_models",)),
            lambda: load_model(path, ("my_models.Other",), ("my_models",)),
        ],
    }
    for said, calls in refusals.items():
        for call in calls:
            with pytest.raises(TrainingError, match=said):
                call()

    assert (tmp_path / "ran").read_text() == ran, "the package was imported"
    assert version.types == ("my_models.NearestCentre",)
    assert "the same 30 held-out rows: " in challenged.reason
    assert challenged.champion == decided.version
    assert not compared_here
    assert pq.read_table(tmp_path / "out.parquet").num_rows == 30
    card, made_with = (folder / "model_card.md").read_text(), json.loads((folder / "environment.json").read_text())
    assert "classes of your own: `my_models.NearestCentre`" in card
    assert 'types=["my_models.NearestCentre"], trusted=["my_models"]' in card
    assert made_with["packages"]["my_models"].startswith("code ")
    assert f"my_models ({made_with['packages']['my_models']})" in card
    for name in ("odd_models.system", "odd_models.LogisticRegression", "odd_models.Odd.fit", "odd_models.os"):
        rename(path, name)
        with pytest.raises(TrainingError, match=r"odd_models.* (is no class|of a package that|there is no module)"):
            load_model(path, (name,), ("odd_models",))


def renamed(leaderboard: Leaderboard) -> Leaderboard:
    """Return the leaderboard of the same with another name of its candidate."""
    (line,), asked = leaderboard.lines, leaderboard.training
    asked = asked.model_copy(update={"candidates": {"other": asked.candidates["only"]}})
    return replace(leaderboard, training=asked, lines=(replace(line, name="other"),))


def rename(path: Path, name: str) -> None:
    """Have a model file name something else in the place of its estimator."""
    module, _, name = name.rpartition(".")
    with zipfile.ZipFile(path) as archive:
        files = {each: archive.read(each) for each in archive.namelist()}
    schema = json.loads(files["schema.json"])
    node = next(node for node in nodes_of(schema) if node.get("__module__", "").startswith(("my_models", "odd_models")))
    node["__module__"], node["__class__"] = module, name
    with zipfile.ZipFile(path, "w") as archive:
        for each, content in files.items():
            archive.writestr(each, json.dumps(schema) if each == "schema.json" else content)
