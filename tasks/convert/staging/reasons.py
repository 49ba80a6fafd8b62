"""The reasons of a file's rejects: those that come most often, each with how often, be there as many as rejects."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from os.path import commonprefix

import numpy as np
import pyarrow as pa

from tasks.convert.schema.utf8 import bytes_of
from tasks.convert.staging.context import REASONS_KEPT

_FIRST = 4_000
_ALIKE = 2  # of the first, where more than one in two differ they are counted with those of all blocks
_FEW = 10  # repeated texts are looked for among all where they are fewer than one in ten
_TELLING = 100  # texts, from first to last, by which it is told what is the same in all
_WORD_BYTES, _WORD_BITS, _MOST_WORDS = 8, np.uint64(64), 32
_FACTOR, _SHIFT, _NO_BITS = np.uint64(0x9E37_79B9_7F4A_7C15), np.uint64(29), np.uint64(0)


def count_reasons(reasons: pa.ChunkedArray) -> pa.StructArray:
    """Return the reasons of a block, each with how often it is; one may stand there several times where most differ."""
    if pa.types.is_dictionary(reasons.type):
        counted = reasons.value_counts()
        return pa.StructArray.from_arrays([counted.field(0).cast(pa.string()), counted.field(1)], ["values", "counts"])
    first = reasons[:_FIRST]
    if len(first.unique()) * _ALIKE <= len(first):
        return reasons.value_counts()
    return pa.StructArray.from_arrays([reasons.combine_chunks(), pa.repeat(1, len(reasons))], ["values", "counts"])


def most_common(counted: Sequence[pa.StructArray]) -> dict[str, int]:
    """Return the reasons that come most often, and how often: of those that come as often the first."""
    if sum(map(len, counted)) <= REASONS_KEPT:
        few: Counter[str] = Counter()
        for each in counted:
            for reason, number in zip(*(column.to_pylist() for column in each.flatten()), strict=True):
                few[reason] += number
        return dict(few.most_common())
    reasons, counts = (column.combine_chunks() for column in pa.Table.from_batches(map(_batch_of, counted)).columns)
    summed, again = counts.to_numpy().copy(), find_repeated(reasons)
    met = reasons.take(pa.array(again)).dictionary_encode().indices.to_numpy()
    first = np.flatnonzero(np.diff(np.maximum.accumulate(met), prepend=-1))
    total = np.zeros(len(first), np.int64)
    np.add.at(total, met, summed[again])
    summed[again] = 0
    summed[again[first]] = total
    kept = np.argsort(-summed, kind="stable")[:REASONS_KEPT]
    kept = kept[summed[kept] > 0]
    return dict(zip(reasons.take(pa.array(kept)).to_pylist(), summed[kept].tolist(), strict=True))


def _batch_of(counted: pa.StructArray) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays(counted.flatten(), ["values", "counts"])


def find_repeated(texts: pa.StringArray) -> np.ndarray:
    """Return the places of texts that may stand there several times, all that do among them: to count each of a million costs ten times more."""
    hashes = _hash(texts)
    ordered = np.sort(hashes)
    again = ordered[1:][ordered[1:] == ordered[:-1]]
    repeated = again[np.diff(again, prepend=~again[:1]) != 0]
    if len(repeated) * _FEW > len(texts):
        return np.arange(len(texts))
    if not len(repeated):
        return np.empty(0, np.int64)
    places = np.minimum(np.searchsorted(repeated, hashes), len(repeated) - 1)
    return np.flatnonzero(repeated[places] == hashes)


def _hash(texts: pa.StringArray) -> np.ndarray:
    """Return a number for each text, the same for the same one: of its length, and of the first words of what differs in them."""
    before, behind = _find_alike(texts)
    places, data = bytes_of(texts)
    words = np.ndarray((len(data) + 1,), "<u8", np.append(data, np.zeros(_WORD_BYTES, np.uint8)), 0, (1,))
    hashes = np.diff(places).astype(np.uint64)
    begins = np.minimum(places[:-1].astype(np.int64) + before, places[1:])
    ends = np.maximum(places[1:] - behind, begins)
    for _ in range(min(_MOST_WORDS, -(-int((ends - begins).max(initial=0)) // _WORD_BYTES))):
        beyond = (8 * np.maximum(begins + _WORD_BYTES - ends, 0)).astype(np.uint64)  # bits of what is behind
        found = np.where(beyond < _WORD_BITS, words[begins] << beyond, _NO_BITS)
        hashes = (hashes ^ found) * _FACTOR
        hashes ^= hashes >> _SHIFT
        begins = np.minimum(begins + _WORD_BYTES, ends)
    return hashes


def _find_alike(texts: pa.StringArray) -> tuple[int, int]:
    """Return how many bytes are the same at the beginning of texts, and at their end, to judge by some: most of what reasons say."""
    some = np.linspace(0, len(texts) - 1, min(len(texts), _TELLING)).astype(np.int64)
    written = [text.encode() for text in texts.take(pa.array(some)).to_pylist()]
    return len(commonprefix(written)), len(commonprefix([text[::-1] for text in written]))  # noqa: RUF071 - no paths
