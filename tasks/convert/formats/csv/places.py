"""Places among the bytes or lines of a CSV text: the next of some, those of ranges, where each leads; and bytes taken out, or put in there."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tasks.convert.files.byte_view import ByteView, Marks

_LINE_FEED, _CARRIAGE_RETURN = b"\n\r"
_FEW_STEPS = 8
_ENDS = 2  # of a range


class NextPlaces:
    """Some of as many places as there are: which is the next is told of any."""

    def __init__(self, is_place: np.ndarray) -> None:
        self._is_place = is_place

    @cached_property
    def _marks(self) -> Marks:
        return Marks(self._is_place)

    @cached_property
    def _places(self) -> np.ndarray:
        return np.append(np.flatnonzero(self._is_place), len(self._is_place))

    def find(self, places: np.ndarray) -> np.ndarray:
        """Return the first of them that is not before each of these; the one behind all where there is none."""
        found: np.ndarray = self._places.take(self._marks.count_before(places))
        return found

    def find_near(self, places: np.ndarray) -> np.ndarray:
        """Return the same where mostly one of them is a few places further on, or there."""
        found, others = places.copy(), np.arange(len(places) if len(self._is_place) else 0)
        for _ in range(_FEW_STEPS):
            if not len(others := others[~self._are_reached(found[others])]):
                return found
            found[others] += 1
        found[others] = self.find(found[others])
        return found

    def _are_reached(self, places: np.ndarray) -> np.ndarray:
        """Return which of the places are one of them, or behind all."""
        return np.asarray(self._is_place.take(places, mode="clip") | (places >= len(self._is_place)))

    def are_in(self, first: np.ndarray, below: np.ndarray) -> np.ndarray:
        """Return whether one of them is in each range, from one place to before another: only where it is neither the first nor the last place others are looked for."""
        found, sizes = self._is_place.take(first, mode="clip"), below - first
        if (sizes == 1).all():
            return np.asarray(found)
        found &= sizes > 0
        others = np.flatnonzero((sizes > 1) & ~found)
        if len(others):
            found[others] = self._is_place.take(below[others] - 1, mode="clip")
            others = others[(sizes[others] > _ENDS) & ~found[others]]
            found[others] = self.find(first[others]) < below[others]
        return np.asarray(found)


def follow(following: np.ndarray) -> np.ndarray:
    """Return the nodes on the way from the first, each of which leads to one further on, or behind the last.

    Those that no other leads past are on it, and what these lead to, mostly in a few steps. From all that are known the
    ones so many steps further on are, each time twice as many, until none is new.
    """
    count = len(following)
    is_met = np.ones(count + 1, dtype=bool)
    furthest = following if (following[1:] >= following[:-1]).all() else np.maximum.accumulate(following)
    np.less_equal(furthest[:-1], np.arange(1, count), out=is_met[1:-1])
    met = np.flatnonzero(is_met[:-1])
    for _ in range(_FEW_STEPS):
        reached = following[met]
        met = reached[~is_met[reached]]
        if not len(met):
            return np.flatnonzero(is_met[:-1])
        is_met[met] = True
    further, known = np.append(following, count), np.count_nonzero(is_met)
    while True:
        is_met[further[is_met]] = True
        if np.count_nonzero(is_met) == known:
            return np.flatnonzero(is_met[:-1])
        further, known = further[further], np.count_nonzero(is_met)


def take_turns(places: np.ndarray) -> np.ndarray:
    """Return every other one of places that stand beside each other."""
    is_first = np.diff(places, prepend=-2) > 1
    if is_first.all():
        return places
    turns = np.arange(len(places), dtype=np.int32)
    taken: np.ndarray = places[(turns - np.maximum.accumulate(turns * is_first)) & 1 == 0]
    return taken


def list_places(starts: np.ndarray, stops: np.ndarray) -> np.ndarray:
    """Return every place of ranges, from each start to before its stop."""
    sizes = stops - starts
    if (sizes == 1).all():
        return starts
    places: np.ndarray = np.repeat(stops - np.cumsum(sizes), sizes) + np.arange(sizes.sum())
    return places


def end_with_feeds(text: ByteView, begins: np.ndarray) -> np.ndarray:
    """Return the bytes with a line feed for each carriage return alone that ends a line above these places, and above the blank lines there.

    Where nothing stands below it any more it would make one line end with the next line feed.
    """
    view = text.to_numpy().copy()
    if b"\r" in text:
        starts, stops = text.line_spans_of_any_end
        lines = np.searchsorted(starts, begins)
        lines = lines[lines > 0]
        above = lines - 1
        if (stops[above] == starts[above]).any():
            filled = np.maximum.accumulate(np.where(stops > starts, np.arange(len(starts)), 0))
            above = list_places(filled[above], lines)
        ends = starts[above + 1] - 1
        view[ends[view[ends] == _CARRIAGE_RETURN]] = _LINE_FEED
    return view


def empty_lines(text: ByteView, starts: np.ndarray, stops: np.ndarray) -> bytes:
    """Return the bytes without those of some lines, which are blank then."""
    edges = np.concatenate([[0], np.stack([starts, stops], axis=1).ravel()])
    view = end_with_feeds(text, starts) if b"\r" in text else text.to_numpy()
    return take_stretches(view, edges, np.arange(len(edges)) & 1 == 0).data


def move_lines(text: ByteView, data: bytes, lines: np.ndarray, sizes: np.ndarray | int) -> ByteView:
    """Return what became of a text of which some lines have so many bytes more: where all of them lie need not be looked for."""
    starts, stops = text.line_spans_of_any_end
    moves = np.zeros(len(starts) + 1, np.int64)
    moves[lines + 1] = sizes
    np.cumsum(moves, out=moves)
    return ByteView.of_lines(data, starts + moves[:-1], stops + moves[1:])


def keep_lines(text: ByteView, is_kept: np.ndarray) -> ByteView:
    """Return some of the lines of a text."""
    starts, _ = text.line_spans_of_any_end
    if b"\r" not in text:
        return take_stretches(text.to_numpy(), starts, is_kept)
    return take_stretches(end_with_feeds(text, starts[1:][is_kept[:-1] & ~is_kept[1:]]), starts, is_kept)


def take_stretches(view: np.ndarray, starts: np.ndarray, is_kept: np.ndarray) -> ByteView:
    """Return some of the stretches of bytes, each of which goes from one start to the next, or to the end."""
    edges = np.append(starts, len(view))
    stretches = pa.Array.from_buffers(pa.large_binary(), len(starts), [None, pa.py_buffer(edges), pa.py_buffer(view)])
    taken = stretches.filter(pa.array(is_kept)).buffers()[2]  # a byte at a time takes twice as long, or more
    return ByteView.of(taken.to_pybytes() if taken else b"")


def put_in(view: np.ndarray, places: np.ndarray, what: bytes) -> bytes:
    """Return the bytes with the same put in at each of the places."""
    ends = np.concatenate([[0], places, [len(view)]]).astype(np.int32)
    pieces = pa.Array.from_buffers(pa.binary(), len(ends) - 1, [None, pa.py_buffer(ends), pa.py_buffer(view)])
    joined: bytes = pc.binary_join(pa.ListArray.from_arrays(pa.array([0, len(pieces)], pa.int32()), pieces), what)[
        0
    ].as_py()
    return joined
