"""What a model said of rows, as the Arrow file that is kept of it: of a fold's test rows, and of the hold-out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa

from tasks.core.storage import commit
from tasks.train.data.types import Array

if TYPE_CHECKING:  # scipy: a third of a second, which a run in which nothing is new has no use for
    from tasks.train.evaluation.metrics import ModelOutput

PROBABILITY = "probability_"
"""What the columns of probabilities are called by, before the class: of these files, and of predictions."""
RANKING = "ranking_"
_WEIGHT = "weight"
_CLASSES = b"classes"
_ARROW_END = b"ARROW1"


class KeptOutput(NamedTuple):
    """What a model said, and of which rows of the training set, by their positions."""

    rows: Array
    output: ModelOutput


def output_table(output: ModelOutput, rows: Array) -> pa.Table:
    """Return what a model said of rows: prediction, and `probability_` and `ranking_` by class; and their weights."""
    columns: dict[str, Any] = {
        "row": pa.array(rows, pa.int64()),
        "truth": output.truth,
        "prediction": output.prediction,
    }
    if output.weight is not None:
        columns[_WEIGHT] = output.weight
    if output.classes is None:
        return pa.table(columns)
    if output.probability is not None:
        columns |= {f"{PROBABILITY}{c}": output.probability[:, i] for i, c in enumerate(output.classes)}
    if output.ranking is not None:
        of_each = output.ranking.ndim > 1
        ranked = output.classes if of_each else output.classes[1:]
        columns |= {f"{RANKING}{c}": output.ranking[:, i] if of_each else output.ranking for i, c in enumerate(ranked)}
    return pa.table(columns).replace_schema_metadata({_CLASSES: json.dumps(output.classes.tolist())})


def keep_output(path: Path, output: ModelOutput, rows: Array) -> None:
    """Commit what a model said of rows."""
    table = output_table(output, rows)
    with commit(path) as part, pa.ipc.new_file(str(part), table.schema) as file:
        file.write_table(table)


def read_output(path: Path) -> KeptOutput:
    """Return what a model said, as it was kept."""
    from tasks.train.evaluation.metrics import ModelOutput  # noqa: PLC0415 - as above

    with pa.memory_map(str(path)) as mapped:
        table = pa.ipc.open_file(mapped).read_all()
        metadata = table.schema.metadata or {}
        truth, prediction = (_values(table.column(name)) for name in ("truth", "prediction"))
        classes = np.array(json.loads(metadata[_CLASSES]), truth.dtype) if _CLASSES in metadata else None
        probability, ranking = (
            [np.array(table.column(name)) for name in table.column_names if name.startswith(prefix)]
            for prefix in (PROBABILITY, RANKING)
        )
        output = ModelOutput(
            truth,
            prediction,
            np.column_stack(probability) if probability else None,
            (ranking[0] if len(ranking) == 1 else np.column_stack(ranking)) if ranking else None,
            classes,
            np.array(table.column(_WEIGHT)) if _WEIGHT in table.column_names else None,
        )
        return KeptOutput(np.array(table.column("row")), output)


def is_output_intact(path: Path) -> bool:
    """Return whether such a file is there to its end."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - len(_ARROW_END)))
        return file.read() == _ARROW_END


def _values(column: pa.ChunkedArray) -> Array:
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        return np.array(column.to_pylist(), dtype=object)
    return np.array(column)
