"""The two steps of a model that scikit-learn does not have; a saved model holds their names, and runs no other code of ours."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from tasks.train.data.types import Array

TIME_PARTS = ("year", "month", "day", "weekday", "hour")
_DAY_S = 86_400
_FIRST_WEEKDAY = 3  # 1970 began on a Thursday; Monday is 0


def split_times(seconds: pd.DataFrame) -> pd.DataFrame:
    """Return year, month, day, weekday and hour of each column of seconds since 1970; NaN stays NaN."""
    parts: dict[str, Array] = {}
    for name in seconds.columns:
        column = seconds[name].to_numpy(dtype=float)
        days = np.floor(column / _DAY_S)
        dates = np.full(len(days), np.datetime64("NaT"), dtype="datetime64[D]")
        known = np.isfinite(days)
        dates[known] = days[known].astype(np.int64).astype("datetime64[D]")
        months = dates.astype("datetime64[M]")
        years = dates.astype("datetime64[Y]")
        found = (
            years.astype(np.int64) + 1970.0,
            (months - years).astype(np.int64) + 1.0,
            (dates - months).astype(np.int64) + 1.0,
            (days + _FIRST_WEEKDAY) % 7,
            (column - days * _DAY_S) // 3600,
        )
        parts |= {
            f"{name}_{part}": np.where(known, values, np.nan) for part, values in zip(TIME_PARTS, found, strict=True)
        }
    return pd.DataFrame(parts, index=seconds.index)


def flatten_texts(texts: pd.DataFrame) -> Any:
    """Return the one column as a list of texts, the missing ones empty."""
    return texts.iloc[:, 0].fillna("").tolist()
