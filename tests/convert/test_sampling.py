"""The sample of a table's rows: what was kept as parts were written, and what is read of others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.convert.parts.part import StoredPart
from tasks.convert.parts.sample import KEPT_BYTES, SAMPLE_PARTS, SAMPLE_ROWS, ReadPart, Samples, sample_rows


def read_part(folder: Path, name: str, table: pa.Table) -> ReadPart:
    """Return a part of these rows."""
    path = folder / f"{name}.parquet"
    pq.write_table(table, path)
    return ReadPart(StoredPart(path, name), pq.read_metadata(path))


def numbers(rows: int, first: int = 0) -> pa.Table:
    """Return rows of whole numbers and a text."""
    return pa.table({"x": np.arange(first, first + rows), "text": ["a"] * rows})


def test_kept_rows_are_those_that_would_be_read(tmp_path: Path) -> None:
    """At equal distances, from each part as many, of the columns that are asked for."""
    tables = {"a": numbers(15_000), "b": numbers(30_000, 50_000)}
    parts = [read_part(tmp_path, name, table) for name, table in tables.items()]
    samples = Samples(len(parts))
    for name, table in tables.items():
        samples.keep(name, table)

    kept, kept_count = sample_rows(parts, ["x"], samples)
    read, read_count = sample_rows(parts, ["x"], None)

    assert kept_count == read_count == len(kept["x"]) == SAMPLE_ROWS
    assert kept["x"].to_pylist() == read["x"].to_pylist()


def test_of_some_parts_rows_were_kept_the_others_are_read(tmp_path: Path) -> None:
    """A run that converts one new file shows the rows of the other parts as well."""
    parts = [read_part(tmp_path, name, numbers(20_000, first)) for name, first in (("a", 0), ("b", 20_000))]
    samples = Samples(1)
    samples.keep("b", numbers(20_000, 40_000))  # others than the file's, so that they are known

    sample, _ = sample_rows(parts, ["x"], samples)

    values = sample["x"].to_pylist()
    assert (sum(x < 20_000 for x in values), sum(x >= 40_000 for x in values)) == (SAMPLE_ROWS // 2, SAMPLE_ROWS // 2)


@pytest.mark.parametrize(
    "anew", [numbers(29_999), numbers(30_000).set_column(0, "x", pa.array(np.arange(30_000.0)))], ids=["fewer", "types"]
)
def test_rows_kept_of_a_part_that_was_written_anew_are_not_shown(tmp_path: Path, anew: pa.Table) -> None:
    """Duplicates were dropped from it, or its types widened to those of other files."""
    samples = Samples(1)
    samples.keep("a", numbers(30_000, -100_000))
    part = read_part(tmp_path, "a", anew)

    assert samples.of(part) is None
    assert min(sample_rows([part], ["x"], samples)[0]["x"].to_pylist()) == 0


def test_rows_are_kept_of_those_parts_that_are_drawn(tmp_path: Path) -> None:
    """However many parts a run writes, in whatever order, memory is bounded and nothing has to be read."""
    names = [f"part-{number}" for number in range(200)]
    parts = [read_part(tmp_path, name, numbers(200)) for name in names]
    samples = Samples(len(names))
    for name in np.random.default_rng(3).permutation(names):
        samples.keep(str(name), numbers(200, 1_000))

    sample, count = sample_rows(parts, ["x"], samples)

    assert sum(samples.of(part) is not None for part in parts) == SAMPLE_PARTS
    assert count == SAMPLE_PARTS * 200
    assert min(sample["x"].to_pylist()) == 1_000


def test_nothing_is_kept_of_parts_that_others_are_drawn_before(tmp_path: Path) -> None:
    """Where the names of the parts to come are known, also the first ones are those that stay."""
    names = [f"part-{number}" for number in range(200)]
    parts = [read_part(tmp_path, name, numbers(200)) for name in names]
    told, untold = Samples(len(names), names), Samples(len(names))
    for samples in (told, untold):
        for name in names:
            samples.keep(name, numbers(200))
    kept = [part for part in parts if untold.of(part) is not None]
    samples = Samples(len(names), names)
    for part in parts:
        if part not in kept:
            samples.keep(part.part.name, numbers(200))

    assert [part for part in parts if told.of(part) is not None] == kept
    assert all(samples.of(part) is None for part in parts)


@pytest.mark.parametrize(
    ("texts", "kept"),
    [
        (["x" * (KEPT_BYTES // 4)] * 8, True),
        (["x" * (KEPT_BYTES + 1)] * 2, False),
        ([*["x"] * 5_000, "x" * (4 * KEPT_BYTES)], False),
    ],
    ids=["long", "too long", "one too long"],
)
def test_of_long_rows_few_are_kept_or_none(tmp_path: Path, texts: list[str], *, kept: bool) -> None:
    """The rows of a part take two megabytes at most, wherever the long one stands; a part without is read."""
    table = pa.table({"x": texts})
    part = read_part(tmp_path, "a", table)
    samples = Samples(1)
    samples.keep("a", table)

    sample = samples.of(part)

    assert (sample is not None) == kept
    assert sample is None or (0 < sample.num_rows < len(texts) and sample.nbytes <= KEPT_BYTES)
