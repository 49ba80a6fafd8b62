"""How those steps become ONNX whose converters in skl2onnx are none, wrong, or refuse numbers of 64 bits.

It has none for the parts of times, and for texts that are missing or rare; that
of histogram boosting passes over splits by categories, and fails of nodes that
numpy numbers; those of missing numbers and of trees know 32 bits alone.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from onnx.helper import make_tensor
from onnx.onnx_pb import TensorProto
from skl2onnx import update_registered_converter
from skl2onnx.algebra.onnx_operator import OnnxOperator
from skl2onnx.algebra.onnx_ops import (
    OnnxAdd,
    OnnxArgMax,
    OnnxCast,
    OnnxConcat,
    OnnxDiv,
    OnnxExp,
    OnnxFloor,
    OnnxGather,
    OnnxIdentity,
    OnnxIsNaN,
    OnnxLabelEncoder_2,
    OnnxMul,
    OnnxReshape,
    OnnxSigmoid,
    OnnxSoftmax,
    OnnxSub,
    OnnxTreeEnsembleRegressor_3,
    OnnxUnsqueeze,
    OnnxWhere,
)
from skl2onnx.common.data_types import DoubleTensorType, Int64TensorType, StringTensorType
from sklearn.base import ClassifierMixin
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, OrdinalEncoder
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor, ExtraTreeClassifier, ExtraTreeRegressor

from tasks.train.data.types import Array
from tasks.train.models.transformers import TIME_PARTS, split_times

_LEQ, _EQ, _LEAF = "BRANCH_LEQ", "BRANCH_EQ", "LEAF"
_WORD_BITS = 32
_BOOSTING = (HistGradientBoostingClassifier, HistGradientBoostingRegressor)
_FORESTS = (
    DecisionTreeClassifier,
    DecisionTreeRegressor,
    ExtraTreeClassifier,
    ExtraTreeRegressor,
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
_Node = tuple[int, int, int, str, float, int, int, int]
"""Tree, number, column, mode, threshold, where to if it holds, where to if not, and whether what is missing goes as if it held."""
_Leaf = tuple[int, int, int, float]
"""Tree, number, target and weight."""
_UNKNOWN = "\0"  # a text that no category is


def register_converters() -> None:
    """Have them used, in place of those that come with skl2onnx."""
    update_registered_converter(SimpleImputer, "TidemillImputer", _shape_as_input, _convert_imputer, overwrite=True)
    update_registered_converter(
        FunctionTransformer, "TidemillFunction", _shape_function, _convert_function, overwrite=True
    )
    for encoder in (OneHotEncoder, OrdinalEncoder):
        alias = f"Tidemill{encoder.__name__}"
        update_registered_converter(encoder, alias, _shape_texts, _convert_texts, overwrite=True)
    for kind in (*_BOOSTING, *_FORESTS):
        is_classifier = issubclass(kind, ClassifierMixin)
        update_registered_converter(
            kind,
            f"Tidemill{kind.__name__}",
            _shape_classes if is_classifier else _shape_prediction,
            _convert_trees,
            overwrite=True,
            options={"zipmap": [True, False, "columns"], "nocl": [True, False]} if is_classifier else None,
        )


def _shape_function(operator: Any) -> None:
    """Tell how wide the parts of times are, or of columns as they are, which the fitted transformer has a function of None for."""
    function, width = operator.raw_operator.func, sum(each.type.shape[1] for each in operator.inputs)
    if function not in (split_times, None):
        raise ValueError(f"FunctionTransformer of {function.__name__}")
    operator.outputs[0].type = DoubleTensorType([None, width * (1 if function is None else len(TIME_PARTS))])


def _shape_as_input(operator: Any) -> None:
    operator.outputs[0].type = DoubleTensorType([None, len(operator.raw_operator.statistics_)])


def _shape_classes(operator: Any) -> None:
    classes = operator.raw_operator.classes_
    kind = StringTensorType if classes.dtype.kind in "UO" else Int64TensorType
    operator.outputs[0].type = kind([None])
    operator.outputs[1].type = DoubleTensorType([None, len(classes)])


def _shape_prediction(operator: Any) -> None:
    operator.outputs[0].type = DoubleTensorType([None, 1])


def _convert_imputer(scope: Any, operator: Any, container: Any) -> None:
    given, version = operator.inputs[0], container.target_opset
    filled = operator.raw_operator.statistics_.astype(np.float64).reshape(1, -1)
    where = OnnxWhere(
        OnnxIsNaN(given, op_version=version), filled, given, op_version=version, output_names=operator.outputs[:1]
    )
    where.add_to(scope, container)


def _widths_of(encoder: Any) -> list[int]:
    """Return how many columns become of each column of texts."""
    if isinstance(encoder, OrdinalEncoder):
        return [1] * len(encoder.categories_)
    return [int(width) for width in encoder._n_features_outs]  # noqa: SLF001 - with what is rare as one


def _shape_texts(operator: Any) -> None:
    operator.outputs[0].type = DoubleTensorType([None, sum(_widths_of(operator.raw_operator))])


def _convert_texts(scope: Any, operator: Any, container: Any) -> None:
    """Add a table a column, of what the encoder itself makes of each category, and of a text that is none."""
    encoder, version = operator.raw_operator, container.target_opset
    given = OnnxConcat(*operator.inputs, axis=1, op_version=version)
    ends = np.cumsum(_widths_of(encoder))
    columns = []
    for place, categories in enumerate(encoder.categories_):
        keys = ["" if each != each else str(each) for each in categories]  # noqa: PLR0124 - NaN is missing
        if len(set(keys)) < len(keys):
            raise ValueError(f"{type(encoder).__name__} of texts that are empty beside those that are missing")
        rows = np.array([[each[0] for each in encoder.categories_]] * (len(keys) + 1), dtype=object)
        rows[:, place] = [*categories, _UNKNOWN]
        made = encoder.transform(pd.DataFrame(rows, columns=getattr(encoder, "feature_names_in_", None)))
        table = np.asarray(made.toarray() if hasattr(made, "toarray") else made, dtype=float)
        first = ends[place] - _widths_of(encoder)[place]
        texts = OnnxGather(given, np.array([place]), axis=1, op_version=version)
        codes = OnnxLabelEncoder_2(
            texts, keys_strings=keys, values_int64s=list(range(len(keys))), default_int64=len(keys), op_version=2
        )
        flat = OnnxReshape(codes, np.array([-1]), op_version=version)
        columns.append(OnnxGather(table[:, first : ends[place]], flat, axis=0, op_version=version))
    OnnxConcat(*columns, axis=1, op_version=version, output_names=operator.outputs[:1]).add_to(scope, container)


def _convert_function(scope: Any, operator: Any, container: Any) -> None:
    """Add what `split_times` does: Howard Hinnant, chrono-Compatible Low-Level Date Algorithms, civil_from_days."""
    version, width = container.target_opset, operator.outputs[0].type.shape[1]

    def whole(left: Any, divisor: float) -> Any:
        return OnnxFloor(OnnxDiv(left, np.array([float(divisor)]), op_version=version), op_version=version)

    def plus(left: Any, right: Any) -> Any:
        return OnnxAdd(left, right if isinstance(right, OnnxOperator) else np.array([float(right)]), op_version=version)

    def times(left: Any, factor: float) -> Any:
        return OnnxMul(left, np.array([float(factor)]), op_version=version)

    def minus(left: Any, right: Any) -> Any:
        return plus(left, times(right, -1))

    if operator.raw_operator.func is None:
        whole_columns = OnnxConcat(*operator.inputs, axis=1, op_version=version, output_names=operator.outputs[:1])
        whole_columns.add_to(scope, container)
        return
    seconds = OnnxConcat(*operator.inputs, axis=1, op_version=version)
    days = whole(seconds, 86_400)
    since = plus(days, 719_468)  # since the first of March of the year 0
    era = whole(since, 146_097)
    day_of_era = minus(since, times(era, 146_097))
    leaps = plus(minus(whole(day_of_era, 36_524), whole(day_of_era, 1_460)), times(whole(day_of_era, 146_096), -1))
    year_of_era = whole(plus(day_of_era, leaps), 365)
    day_of_year = minus(
        day_of_era, plus(times(year_of_era, 365), minus(whole(year_of_era, 4), whole(year_of_era, 100)))
    )
    month_from_march = whole(plus(times(day_of_year, 5), 2), 153)
    is_next_year = whole(month_from_march, 10)  # January and February
    day = plus(minus(day_of_year, whole(plus(times(month_from_march, 153), 2), 5)), 1)
    month = plus(minus(month_from_march, times(is_next_year, 12)), 3)
    year = plus(plus(year_of_era, times(era, 400)), is_next_year)
    weekday = minus(plus(days, 3), times(whole(plus(days, 3), 7), 7))
    hour = whole(minus(seconds, times(days, 86_400)), 3_600)
    parts = [OnnxUnsqueeze(part, np.array([2]), op_version=version) for part in (year, month, day, weekday, hour)]
    together = OnnxConcat(*parts, axis=2, op_version=version)
    shaped = OnnxReshape(together, np.array([-1, width]), op_version=version, output_names=operator.outputs[:1])
    shaped.add_to(scope, container)


def _convert_trees(scope: Any, operator: Any, container: Any) -> None:
    model, version = operator.raw_operator, container.target_opset
    given = operator.inputs[0]
    if isinstance(model, _FORESTS):  # which compare numbers of 32 bits with thresholds of 64
        given = OnnxCast(given, to=TensorProto.FLOAT, op_version=version)
        given = OnnxCast(given, to=TensorProto.DOUBLE, op_version=version)
        attributes, link = _of_forest(model), "IdentityLink"
    else:
        attributes, link = _Trees(model).attributes(), type(model._loss.link).__name__  # noqa: SLF001 - it predicts by it
    trees = OnnxTreeEnsembleRegressor_3(given, op_version=3, **attributes)
    raw = OnnxCast(trees, to=TensorProto.DOUBLE, op_version=version)  # its sums are of 32 bits
    names = operator.outputs[-1:]
    if link == "IdentityLink":
        end = OnnxIdentity(raw, op_version=version, output_names=names)
    elif link == "LogLink":
        end = OnnxExp(raw, op_version=version, output_names=names)
    elif link == "LogitLink":
        second = OnnxSigmoid(raw, op_version=version)
        first = OnnxSub(np.array([1.0]), second, op_version=version)
        end = OnnxConcat(first, second, axis=1, op_version=version, output_names=names)
    elif link == "MultinomialLogit":
        end = OnnxSoftmax(raw, axis=1, op_version=version, output_names=names)
    else:
        raise ValueError(f"{type(model).__name__} with {link}")
    if hasattr(model, "classes_"):
        classes = model.classes_
        named = classes.astype(object) if classes.dtype.kind in "UO" else classes.astype(np.int64)
        best = OnnxArgMax(end, axis=1, keepdims=0, op_version=version)
        OnnxGather(named, best, op_version=version, output_names=operator.outputs[:1]).add_to(scope, container)
    end.add_to(scope, container)


def _of_forest(model: Any) -> dict[str, Any]:
    """Return the trees of a forest, or the one of a tree, as attributes of a node: the mean of their leaves."""
    trees = [each.tree_ for each in getattr(model, "estimators_", [model])]
    nodes, leaves = list[_Node](), list[_Leaf]()
    for number, tree in enumerate(trees):
        values = tree.value[:, 0, :] / len(trees)
        for place in range(tree.node_count):
            left, right = int(tree.children_left[place]), int(tree.children_right[place])
            if left < 0:
                nodes.append((number, place, 0, _LEAF, 0.0, 0, 0, 0))
                leaves += [(number, place, target, float(weight)) for target, weight in enumerate(values[place])]
                continue
            missing = int(tree.missing_go_to_left[place])
            nodes.append(
                (number, place, int(tree.feature[place]), _LEQ, float(tree.threshold[place]), left, right, missing)
            )
    targets = trees[0].value.shape[2]
    return _attributes(nodes, leaves, [0.0] * targets)


def _attributes(nodes: list[_Node], leaves: list[_Leaf], base: list[float]) -> dict[str, Any]:
    trees, places, columns, modes, values, true, false, missing = (list(each) for each in zip(*nodes, strict=True))
    leaf_trees, leaf_nodes, targets, weights = (list(each) for each in zip(*leaves, strict=True))
    return {
        "n_targets": len(base),
        "aggregate_function": "SUM",
        "base_values_as_tensor": _doubles("base_values", base),
        "nodes_treeids": trees,
        "nodes_nodeids": places,
        "nodes_featureids": columns,
        "nodes_modes": modes,
        "nodes_values_as_tensor": _doubles("nodes_values", values),
        "nodes_truenodeids": true,
        "nodes_falsenodeids": false,
        "nodes_missing_value_tracks_true": missing,
        "target_treeids": leaf_trees,
        "target_nodeids": leaf_nodes,
        "target_ids": targets,
        "target_weights_as_tensor": _doubles("target_weights", weights),
    }


class _Trees:
    """Trees of histogram boosting as the attributes of one node of ONNX.

    A split by categories is a chain of questions for each of those that go to
    the left, all of which lead to the same node.
    """

    def __init__(self, model: Any) -> None:
        self._model = model
        self._columns, self._categories = _columns_of(model)
        self._nodes, self._leaves = list[_Node](), list[_Leaf]()

    def attributes(self) -> dict[str, Any]:
        """Return the attributes."""
        each = self._model.n_trees_per_iteration_
        for number, trees in enumerate(self._model._predictors):  # noqa: SLF001 - they are nowhere else
            for target, tree in enumerate(trees):
                self._add(number * each + target, target, tree)
        base = np.asarray(self._model._baseline_prediction, dtype=float).ravel()  # noqa: SLF001 - as above
        return _attributes(self._nodes, self._leaves, base.tolist())

    def _add(self, number: int, target: int, tree: Any) -> None:
        further = len(tree.nodes)
        for place, node in enumerate(tree.nodes):
            if node["is_leaf"]:
                self._nodes.append((number, place, 0, _LEAF, 0.0, 0, 0, 0))
                self._leaves.append((number, place, target, float(node["value"])))
                continue
            column = int(node["feature_idx"])
            left, right, missing = int(node["left"]), int(node["right"]), int(node["missing_go_to_left"])
            if not node["is_categorical"]:
                threshold = float(node["num_threshold"])
                self._nodes.append((number, place, self._columns[column], _LEQ, threshold, left, right, missing))
                continue
            bits = tree.raw_left_cat_bitsets[node["bitset_idx"]]
            categories = self._categories[column]
            chosen = [
                value for code, value in enumerate(categories) if bits[code // _WORD_BITS] >> (code % _WORD_BITS) & 1
            ]
            at = place
            for rank, value in enumerate(chosen):
                following = right if rank == len(chosen) - 1 else further
                self._nodes.append((number, at, self._columns[column], _EQ, value, left, following, missing))
                at, further = further, further + (following == further)


def _columns_of(model: Any) -> tuple[list[int], dict[int, list[float]]]:
    """Return for each column of the trees which one of the given rows it is, and the values of its codes where it has codes."""
    preparation = model._preprocessor  # noqa: SLF001 - which orders the columns anew, and numbers the categories
    if preparation is None:
        return list(range(model.n_features_in_)), {}
    is_category: Array = model.is_categorical_
    places = [*np.flatnonzero(is_category).tolist(), *np.flatnonzero(~is_category).tolist()]
    found = preparation.named_transformers_["encoder"].categories_
    return places, {number: [float(value) for value in values if value == value] for number, values in enumerate(found)}  # noqa: PLR0124 - NaN is none


def _doubles(name: str, values: list[float]) -> Any:
    return make_tensor(name, TensorProto.DOUBLE, [len(values)], values)
