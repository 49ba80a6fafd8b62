"""Whether rows have the columns that a model learnt from, and of what kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pyarrow as pa

from tasks.core.suggestions import did_you_mean
from tasks.train.data.features import is_text_type

_TOLD = 5

# What a column is in SQL, by the kind it should be of.
SQL_TYPES = {"number": "DOUBLE", "truth": "BOOLEAN", "time": "TIMESTAMP", "text": "VARCHAR"}
# The same in Arrow.
ARROW_TYPES = {"number": pa.float64(), "truth": pa.bool_(), "time": pa.timestamp("us"), "text": pa.string()}


def kind_of_type(kind: pa.DataType) -> str:
    """Return what a type is to a model: a number, a truth, a time or a text; else the type's own name."""
    if is_text_type(kind):
        return "text"
    if pa.types.is_boolean(kind):
        return "truth"
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return "time"
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return "number"
    return str(kind)


def differences(feature_kinds: Mapping[str, str], schema: pa.Schema, where: str) -> list[str]:
    """Return one sentence for each feature that a schema lacks or has as another kind; other columns may be there.

    Args:
        feature_kinds: Kind of each feature that the model learnt from.
        schema: Columns of the new rows.
        where: What the new rows are, e.g. "table 'flights'".

    """
    missing = [name for name in feature_kinds if name not in schema.names]
    mistakes = [
        f"{where}: has no column {name!r}, which is a {feature_kinds[name]} in training; {_nearest(name, schema.names)}"
        for name in missing[:_TOLD]
    ]
    if len(missing) > _TOLD:
        mistakes.append(f"{where}: has none of {len(missing) - _TOLD} further columns of training either")
    for name, kind in feature_kinds.items():
        if name in missing:
            continue
        if (found := kind_of_type(schema.field(name).type)) != kind:
            cure = f"CAST({name} AS {SQL_TYPES.get(kind, kind)})"
            mistakes.append(
                f"{where}: column {name!r} is a {found} ({schema.field(name).type}), and was a {kind} in training; "
                f"{cure} in a query"
            )
    return mistakes


def foreign_kinds(feature_kinds: Mapping[str, str], schema: pa.Schema) -> list[str]:
    """Return the features that are there as another kind than they were learnt from."""
    return [n for n, kind in feature_kinds.items() if n in schema.names and kind_of_type(schema.field(n).type) != kind]


def _nearest(name: str, names: Sequence[str]) -> str:
    same = [each for each in names if each.lower() == name.lower()]
    if same:
        return f"did you mean {same[0]}?"
    more = f" and {len(names) - _TOLD} more" if len(names) > _TOLD else ""
    return did_you_mean(name, names, f"there are {', '.join(names[:_TOLD])}{more}")
