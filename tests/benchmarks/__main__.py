"""The benchmarks' command: `python -m tests.benchmarks demo`, `ingest`, `sql`, `convert`, `cluster`, `bucket`, `clean`, `tables`, `train`, `assess` or `orchestrate`."""

from __future__ import annotations

import argparse

from tests.benchmarks.assess import measure_assess
from tests.benchmarks.bucket import measure_bucket
from tests.benchmarks.clean import measure_clean
from tests.benchmarks.cluster import measure_cluster
from tests.benchmarks.convert import measure_convert
from tests.benchmarks.demo import measure_demo
from tests.benchmarks.ingest import measure_ingest
from tests.benchmarks.orchestrate import PARTS, measure_orchestrate
from tests.benchmarks.score import measure_score
from tests.benchmarks.sql import measure_sql
from tests.benchmarks.tables import measure_tables
from tests.benchmarks.train import measure_train

_BENCHMARKS = {
    "demo": measure_demo,
    "ingest": measure_ingest,
    "sql": measure_sql,
    "convert": measure_convert,
    "cluster": measure_cluster,
    "bucket": measure_bucket,
    "clean": measure_clean,
    "tables": measure_tables,
    "train": measure_train,
    "score": measure_score,
    "assess": measure_assess,
    "orchestrate": measure_orchestrate,
}


def main() -> None:
    """Run the benchmark that is named and print its table."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("benchmark", choices=_BENCHMARKS)
    parser.add_argument(
        "parts",
        nargs="*",
        help=f"of orchestrate, the parts to measure: {', '.join(PARTS)}; of cluster, gigabytes; of bucket, objects",
    )
    given = parser.parse_args()
    print(_BENCHMARKS[given.benchmark](*([given.parts] if given.parts else [])))


if __name__ == "__main__":
    main()
