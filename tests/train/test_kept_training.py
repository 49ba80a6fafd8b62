"""The training section and the environment that are kept with a version, and what is read of them again."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tasks.core.storage import write_json
from tasks.train.registry import Version, list_versions
from tests.train.conftest import LOGISTIC
from tests.train.predicting import predict_file
from tests.train.publishing import Judged, judge

ROWS = {"x": [float(number % 7) for number in range(60)], "y": [number % 7 > 3 for number in range(60)]}


def published(folder: Path, **changes: Any) -> tuple[Judged, Version]:
    """Return a training, and the version that serves after it."""
    judged = judge(folder, ROWS, LOGISTIC, query="SELECT * FROM rows", **changes)
    judged.decide()
    return judged, list_versions(judged.models)[0]


def rewrite(version: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change what is kept of the training section of a version."""
    known = json.loads((version / "metrics.json").read_text())
    change(known["training"])
    write_json(version / "metrics.json", known)


def test_all_of_the_section_is_kept(tmp_path: Path) -> None:
    """Also what is not read again: who looks at the file finds how the model was made."""
    judged, version = published(tmp_path, seed=7)

    kept = json.loads((judged.models / version.name / "metrics.json").read_text())["training"]

    assert kept == judged.leaderboard.training.model_dump(mode="json")


@pytest.mark.parametrize(
    "change",
    [
        lambda section: section.update(runner={"kind": "of-an-extension", "queue": "gpu"}),
        lambda section: section["candidates"]["only"].update(of_another_version=1),
        lambda section: section.pop("query_limits"),
    ],
)
def test_a_section_that_is_no_longer_taken_still_predicts(
    tmp_path: Path, change: Callable[[dict[str, Any]], object]
) -> None:
    """A kind of an extension that is not here, and a key of another version, are not needed for it."""
    judged, version = published(tmp_path)
    rewrite(judged.models / version.name, change)

    prediction = predict_file(tmp_path, "SELECT x FROM rows", tmp_path / "out.parquet")

    assert (prediction.rows, list_versions(judged.models)) == (60, [version])


@pytest.mark.parametrize(
    "change",
    [lambda section: section.pop("seed"), lambda section: section["split"].update(by="moon phase")],
)
def test_a_section_that_is_damaged_is_no_version(tmp_path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """It is as good as absent, like any damaged file of a version."""
    judged, version = published(tmp_path)
    rewrite(judged.models / version.name, change)

    assert list_versions(judged.models) == []


@pytest.mark.parametrize("text", ["{}", '{"python": 3}', "[", "null"])
def test_a_damaged_environment_is_made_again(tmp_path: Path, text: str) -> None:
    """The card, of which it is a part, can then be written anew."""
    judged, version = published(tmp_path)
    folder = judged.models / version.name
    environment, card = folder / "environment.json", folder / "model_card.md"
    before = environment.read_bytes(), card.read_bytes()
    environment.write_text(text)
    card.unlink()

    judged.publish()

    assert (environment.read_bytes(), card.read_bytes()) == before
