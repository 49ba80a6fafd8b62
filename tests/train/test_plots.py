"""Pictures are small, the same for the same data, and leave nothing behind."""

from __future__ import annotations

import base64
import subprocess
import sys
from collections.abc import Callable
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from tasks.train.plots import plots as pictures

MOST_BYTES = 40_000
ROWS = 20_000
RNG = np.random.default_rng(0)
TRUTH = RNG.integers(2, size=ROWS)
CURVES = {
    name: (TRUTH, np.clip(TRUTH * 0.3 + RNG.random(ROWS), 0, 1.3) / 1.3)
    for name in ("a candidate whose name is long", "boosting", "logistic", "forest", "dummy")
}
CLASSES = np.array([f"class number {n}" for n in range(30)])
LABELS = (CLASSES[RNG.integers(30, size=ROWS)], CLASSES[RNG.integers(30, size=ROWS)])
AMOUNTS = (RNG.normal(size=ROWS), RNG.normal(size=ROWS))
IMPORTANCES = {f"a feature whose name is long {n}": (1 / (n + 1), 0.01) for n in range(50)}
DRAWN: dict[str, Callable[[], str]] = {
    "roc": lambda: pictures.draw_roc(CURVES),
    "precision_recall": lambda: pictures.draw_precision_recall(CURVES),
    "calibration": lambda: pictures.draw_calibration(CURVES),
    "confusion": lambda: pictures.draw_confusion(*LABELS),
    "residuals": lambda: pictures.draw_residuals(*AMOUNTS),
    "predicted": lambda: pictures.draw_predicted(*AMOUNTS),
    "importances": lambda: pictures.draw_importances(IMPORTANCES, "roc_auc"),
    "slices": lambda: pictures.draw_slices({f"a column: a value {n}": (0.1, -0.1, 0.3) for n in range(20)}, "roc_auc"),
    "learning_curve": lambda: pictures.draw_learning_curve([(n * 1000, 0.9, 0.8) for n in range(1, 9)], "roc_auc"),
    "histogram": lambda: pictures.draw_histogram(AMOUNTS[0], "prediction"),
}


@pytest.mark.parametrize("name", DRAWN)
def test_a_picture_is_small_and_repeatable(name: str) -> None:
    """The largest that a picture can become is within its share of the database, and is drawn alike each time."""
    drawn = DRAWN[name]()

    kind, _, content = drawn.partition(";base64,")
    decoded = base64.b64decode(content)
    assert len(drawn) <= MOST_BYTES
    assert drawn == DRAWN[name]()
    if kind == "data:image/svg+xml":
        assert ET.fromstring(decoded).tag == "{http://www.w3.org/2000/svg}svg"  # noqa: S314 - our own
    else:
        assert decoded.startswith(b"\x89PNG")


def test_a_picture_says_what_it_shows() -> None:
    """Axes, names and figures are text within the picture."""
    content = base64.b64decode(DRAWN["roc"]().partition(";base64,")[2]).decode()

    area = roc_auc_score(*CURVES["boosting"])
    for text in ("False positive rate", "True positive rate", f"boosting (AUC {area:.3f})"):
        assert text in content


def test_matplotlib_is_loaded_late_and_without_pyplot() -> None:
    """Half a second is spent only where a picture is drawn, and no figure is kept alive by pyplot."""
    code = (
        "import sys; from tasks.train.plots import plots; assert 'matplotlib' not in sys.modules;"
        "plots.draw_learning_curve([(1, 1.0, 1.0)], 'r2'); assert 'matplotlib.pyplot' not in sys.modules"
    )

    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    "values",
    [[0.3, 0.30000000000000004], [0.3] * 5, [np.inf, 1.0], [], [5e-324, 0.0], [1e17, 1e17 + 16]],
)
def test_numbers_between_which_there_is_no_room_are_drawn(values: list[float]) -> None:
    """So near, so far, or so few that as many bins cannot be had."""
    assert pictures.draw_histogram(np.array(values), "errors").startswith("data:image/svg+xml;base64,")
