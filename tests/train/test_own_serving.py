"""Models with classes of one's own where they serve: what they are asked, and whether they are what was scored."""

from __future__ import annotations

import importlib
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

from tasks.core.errors import TrainingError
from tasks.core.own_code import code_versions
from tasks.core.storage import DataFolder
from tasks.train.data.features import features_among
from tasks.train.evaluation.predictions import Predictions
from tasks.train.handover.held_out import hold
from tasks.train.models.ensembles import vote_of
from tasks.train.predict.batches import predict_rows
from tasks.train.predict.inputs import read_input
from tasks.train.predict.model import ServingModel
from tasks.train.registry import load_model, promote, roll_back
from tasks.train.scoring.scorer import Scorer
from tests.train.conftest import LOGISTIC, sklearn_table, write_table
from tests.train.own_packages import NEAREST, TRUSTED
from tests.train.publishing import judge

pytestmark = pytest.mark.usefixtures("own_packages")

QUERY = "SELECT * EXCLUDE (row) FROM rows ORDER BY row"


def test_it_is_asked_as_it_was_scored_and_its_answers_are_looked_at(tmp_path: Path) -> None:
    """One that changes the rows it is given serves what it scored; one within a calibration that gives NaN serves nothing."""
    columns = sklearn_table("iris")
    far = columns | {"x0": columns["x0"] * 1e6}

    def serve(how: str, **changes: Any) -> ServingModel:
        odd = {"estimator": "odd_models.Odd", "params": {"how": how, "temperature": 100.0}, **changes}
        judged = judge(tmp_path / how, columns, odd, query=QUERY, trusted=TRUSTED)
        version = judged.publish()
        model = load_model(judged.models / version.name / "model.skops", version.types, TRUSTED)
        return ServingModel(version, model, features_among(pa.field(name, pa.float64()) for name in version.features))

    told, _ = serve("wipes").predict(pa.table(columns))
    sure = np.column_stack([told[f"probability_{label}"] for label in range(3)])
    calibrated = serve("loses far ones", calibrate="sigmoid")

    assert told["prediction"].to_pylist() == sure.argmax(axis=1).tolist()
    assert calibrated.predict(pa.table(columns))[0].num_rows == 150
    with pytest.raises(TrainingError, match="predict_proba returns what is no finite number"):
        calibrated.predict(pa.table(far))


def test_other_code_than_a_version_was_made_by_is_told(tmp_path: Path, packages: Path) -> None:
    """Where it predicts, answers, is compared, promoted or handed on; a process that has the code of before takes no version of the new.

    Of code that changed while it was trained there is no version; back as it was, it is kept.
    """
    columns, asked = sklearn_table("iris"), {"query": QUERY, "trusted": TRUSTED}
    judged = judge(tmp_path, columns, NEAREST, **asked)
    module = packages / "my_models.py"
    fitted = module.read_text()
    module.write_text(fitted.replace("** 2", "** 4"))
    with pytest.raises(
        TrainingError, match=r"candidates\.only: the code of my_models or .* was changed while .*run it again"
    ):
        judged.publish()
    assert not list(judged.models.glob("v*"))
    module.write_text(fitted)
    first = judged.decide().version
    scorer = Scorer(judged.models, trusted=TRUSTED)
    table = write_table(tmp_path / "new", {name: values[:30] for name, values in columns.items()})
    rows = read_input(str(table / "part-0.parquet"), {})
    same = predict_rows(judged.models, rows, {}, tmp_path / "same.parquet", trusted=TRUSTED)
    module.write_text(fitted.replace("** 2", "** 4"))
    told: list[str] = []

    other = predict_rows(judged.models, rows, {}, tmp_path / "other.parquet", trusted=TRUSTED)
    compared = judge(tmp_path, columns, LOGISTIC, **asked).decide()
    with pytest.raises(TrainingError, match="so that it is another model; put its code back"):
        hold(DataFolder(tmp_path), "toy", first, TRUSTED)
    began = Scorer(judged.models, trusted=TRUSTED).warning
    promote(judged.models, compared.version)
    scorer.exchange(told.append)
    back = roll_back(judged.models)
    again = promote(judged.models, compared.version), promote(judged.models, first, TRUSTED)
    scorer.exchange(told.append)

    changed = f"my_models and odd_models have changed since {first} was made"  # the other imports the one
    assert same.doubts == ()
    assert other.doubts == (
        f"{changed}, and may predict otherwise than it was scored; train again, or put its code back",
    )
    assert f"cannot be compared: {changed}; promote it by hand" in compared.reason
    assert str(began).startswith(changed)
    assert changed in back.reason
    assert changed in again[1].reason
    assert changed not in again[0].reason
    assert [said.partition(";")[0] for said in told] == [
        f"{compared.version} (only) serves in place of {first}",
        "warning: my_models and odd_models changed since score began",
    ]
    assert scorer.serving.model.version.name == compared.version


def test_all_that_may_be_imported_of_a_package_is_its_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two folders that make one, the module that comes first; what is linked into it; and what is in an archive."""
    for folder in ("one/spread", "two/spread", "three/linked", "elsewhere", "packed/zipped"):
        (tmp_path / folder).mkdir(parents=True)
    for file in ("one/spread/a.py", "two/spread/a.py", "three/linked/__init__.py", "packed/zipped/__init__.py"):
        (tmp_path / file).touch()
    (tmp_path / "three/linked/inner").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere/back").symlink_to(tmp_path / "three/linked")
    archive = Path(shutil.make_archive(str(tmp_path / "archive"), "zip", tmp_path / "packed"))
    for name in ("archive.zip", "three", "two", "one"):
        monkeypatch.syspath_prepend(tmp_path / name)
    names = ("spread", "linked", "zipped")

    first = code_versions(names)
    (tmp_path / "one/spread/a.py").write_text("a = 1\n")
    (tmp_path / "elsewhere/b.py").touch()
    (tmp_path / "packed/zipped/c.py").touch()
    shutil.make_archive(str(archive.with_suffix("")), "zip", tmp_path / "packed")
    then = code_versions(names)

    assert [name for name in names if first[name] == then[name]] == []


@pytest.mark.parametrize("how", ["loses far ones", "doubles"])
def test_what_an_ensemble_of_one_says_is_looked_at(how: str) -> None:
    """A vote hands on what its members say, and is of scikit-learn's own classes."""
    columns = sklearn_table("iris")
    frame = pd.DataFrame({f"x{place}": columns[f"x{place}"] for place in range(4)})
    odd = importlib.import_module("odd_models").Odd
    members = {
        name: Pipeline([("columns", FunctionTransformer(np.asarray)), ("estimator", odd(name, 100.0))]).fit(
            frame, columns["y"]
        )
        for name in (how, "right")
    }

    with pytest.raises(TrainingError, match=r"predict_proba returns what (is no finite number|are no probabilities)"):
        _ = Predictions(vote_of(members, None), frame * 1e6, columns["y"]).probability
