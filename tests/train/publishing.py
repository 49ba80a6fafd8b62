"""Judged candidates without a run: a model fitted on the training rows, as the flow hands it to the model store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from tasks.config import Training
from tasks.core.storage import fingerprint
from tasks.train.checks.training_set import write_training_set
from tasks.train.data.features import features_of, read_frame, read_target
from tasks.train.data.split_file import Sides, keep_split
from tasks.train.data.training_set import TrainingSet
from tasks.train.evaluation.fit import fit_model
from tasks.train.evaluation.job import jobs_on
from tasks.train.evaluation.leaderboard import Leaderboard, Line
from tasks.train.evaluation.output_file import keep_output
from tasks.train.evaluation.predictions import Predictions
from tasks.train.evaluation.results import CandidateResult, Finalist
from tasks.train.registry import Decision, Version, decide_champion, publish_version, save_model
from tests.train.conftest import LOGISTIC, training, write_table


@dataclass(frozen=True)
class Judged:
    """A training with its leaderboard, ready to be published."""

    models: Path
    leaderboard: Leaderboard

    def publish(self) -> Version:
        """Publish the best candidate."""
        return publish_version(self.models, self.leaderboard)

    def decide(self) -> Decision:
        """Publish the best candidate, and decide whether it serves."""
        return decide_champion(self.models, self.publish(), self.leaderboard)


def judge(folder: Path, columns: Mapping[str, Any], candidate: Mapping[str, Any], **changes: Any) -> Judged:
    """Fit one candidate on the training rows of columns, and judge it on the hold-out."""
    tables = {"rows": write_table(folder / "tables" / "rows", columns)}
    return judge_tables(folder, "toy", tables, candidate, **changes)


def judge_tables(
    folder: Path, name: str, tables: Mapping[str, Path], candidate: Mapping[str, Any] = LOGISTIC, **changes: Any
) -> Judged:
    """Do the same with tables that are there, as the pipeline of a name does."""
    asked = training(candidates={"only": candidate}, **changes)
    training_set = write_training_set(asked, tables, folder / "training" / name)
    models = folder / "models" / name
    split = keep_split(asked, training_set)
    finalist = _fit(asked, training_set, split.sides(), models)
    key = fingerprint([training_set.fingerprint, asked.model_dump(mode="json", exclude={"promotion"})])
    if asked.trusted:
        key = next(job.fingerprint for job in jobs_on(split, asked, training_set, models) if job.name == "only")
    result = CandidateResult("only", key, fold_scores=(finalist.score,) * 5, fit_s=0.1, memory_mb=100.0)
    line = Line("only", result, finalist.score, finalist.interval, None, 0.01, within_noise=False, finalist=finalist)
    return Judged(models, Leaderboard((line,), asked, training_set, split))


def _fit(asked: Training, training_set: TrainingSet, rows: Sides, models: Path) -> Finalist:
    with pa.memory_map(str(training_set.path)) as mapped:
        table = pa.ipc.open_file(mapped).read_all()
        features = features_of(asked, table.schema)
        frame, target = read_frame(table, features), read_target(table.column(asked.target), training_set.task)
        learnt = (features, frame.iloc[rows.train], target[rows.train])
        model = fit_model(asked, asked.fitted["only"], *learnt, positive=training_set.positive)
        held_out, truth = frame.iloc[rows.test], target[rows.test]
        predictions = Predictions(model, held_out, truth, positive=training_set.positive)
        score, metrics = float(model.score(held_out, truth)), predictions.metrics(training_set.task)
        folder = models / "candidates" / "only-0123456789ab"
        types = save_model(model, folder / "model.skops", asked.trusted)
        keep_output(folder / "holdout.arrow", predictions.output, rows.test)
        drops = {name: (0.1 / (place + 1), 0.01) for place, name in enumerate(features.names)}
        curve = ((50, 0.9, 0.7), (100, 0.85, 0.75))
        return Finalist("only", folder, score, (score - 0.05, score + 0.05), metrics, drops, curve, types=types)
