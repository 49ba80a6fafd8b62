"""Models on disk: saved with skops, loaded against an allow-list of our own."""

from __future__ import annotations

import zipfile
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tasks.config.trusted import covers
from tasks.core.errors import ConfigError, TrainingError
from tasks.core.storage import commit
from tasks.train.data.own_class import load_own
from tasks.train.data.types import Array

if TYPE_CHECKING:  # skops and scikit-learn cost a second and a half to import
    import pandas as pd
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


def save_model(model: Pipeline, path: Path, trusted: Collection[str] = ()) -> tuple[str, ...]:
    """Commit a fitted pipeline as a skops file that `load_model` will accept; return its types of the user's own.

    Args:
        model: The pipeline.
        path: The file.
        trusted: Packages whose classes it may hold, as the pipeline file trusts them.

    Raises:
        TrainingError: when the model holds a type outside the allow-list and these packages.

    """
    content, types = _dump(model, trusted)
    with commit(path) as part:
        part.write_bytes(content)
    return types


def prove_saving(model: Pipeline, frame: pd.DataFrame | Array, trusted: Collection[str]) -> None:
    """Raise unless a fitted pipeline with classes of the user's own predicts the same once it is loaded, and whatever rows it is asked together.

    Raises:
        TrainingError: it cannot be saved, or predicts otherwise.

    """
    content, types = _dump(model, trusted)
    loaded, few = _load(content, Path(), types, trusted), len(frame) // 2
    for method in ("predict", "predict_proba"):
        if hasattr(model, method):
            said = np.asarray(getattr(model, method)(frame))
            if not np.array_equal(said, np.asarray(getattr(loaded, method)(frame))):
                raise TrainingError(
                    f"the model cannot be saved: {method} says otherwise once it is loaded; keep all that is learnt where "
                    "it is saved, in __dict__, and draw nothing at random in it"
                )
            alone = np.asarray(getattr(loaded, method)(frame[:few]))
            same = np.array_equal if said.dtype.kind not in "fc" else np.allclose  # sums differ in their last digits
            if not same(said[:few], alone):
                raise TrainingError(
                    f"{method} says otherwise of rows when it is asked {few:,} of them alone: what it says of a row may "
                    "depend on no other; learn in fit alone"
                )


def load_model(path: Path | str, types: Collection[str] = (), trusted: Collection[str] = ()) -> Pipeline:
    """Return the fitted pipeline of a model file; nothing in the file is run.

    Args:
        path: The file.
        types: Types of the user's own that it may hold, as its version lists them.
        trusted: Packages that the pipeline file trusts; what of these types is of no such package is refused.

    Raises:
        TrainingError: when the file is no model, or holds a type outside the allow-list and these types.

    """
    path = Path(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise TrainingError(f"{path}: cannot be read ({error.strerror}); train again") from None
    return _load(content, path, types, trusted)


def list_types(path: Path, types: Collection[str] = (), trusted: Collection[str] = ()) -> list[str]:
    """Return the types of a model file that skops itself does not trust, all of which are on the list here or of the user's own.

    Raises:
        TrainingError: the file is no model, or holds a type that is neither.

    """
    return _refuse_untrusted(path.read_bytes(), path, types, trusted)


def own_types(path: Path, trusted: Collection[str]) -> tuple[str, ...]:
    """Return the types of a model file that are of trusted packages, of which nothing is said elsewhere yet."""
    if not trusted:
        return ()
    import skops.io  # noqa: PLC0415 - as above

    return tuple(each for each in skops.io.get_untrusted_types(data=path.read_bytes()) if covers(trusted, each))


def _dump(model: Pipeline, trusted: Collection[str]) -> tuple[bytes, tuple[str, ...]]:
    import skops.io  # noqa: PLC0415 - as above
    from skops.io.exceptions import UnsupportedTypeException  # noqa: PLC0415 - as above

    try:
        # Level 1: a third of the size for no measurable time (forest of 100 trees: 13.3 MB -> 4.2 MB in 0.18 s).
        content = skops.io.dumps(model, compression=zipfile.ZIP_DEFLATED, compresslevel=1)
    except UnsupportedTypeException as error:
        raise TrainingError(f"the model cannot be saved: {_first_line(error)}; choose another estimator") from None
    except Exception as error:
        if not trusted:
            raise
        told = f"{type(error).__name__}: {_first_line(error)}"  # of a class that says itself how it is to be saved
        raise TrainingError(f"the model cannot be saved: {told}; mend its class") from error
    found = set(skops.io.get_untrusted_types(data=content)) - TRUSTED_TYPES
    types = tuple(sorted(each for each in found if covers(trusted, each)))
    if foreign := sorted(found.difference(types)):
        raise TrainingError(
            f"the model cannot be saved: it holds {', '.join(foreign)}, which is not on the list of trusted types; keep "
            "numbers, texts, arrays and estimators in it alone"
        )
    _import_own(types, "the model cannot be saved", trusted)
    return content, types


def _load(content: bytes, path: Path, types: Collection[str], trusted: Collection[str]) -> Pipeline:
    import skops.io  # noqa: PLC0415 - as above
    from sklearn.pipeline import Pipeline  # noqa: PLC0415 - as above
    from skops.io.exceptions import UntrustedTypesFoundException  # noqa: PLC0415 - as above

    found = _refuse_untrusted(content, path, types, trusted)
    _import_own(set(found) - TRUSTED_TYPES, path, trusted)
    try:
        model: Any = skops.io.loads(content, trusted=sorted(TRUSTED_TYPES | set(found)))
    except UntrustedTypesFoundException as error:
        raise TrainingError(f"{path}: {_first_line(error)}; train the model again") from None
    except Exception as error:  # noqa: BLE001 - a damaged file fails anywhere within the loader
        raise TrainingError(f"{path}: is damaged ({_first_line(error)}); train the model again") from None
    if not isinstance(model, Pipeline):
        raise TrainingError(f"{path}: holds a {type(model).__name__}, not a model of ours; train the model again")
    return model


def _import_own(types: Iterable[str], where: object, trusted: Collection[str]) -> None:
    """Import the classes of the user's own that a model is made of: each is defined where its name says."""
    for name in types:
        try:
            kind = load_own(name, trusted)
        except ConfigError as error:
            raise TrainingError(f"{where}: {error}") from None
        if f"{kind.__module__}.{kind.__qualname__}" != name:
            raise TrainingError(
                f"{where}: holds {name}, which is {kind.__module__}.{kind.__qualname__}; use a model that Tidemill saved itself"
            )


def _refuse_untrusted(content: bytes, path: Path, types: Collection[str], trusted: Collection[str]) -> list[str]:
    import skops.io  # noqa: PLC0415 - as above

    try:
        found: list[str] = skops.io.get_untrusted_types(data=content)
    except Exception as error:  # noqa: BLE001 - a damaged file fails anywhere within the reader
        raise TrainingError(f"{path}: is not a model file ({_first_line(error)}); train the model again") from None
    foreign = sorted(set(found) - TRUSTED_TYPES)
    if unlisted := [each for each in foreign if each not in types]:
        raise TrainingError(
            f"{path}: holds {', '.join(unlisted)}, which is not on the list of trusted types; "
            "use a model that Tidemill saved itself"
        )
    if distrusted := [each for each in foreign if not covers(trusted, each.rpartition(".")[0])]:
        raise TrainingError(
            f"{path}: holds {', '.join(distrusted)}, of a package that training.trusted of the pipeline file does not name; "
            "add it there if its code is to be run, and name the file where the pipeline is named; score reads it as it starts"
        )
    return sorted(found)


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
