"""Where a prediction is written: a Parquet file that replaces nothing by accident, and its rejects beside it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tasks.core.errors import ConfigError
from tasks.core.storage import DataFolder, commit
from tasks.train.predict.inputs import Input

MADE_BY = "model_version"
"""The column that names the version which made a prediction."""
_ENDINGS = ("", ".parquet", ".pq")


def choose_output(folder: DataFolder, pipeline: str, rows: Input, output: Path | None, *, overwrite: bool) -> Path:
    """Return the file that a prediction is written to: the one named, else one in the folder of predictions.

    Raises:
        ConfigError: the one named is there already, is not to be written to, or no Parquet by its name.

    """
    if output is None:
        return folder.predictions(pipeline) / f"{rows.name}.parquet"
    path = output.absolute()
    place = path.resolve()
    if path.is_dir():
        raise ConfigError(f"{output}: is a folder; name a file in it, e.g. {output / rows.name}.parquet")
    if path.suffix not in _ENDINGS:
        raise ConfigError(f"{output}: a prediction is Parquet, and {path.suffix} is not; name it {path.stem}.parquet")
    if rows.kind in {"parquet", "file"} and place == Path(rows.text).resolve():
        raise ConfigError(f"{output}: is what is to be predicted; name another file")
    if guarded := folder.find_guarded(place):
        raise ConfigError(f"{output}: {guarded}")
    if path.exists() and not overwrite:
        raise ConfigError(f"{output}: is there already; name another file, or add --overwrite")
    return path


def rejects_beside(output: Path) -> Path:
    """Return where the rejects of a prediction lie."""
    return output.with_name(f"_{output.stem}.rejects.parquet")


def keep_rejects(files: Sequence[Path], output: Path) -> Path | None:
    """Write the rejects of a prediction beside it, in place of those of an earlier one; return where, if there are any.

    Readers of Parquet folders pass over its name.
    """
    path = rejects_beside(output)
    if not files:
        path.unlink(missing_ok=True)
        return None
    with commit(path) as part:
        pq.write_table(pa.concat_tables([pq.ParquetFile(file).read() for file in files]), part, compression="zstd")
    return path
