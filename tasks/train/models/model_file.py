"""Models on disk: saved with skops, loaded against an allow-list of our own."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.core.errors import TrainingError
from tasks.core.storage import commit

if TYPE_CHECKING:  # skops and scikit-learn cost a second and a half to import
    from sklearn.pipeline import Pipeline

# What fitted scikit-learn estimators hold beside the types that skops trusts by itself.
# A model file's own list is never believed (GHSA-w582-9x45-8mpx).
# A booster of another package is read back by that package's own code from the text or bytes of its trees.
TRUSTED_TYPES = frozenset(
    {
        "catboost.core.CatBoostClassifier",
        "catboost.core.CatBoostRegressor",
        "collections.OrderedDict",
        "functools.partial",  # only over a function that is on this list itself; histogram boosting holds one
        "lightgbm.basic.Booster",
        "lightgbm.sklearn.LGBMClassifier",
        "lightgbm.sklearn.LGBMRegressor",
        "numpy.dtype",
        "scipy.sparse._csr.csr_array",
        "scipy.sparse._csr.csr_matrix",
        "sklearn._loss.link.Interval",
        "sklearn._loss.loss.HalfTweedieLoss",
        "sklearn._loss.loss.HalfTweedieLossIdentity",
        "sklearn.calibration._CalibratedClassifier",
        "sklearn.calibration._SigmoidCalibration",
        "sklearn.calibration._TemperatureScaling",
        "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
        "sklearn.gaussian_process._gpc._BinaryGaussianProcessClassifierLaplace",
        "sklearn.gaussian_process.kernels.ConstantKernel",
        "sklearn.gaussian_process.kernels.Product",
        "sklearn.gaussian_process.kernels.RBF",
        "sklearn.metrics._dist_metrics.BrayCurtisDistance64",
        "sklearn.metrics._dist_metrics.CanberraDistance64",
        "sklearn.metrics._dist_metrics.ChebyshevDistance64",
        "sklearn.metrics._dist_metrics.EuclideanDistance64",
        "sklearn.metrics._dist_metrics.HammingDistance64",
        "sklearn.metrics._dist_metrics.ManhattanDistance64",
        "sklearn.metrics._dist_metrics.MinkowskiDistance64",
        "sklearn.neighbors._ball_tree.BallTree",
        "sklearn.neighbors._kd_tree.KDTree",
        "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
        "sklearn.neural_network._stochastic_optimizers.SGDOptimizer",
        "sklearn.tree._tree.Tree",
        "sklearn.utils._bunch.Bunch",
        "sklearn.utils.validation.check_array",
        "tasks.train.models.transformers.flatten_texts",
        "tasks.train.models.transformers.split_times",
        "xgboost.core.Booster",
        "xgboost.sklearn.XGBClassifier",
        "xgboost.sklearn.XGBRFClassifier",
        "xgboost.sklearn.XGBRFRegressor",
        "xgboost.sklearn.XGBRegressor",
    }
)


def save_model(model: Pipeline, path: Path) -> None:
    """Commit a fitted pipeline as a skops file that `load_model` will accept.

    Raises:
        TrainingError: when the model holds a type outside the allow-list.

    """
    import skops.io  # noqa: PLC0415 - as above
    from skops.io.exceptions import UnsupportedTypeException  # noqa: PLC0415 - as above

    with commit(path) as part:
        try:
            # Level 1: a third of the size for no measurable time (forest of 100 trees: 13.3 MB -> 4.2 MB in 0.18 s).
            skops.io.dump(model, part, compression=zipfile.ZIP_DEFLATED, compresslevel=1)
        except UnsupportedTypeException as error:
            raise TrainingError(f"the model cannot be saved: {_first_line(error)}; choose another estimator") from None
        _refuse_untrusted(part.read_bytes(), path)


def load_model(path: Path | str) -> Pipeline:
    """Return the fitted pipeline of a model file; nothing in the file is run.

    Raises:
        TrainingError: when the file is no model, or holds a type outside the allow-list.

    """
    import skops.io  # noqa: PLC0415 - as above
    from sklearn.pipeline import Pipeline  # noqa: PLC0415 - as above
    from skops.io.exceptions import UntrustedTypesFoundException  # noqa: PLC0415 - as above

    path = Path(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise TrainingError(f"{path}: cannot be read ({error.strerror}); train again") from None
    _refuse_untrusted(content, path)
    try:
        model: Any = skops.io.loads(content, trusted=sorted(TRUSTED_TYPES))
    except UntrustedTypesFoundException as error:
        raise TrainingError(f"{path}: {_first_line(error)}; train the model again") from None
    except Exception as error:  # noqa: BLE001 - a damaged file fails anywhere within the loader
        raise TrainingError(f"{path}: is damaged ({_first_line(error)}); train the model again") from None
    if not isinstance(model, Pipeline):
        raise TrainingError(f"{path}: holds a {type(model).__name__}, not a model of ours; train the model again")
    return model


def list_types(path: Path) -> list[str]:
    """Return the types of a model file that skops itself does not trust, all of which are on the list here.

    Raises:
        TrainingError: the file is no model, or holds a type that is not.

    """
    return _refuse_untrusted(path.read_bytes(), path)


def _refuse_untrusted(content: bytes, path: Path) -> list[str]:
    import skops.io  # noqa: PLC0415 - as above

    try:
        found: list[str] = skops.io.get_untrusted_types(data=content)
    except Exception as error:  # noqa: BLE001 - a damaged file fails anywhere within the reader
        raise TrainingError(f"{path}: is not a model file ({_first_line(error)}); train the model again") from None
    foreign = sorted(set(found) - TRUSTED_TYPES)
    if foreign:
        raise TrainingError(
            f"{path}: holds {', '.join(foreign)}, which is not on the list of trusted types; "
            "use a model that Tidemill saved itself"
        )
    return sorted(found)


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
