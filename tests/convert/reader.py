"""A process that reads a table all the time, with DuckDB and pandas, and tells each content that it saw.

It prints a line of JSON for each content that differs from the one before, and
stops when its standard input ends; whatever goes wrong ends it with a traceback.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from pathlib import Path

import duckdb
import pandas as pd

_PAUSE_S = 0.01  # for what it reads to be written


def _wait(stop: threading.Event) -> None:
    os.read(0, 1)
    stop.set()


def main() -> None:
    """Read the table at the path that is given until the parent has seen enough."""
    stop = threading.Event()
    threading.Thread(target=_wait, args=(stop,), daemon=True).start()
    table, seen, reads = Path(sys.argv[1]), None, 0
    with duckdb.connect() as connection:
        while not stop.is_set():
            folder = table.resolve(strict=True)  # one version, whatever is committed meanwhile
            frame = pd.read_parquet(folder)
            by_pandas = [len(frame), int(frame["v"].sum())]
            by_duckdb = connection.execute(f"SELECT count(*), sum(v) FROM '{folder}/*.parquet'").fetchone()  # noqa: S608 - our own path
            reads += 1
            stop.wait(_PAUSE_S)
            if (found := [by_pandas, [int(value) for value in by_duckdb or ()]]) != seen:
                seen = found
                print(json.dumps(found), flush=True)  # noqa: T201 - what it is started for
    print(json.dumps(reads), flush=True)  # noqa: T201 - the same


if __name__ == "__main__":
    main()
