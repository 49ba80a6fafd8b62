"""Importances that the metric does not define: of a sample of the hold-out that holds one class alone."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from tasks.core.isolation.client import stop_call_server
from tasks.train.evaluation.holdout import IMPORTANCE_ROWS
from tasks.train.evaluation.job import CandidateJob
from tasks.train.evaluation.results import HoldoutResult, kept_part
from tasks.train.execution.units import Unit, run_unit
from tests.train.conftest import LOGISTIC

TRAIN, TEST, SEED = 100, 3 * IMPORTANCE_ROWS, 42


@pytest.fixture
def job(jobs: Callable[..., dict[str, CandidateJob]]) -> CandidateJob:
    """Return a candidate whose hold-out has one row of a class, which the sample that importances are of leaves out."""
    held_out = np.arange(TRAIN, TRAIN + TEST)
    sample = np.random.default_rng(SEED).choice(held_out, IMPORTANCE_ROWS, replace=False)
    only = np.setdiff1d(held_out, sample)[0]
    moments = np.arange(TRAIN + TEST)
    truth = np.where(moments < TRAIN, moments % 2, moments == only)
    split = {"by": "time", "column": "moment", "test_fraction": TEST / (TRAIN + TEST), "folds": 2}
    asked = {"split": split, "metric": "roc_auc", "seed": SEED, "query": "SELECT * FROM rows ORDER BY moment"}
    return jobs({"moment": moments, "x": truth * 1.0, "y": truth}, candidates={"only": LOGISTIC}, **asked)["only"]


def test_a_judgement_without_them_is_kept(job: CandidateJob) -> None:
    """It is told, and the next run reads it back, and does not fit the finalist again."""
    (judged,) = run_unit(Unit(job, "judge"))
    stop_call_server()

    assert isinstance(judged, HoldoutResult)
    assert (judged.error, judged.score, judged.importances) == (None, 1.0, {})
    assert judged.warnings == (
        "no importances: training.candidates.only: roc_auc is not defined on the 2,000 held-out rows that they are "
        "measured on; hold out more rows of each class, or choose another metric",
    )
    assert kept_part(job, HoldoutResult) == judged
