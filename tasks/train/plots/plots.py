"""Pictures of a training as data URIs, small enough for the UI's database."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import TYPE_CHECKING, Any

import numpy as np

from tasks.train.data.types import Array

if TYPE_CHECKING:  # half a second to import
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Curve = tuple[Array, Array]
"""Truth (of a class: 0 or 1) and score, one a row."""

COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00")  # Okabe and Ito: told apart by all eyes
FAINT = "#9aa0a6"
POINTS_DRAWN = 150  # of a curve; no eye sees more
ROWS_DRAWN = 1000  # of a cloud of points
FEATURES_DRAWN = 20
CLASSES_DRAWN = 12
CALIBRATION_BINS = 10
_INCHES = (5.2, 3.9)
_DOTS = 100
# Text as text is a tenth of its outlines, and each repeats its fonts' names; with a salt, the same picture is the same.
_SVG: Any = {"svg.fonttype": "none", "svg.hashsalt": "tidemill", "font.sans-serif": ["DejaVu Sans", "sans-serif"]}
_TAGS = re.compile(rb"<!--.*?-->|<[^>]*>", re.DOTALL)
_DIGITS = re.compile(rb"(\d+\.\d\d)\d+")  # a hundredth of a point is enough
_WHITE = "white"  # of its own: the UI has a dark mode


def draw_roc(curves: Mapping[str, Curve]) -> str:
    """Return the ROC curve of each name."""
    from sklearn.metrics import roc_auc_score, roc_curve  # noqa: PLC0415 - a second to import

    figure, axes = _new_figure("False positive rate", "True positive rate")
    axes.plot([0, 1], [0, 1], color=FAINT, linewidth=1, linestyle="--")
    for color, (name, (truth, score)) in zip(COLORS, curves.items(), strict=False):
        false_rate, true_rate, _ = roc_curve(truth, score)
        label = f"{name} (AUC {roc_auc_score(truth, score):.3f})"
        axes.plot(*_thin(false_rate, true_rate), color=color, label=label)
    axes.legend(loc="lower right", fontsize=8)
    return _as_svg(figure)


def draw_precision_recall(curves: Mapping[str, Curve]) -> str:
    """Return the precision-recall curve of each name, and the share of the class as the line to beat."""
    from sklearn.metrics import average_precision_score, precision_recall_curve  # noqa: PLC0415 - a second to import

    figure, axes = _new_figure("Recall", "Precision")
    for color, (name, (truth, score)) in zip(COLORS, curves.items(), strict=False):
        precision, recall, _ = precision_recall_curve(truth, score)
        label = f"{name} (AP {average_precision_score(truth, score):.3f})"
        axes.plot(*_thin(recall, precision), color=color, label=label)
        axes.axhline(float(np.mean(truth)), color=color, linewidth=0.8, linestyle="--", alpha=0.5)
    axes.set_ylim(0, 1.02)
    axes.legend(loc="lower left", fontsize=8)
    return _as_svg(figure)


def draw_calibration(curves: Mapping[str, Curve]) -> str:
    """Return how often it was true what was given a probability, in bins of as many rows each."""
    from sklearn.calibration import calibration_curve  # noqa: PLC0415 - a second to import

    points = {}
    for name, (truth, probability) in curves.items():
        share, mean = calibration_curve(truth, probability, n_bins=CALIBRATION_BINS, strategy="quantile")
        points[name] = [*zip(mean, share, strict=True)]
    return draw_reliability(points)


def draw_reliability(curves: Mapping[str, Sequence[tuple[float, float]]]) -> str:
    """Return observed shares by predicted probabilities, of each name."""
    figure, axes = _new_figure("Predicted probability", "Observed share")
    axes.plot([0, 1], [0, 1], color=FAINT, linewidth=1, linestyle="--", label="perfect")
    for color, (name, points) in zip(COLORS, curves.items(), strict=False):
        axes.plot(*zip(*points, strict=True), color=color, marker="o", markersize=4, label=name)
    axes.legend(loc="upper left", fontsize=8)
    return _as_svg(figure)


def draw_confusion(truth: Array, prediction: Array) -> str:
    """Return the counts of true by predicted classes, colored by their share of the true class.

    The most frequent classes are shown, when there are many.
    """
    labels, counts = np.unique(np.concatenate([truth, prediction]), return_counts=True)
    shown = labels[np.sort(np.argsort(-counts, kind="stable")[:CLASSES_DRAWN])]
    cells = np.array([[np.sum((truth == t) & (prediction == p)) for p in shown] for t in shown])
    shares = cells / np.maximum([[np.sum(truth == t)] for t in shown], 1)
    figure, axes = _new_figure("Predicted", "Actual")
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    names = [str(label)[:12] for label in shown]
    axes.set_xticks(range(len(shown)), names, rotation=45 if len(shown) > 4 else 0)  # noqa: PLR2004 - as many fit side by side
    axes.set_yticks(range(len(shown)), names)
    axes.grid(visible=False)
    for (row, column), count in np.ndenumerate(cells):
        color = "white" if shares[row, column] > 0.5 else "black"  # noqa: PLR2004 - where the blue becomes dark
        axes.text(column, row, f"{count:,}", ha="center", va="center", color=color, fontsize=8)
    return _as_png(figure)


def draw_residuals(truth: Array, prediction: Array) -> str:
    """Return what is left unexplained, by predicted value."""
    figure, axes = _new_figure("Predicted", "Actual - predicted")
    axes.axhline(0, color=FAINT, linewidth=1, linestyle="--")
    _scatter(axes, prediction, truth - prediction)
    return _as_png(figure)


def draw_predicted(truth: Array, prediction: Array) -> str:
    """Return the actual by the predicted values."""
    figure, axes = _new_figure("Predicted", "Actual")
    ends = [float(min(truth.min(), prediction.min())), float(max(truth.max(), prediction.max()))]
    axes.plot(ends, ends, color=FAINT, linewidth=1, linestyle="--")
    _scatter(axes, prediction, truth)
    return _as_png(figure)


def draw_importances(importances: Mapping[str, tuple[float, float]], metric: str) -> str:
    """Return the features that matter most: the drop of the metric when they are shuffled, and its deviation."""
    top = sorted(importances.items(), key=lambda item: -item[1][0])[:FEATURES_DRAWN][::-1]
    figure, axes = _new_figure(f"Drop of {metric} when shuffled", "", height=0.8 + 0.22 * max(len(top), 6))
    drops, deviations = [drop for _, (drop, _) in top], [deviation for _, (_, deviation) in top]
    axes.barh([name[:24] for name, _ in top], drops, xerr=deviations, color=COLORS[0], ecolor=FAINT)
    axes.tick_params(axis="y", labelsize=8)
    axes.grid(visible=False, axis="y")
    return _as_svg(figure)


def draw_slices(differences: Mapping[str, tuple[float, float, float]], metric: str) -> str:
    """Return by how much each slice is better than the other rows, and the interval of that."""
    figure, axes = _new_figure(
        f"Lead in {metric} over the other rows", "", height=0.8 + 0.22 * max(len(differences), 6)
    )
    for place, (difference, low, high) in enumerate(list(differences.values())[::-1]):
        axes.plot([low, high], [place, place], color=FAINT, linewidth=2)
        axes.plot([difference], [place], color=COLORS[1] if high < 0 else COLORS[0], marker="o")
    axes.axvline(0, color=FAINT, linewidth=1, linestyle="--")
    axes.set_yticks(range(len(differences)), [name[:40] for name in list(differences)[::-1]])
    axes.tick_params(axis="y", labelsize=8)
    axes.grid(visible=False, axis="y")
    return _as_svg(figure)


def draw_learning_curve(points: Sequence[tuple[int, float, float]], metric: str) -> str:
    """Return the score on training and on unseen rows, by rows learnt from."""
    figure, axes = _new_figure("Rows to learn from", metric)
    rows = [count for count, _, _ in points]
    axes.plot(rows, [seen for _, seen, _ in points], color=COLORS[1], marker="o", label="on rows learnt from")
    axes.plot(rows, [unseen for _, _, unseen in points], color=COLORS[0], marker="o", label="on rows not seen")
    axes.legend(loc="best", fontsize=8)
    return _as_svg(figure)


def draw_threshold(points: Sequence[tuple[float, float, float]], chosen: float, measure: str) -> str:
    """Return what a threshold is chosen by, at each threshold, on the rows that it was chosen on and on the hold-out."""
    figure, axes = _new_figure("Threshold", measure)
    thresholds, known, judged = np.array(points).T
    axes.plot(thresholds, known, color=COLORS[0], label="rows that folds tested")
    axes.plot(thresholds, judged, color=COLORS[1], label="hold-out")
    axes.axvline(chosen, color=FAINT, linewidth=1, linestyle="--", label=f"chosen: {chosen:.3f}")
    axes.legend(loc="best", fontsize=8)
    return _as_svg(figure)


def draw_runs(panels: Mapping[str, Mapping[str, Sequence[tuple[int, float]]]]) -> str:
    """Return figures by the number of a run, a panel a kind of them, a line a name."""
    from matplotlib.figure import Figure  # noqa: PLC0415 - as above
    from matplotlib.ticker import MaxNLocator  # noqa: PLC0415 - as above

    figure = Figure(figsize=(2 * _INCHES[0], 2.4 * ((len(panels) + 1) // 2)), layout="constrained", facecolor=_WHITE)
    for place, (title, series) in enumerate(panels.items(), start=1):
        axes = figure.add_subplot((len(panels) + 1) // 2, 2, place, facecolor=_WHITE)
        for color, (name, points) in zip(COLORS, series.items(), strict=False):
            axes.plot(*zip(*points, strict=True), color=color, linewidth=1.2, label=name[:24])
        axes.set_title(title, fontsize=9)
        axes.set_xlabel("run", fontsize=8)
        axes.tick_params(labelsize=7)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(color="#e8eaed", linewidth=0.8)
        axes.legend(loc="best", fontsize=6)
    return _as_svg(figure)


def draw_weeks(
    weeks: Sequence[str],
    series: Mapping[str, Sequence[tuple[int, float, float, float]]],
    metric: str,
    holdouts: Mapping[str, tuple[float, float]],
    drifted: Mapping[str, Sequence[tuple[int, float]]],
) -> str:
    """Return the score of each version by week, with its interval and that of its hold-out, and below it what had drifted.

    Args:
        weeks: What the weeks are called.
        series: By version place of the week, score, and the ends of its interval.
        metric: What is scored.
        holdouts: By version the interval of its hold-out.
        drifted: By version place of the week, and the share of features that had drifted.

    """
    from matplotlib.figure import Figure  # noqa: PLC0415 - as above

    figure = Figure(figsize=(2 * _INCHES[0], 1.4 * _INCHES[1]), layout="constrained", facecolor=_WHITE)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    for color, (name, points) in zip(cycle(COLORS), series.items(), strict=False):
        places, scores, lows, highs = np.array(points, dtype=float).reshape(-1, 4).T
        above.errorbar(
            places,
            scores,
            (scores - lows, highs - scores),
            color=color,
            marker="o",
            markersize=4,
            linewidth=1.2,
            label=name,
        )
        if name in holdouts and len(places):
            above.fill_between(
                [places[0] - 0.4, places[-1] + 0.4], *holdouts[name], color=color, alpha=0.12, linewidth=0
            )
        below.plot(
            *np.array(drifted[name], dtype=float).reshape(-1, 2).T, color=color, marker="o", markersize=3, linewidth=1.2
        )
    above.set_ylabel(metric)
    above.legend(loc="best", fontsize=7)
    below.set_ylabel("share of features\nthat drifted", fontsize=8)
    below.set_ylim(-0.05, 1.05)
    step = max(1, len(weeks) // 13)
    below.set_xticks(range(0, len(weeks), step), list(weeks)[::step], rotation=30, fontsize=8)
    for axes in (above, below):
        axes.grid(color="#e8eaed", linewidth=0.8)
    return _as_svg(figure)


def draw_histogram(values: Array, label: str, *, bins: int = 40) -> str:
    """Return how values are spread."""
    figure, axes = _new_figure(label, "Rows")
    finite = values[np.isfinite(values)]
    axes.hist(finite, bins=_bins_between(finite, bins), color=COLORS[0])
    return _as_svg(figure)


def _bins_between(values: Array, most: int) -> int:
    """Return how many bins there is room for: between 0.3 and the next number there is no other."""
    if not len(values):
        return most
    low, high = float(values.min()), float(values.max())
    steps = (high / 2 - low / 2) / np.spacing(max(abs(low), abs(high))) * 2
    return most if low == high else max(1, int(min(most, steps)))


def _new_figure(x_label: str, y_label: str, height: float = _INCHES[1]) -> tuple[Figure, Axes]:
    from matplotlib.figure import Figure  # noqa: PLC0415 - half a second to import; never pyplot, which keeps every figure

    figure = Figure(figsize=(_INCHES[0], height), layout="constrained", facecolor=_WHITE)
    axes = figure.add_subplot(facecolor=_WHITE)
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    axes.grid(color="#e8eaed", linewidth=0.8)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    return figure, axes


def _thin(x: Array, y: Array) -> Curve:
    """Return points of a curve spread evenly over its length, both ends included."""
    if len(x) <= POINTS_DRAWN:
        return x, y
    length = np.concatenate([[0.0], np.cumsum(np.abs(np.diff(x)) + np.abs(np.diff(y)))])
    kept = np.unique(np.searchsorted(length, np.linspace(0, length[-1], POINTS_DRAWN)).clip(0, len(x) - 1))
    return x[kept], y[kept]


def _scatter(axes: Axes, x: Array, y: Array) -> None:
    if len(x) > ROWS_DRAWN:
        drawn = np.random.default_rng(0).choice(len(x), ROWS_DRAWN, replace=False)
        x, y = x[drawn], y[drawn]
    axes.scatter(x, y, s=8, color=COLORS[0], alpha=0.35, linewidths=0)


def _as_svg(figure: Figure) -> str:
    import matplotlib as mpl  # noqa: PLC0415 - as above

    with mpl.rc_context(_SVG):
        drawn = io.BytesIO()
        figure.savefig(drawn, format="svg", facecolor=_WHITE, metadata={"Date": None})
    return _as_uri(_TAGS.sub(_shorten, drawn.getvalue()), "image/svg+xml")


def _shorten(tag: re.Match[bytes]) -> bytes:
    """Return a tag with shorter coordinates, and a comment as nothing; what is written between tags stays."""
    return b"" if tag[0].startswith(b"<!--") else _DIGITS.sub(rb"\1", tag[0])


def _as_png(figure: Figure) -> str:
    """Return a picture of many points, of which an SVG would keep each; 32 colors are a third of all."""
    from PIL import Image  # noqa: PLC0415 - matplotlib's own, loaded with it

    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", facecolor=_WHITE, dpi=_DOTS)
    reduced = io.BytesIO()
    Image.open(drawn).convert("RGB").quantize(32).save(reduced, format="png", optimize=True)
    return _as_uri(reduced.getvalue(), "image/png")


def _as_uri(drawn: bytes, media: str) -> str:
    return f"data:{media};base64,{base64.b64encode(drawn).decode('ascii')}"
