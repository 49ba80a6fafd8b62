"""The type of numpy arrays, in a module that imports no pandas: workers start sooner without it."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
