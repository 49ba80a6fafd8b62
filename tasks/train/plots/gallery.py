"""The pictures of a training, as Markdown: the finalists on the hold-out, and what the best has learnt from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from tasks.config import write_label
from tasks.train.assessment.assess import Assessment
from tasks.train.data.classes import TWO
from tasks.train.data.types import Array
from tasks.train.evaluation.leaderboard import Leaderboard
from tasks.train.evaluation.output_file import read_output
from tasks.train.evaluation.results import HOLDOUT_FILE, Finalist
from tasks.train.models.estimators import BASELINE
from tasks.train.plots import plots as pictures
from tasks.train.plots.plots import Curve

_Section = tuple[str, str, Callable[[], str]]
"""Title, how to read it, and what draws it."""


@dataclass(frozen=True)
class _Judged:
    """What a finalist said of the hold-out."""

    name: str
    truth: Array
    prediction: Array
    probabilities: dict[str, Array]
    """By class, as text; empty where the candidate gives none."""
    rankings: dict[str, Array]
    """By what areas order rows: of the positive of two classes, or of each; empty as above."""

    @property
    def of_roc(self) -> dict[str, Array]:
        """Return what the area under the ROC curve is of: for many classes, the probabilities."""
        return self.rankings if len(self.rankings) == 1 else self.probabilities


def make_gallery(
    leaderboard: Leaderboard,
    assessment: Assessment | None = None,
    failures: list[tuple[str, Exception]] | None = None,
) -> str:
    """Return the pictures of the finalists, each with a line that says how to read it.

    One that cannot be drawn is left out, and added to `failures` with what went wrong.

    Curves are those of every finalist for the positive of two classes; of the
    best alone, for each class against the others, where there are more.
    """
    finalists = [line.finalist for line in leaderboard.lines if line.finalist is not None and line.name != BASELINE]
    judged = [each for each in map(_read, finalists) if each is not None]
    positive = leaderboard.training_set.positive
    of = "" if positive is None else f" Of the class `{write_label(positive)}`."
    alike = " Each row counts once here, whatever its weight." if leaderboard.training.weights else ""
    of_holdout = _of_holdout(leaderboard.training_set.task, judged, of)
    sections = [*((title, caption + alike, draw) for title, caption, draw in of_holdout), *_of_best(leaderboard)]
    if assessment is not None:
        sections += _of_assessment(assessment, leaderboard.training.metric)
    shown = []
    for title, caption, draw in sections:
        try:
            shown.append(f"## {title}\n\n{caption}\n\n![{title}]({draw()})")
        except Exception as error:  # noqa: BLE001 - what numbers do to a drawing nobody knows beforehand
            if failures is not None:
                failures.append((title, error))
    return "\n\n".join(shown)


def _read(finalist: Finalist) -> _Judged | None:
    path = finalist.folder / HOLDOUT_FILE
    if not path.is_file():
        return None
    output = read_output(path).output
    if output.classes is None:
        return _Judged(finalist.name, output.truth, output.prediction, {}, {})
    names = [str(each) for each in output.classes]
    probabilities = {} if output.probability is None else dict(zip(names, output.probability.T, strict=True))
    ranked = None if output.ranking is None else output.ranking.reshape(len(output.truth), -1).T
    rankings = {} if ranked is None else dict(zip(names[-len(ranked) :], ranked, strict=True))
    return _Judged(finalist.name, output.truth, output.prediction, probabilities, rankings)


def _of_holdout(task: str, judged: list[_Judged], of_class: str) -> Iterator[_Section]:
    if not judged:
        return
    best = judged[0]
    if task == "regression":
        caption = f"Of {best.name} on the hold-out; on the line, it is right."
        yield "Predicted and actual", caption, partial(pictures.draw_predicted, best.truth, best.prediction)
        caption = "What it leaves unexplained; a pattern is something it has not learnt."
        yield "Residuals", caption, partial(pictures.draw_residuals, best.truth, best.prediction)
        errors = partial(pictures.draw_histogram, best.truth - best.prediction, "Actual - predicted")
        yield "Errors", "How large they are, and whether to one side.", errors
        return
    if curves := _curves(judged, lambda each: each.of_roc):
        caption = "The nearer to the upper left, the better; the dashed line is guessing."
        yield "ROC", caption + of_class, partial(pictures.draw_roc, curves)
    if curves := _curves(judged, lambda each: each.rankings):
        caption = "Of those named, how many are right; of those that are, how many are named."
        yield "Precision and recall", caption + of_class, partial(pictures.draw_precision_recall, curves)
    if curves := _curves(judged, lambda each: each.probabilities):
        caption = "On the dashed line, a probability means what it says."
        yield "Calibration", caption + of_class, partial(pictures.draw_calibration, curves)
    caption = f"Of {best.name} on the hold-out; colored by their share of the actual class."
    yield "Confusion", caption, partial(pictures.draw_confusion, best.truth, best.prediction)


def _of_assessment(assessment: Assessment, metric: str) -> Iterator[_Section]:
    apart = {
        f"{each.column}: {each.value}": (each.difference, *each.difference_interval)
        for each in sorted(assessment.slices, key=lambda each: each.difference or 0.0)
        if each.difference is not None and each.difference_interval is not None
    }
    if apart:
        caption = "The farthest behind first; intervals are of each by itself, and what is surely worse is in the card."
        shown = dict(list(apart.items())[: pictures.FEATURES_DRAWN])
        yield "Slices", caption, partial(pictures.draw_slices, shown, metric)
    if assessment.decision is not None:
        threshold = assessment.decision
        caption = f"By {threshold.aim}: {threshold.value:.4f}, chosen on the rows that folds tested."
        yield (
            "Threshold",
            caption,
            partial(pictures.draw_threshold, threshold.curve, threshold.value, threshold.measure),
        )


def _curves(judged: list[_Judged], of: Callable[[_Judged], dict[str, Array]]) -> dict[str, Curve]:
    given = [each for each in judged if of(each)]
    if not given:
        return {}
    if len(of(given[0])) <= TWO:
        return {each.name: _curve(each, *list(of(each).items())[-1]) for each in given}
    best = given[0]
    curves = {name: _curve(best, name, scores) for name, scores in of(best).items()}
    frequent = sorted(curves.items(), key=lambda item: -int(item[1][0].sum()))[: len(pictures.COLORS)]
    return {f"{best.name}: {name}": curve for name, curve in frequent if 0 < curve[0].sum() < len(curve[0])}


def _curve(judged: _Judged, name: str, scores: Array) -> Curve:
    return (judged.truth.astype(str) == name).astype(int), scores


def _of_best(leaderboard: Leaderboard) -> Iterator[_Section]:
    finalist = leaderboard.best.finalist if leaderboard.best else None
    if finalist is None:
        return
    if finalist.calibration:
        caption = f"Of {finalist.name}, by {finalist.calibration.method}: on the dashed line, a probability means what it says."
        curves = {"before": finalist.calibration.before, "after": finalist.calibration.after}
        yield "Calibration, before and after", caption, partial(pictures.draw_reliability, curves)
    if finalist.importances:
        caption = f"Of {finalist.name}: how much worse it scores on the hold-out when a feature is shuffled."
        yield (
            "Importances",
            caption,
            partial(pictures.draw_importances, finalist.importances, leaderboard.training.metric),
        )
    if finalist.learning_curve:
        caption = f"Of {finalist.name}: where the lower line still rises, more rows would help."
        yield (
            "Learning curve",
            caption,
            partial(pictures.draw_learning_curve, finalist.learning_curve, leaderboard.training.metric),
        )
