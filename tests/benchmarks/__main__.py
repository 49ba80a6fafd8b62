"""The benchmarks' command: `python -m tests.benchmarks demo`."""

from __future__ import annotations

import argparse

from tests.benchmarks.demo import measure_demo


def main() -> None:
    """Run the benchmark that is named and print its table."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("benchmark", choices=["demo"])
    parser.parse_args()
    print(measure_demo())


if __name__ == "__main__":
    main()
