"""JSON values as Python has them, at one place of every line; and lists as texts, as Python writes them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from operator import attrgetter
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from tasks.convert.files.byte_view import ByteView
from tasks.convert.formats.json.shape import InDoubtError

_LINES = 1_000  # decoded at once: of many more Python would look for what is garbage
_CONTROL = r"[\x00-\x1f]"
_ESCAPED = (("\\", "\\\\"), ('"', '\\"'))

_value_of = attrgetter("value")


def values_at(window: ByteView, path: Sequence[str], within: Sequence[str] | None = None) -> Iterator[list[Any]]:
    """Yield the value at a path in every line, of some lines at a time; with `within`, that at this path in each element of the list there.

    msgspec reads every number as Python does; pyarrow has found no key twice before.

    Raises:
        InDoubtError: it reads a line otherwise.

    """
    try:
        line = msgspec.defstruct("Line", [("value", Any, None)], rename={"value": path[0]})  # a key without a quote
        decoder = msgspec.json.Decoder(line)
        for start, stop in pairwise((0, *(window.line_ends[_LINES::_LINES] + 1).tolist(), len(window))):
            found = [_walk(_value_of(each), path[1:]) for each in decoder.decode_lines(window.view[start:stop])]
            yield found if within is None else [_walk(each, within) for elements in found for each in elements or ()]
    except (msgspec.DecodeError, ValueError) as error:
        raise InDoubtError from error


def _walk(value: Any, path: Sequence[str]) -> Any:
    for key in path:
        if value is None:
            break
        value = value.get(key)
    return value


def join_lists(lists: pa.ListArray) -> pa.Array | None:
    """Return lists of texts, whole numbers or truth values, or of such lists, as JSON texts; None where Python has to write them."""
    elements = lists.values
    if pa.types.is_list(elements.type):
        elements = join_lists(elements)
        return None if elements is None else _join(lists, elements)
    if pa.types.is_string(elements.type):
        if pc.any(pc.match_substring_regex(elements, _CONTROL)).as_py():
            return None
        for plain, escaped in _ESCAPED:
            elements = pc.replace_substring(elements, plain, escaped)
        elements = pc.binary_join_element_wise('"', elements, '"', "")
    elif pa.types.is_integer(elements.type) or pa.types.is_boolean(elements.type):
        elements = pc.cast(elements, pa.string())
    else:
        return None
    return _join(lists, elements)


def _join(lists: pa.ListArray, elements: pa.Array) -> pa.Array:
    """Return lists of elements that are written already."""
    elements = pc.fill_null(elements, "null")
    written = pa.ListArray.from_arrays(lists.offsets, elements, mask=lists.is_null() if lists.null_count else None)
    return pc.binary_join_element_wise("[", pc.binary_join(written, ", "), "]", "")
