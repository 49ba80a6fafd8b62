"""JSON values as Python has them, at one place of every line; and lists as texts, as Python writes them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from operator import attrgetter
from typing import Any

import msgspec
import pyarrow as pa

from tasks.convert.files.byte_view import ByteView
from tasks.convert.formats.json.shape import InDoubtError
from tasks.convert.schema.written import write_json

_LINES = 1_000  # decoded at once: of many more Python would look for what is garbage
_WRITTEN_ALIKE = (pa.types.is_string, pa.types.is_integer, pa.types.is_boolean)  # whatever way a file writes them

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
    """Return lists of texts, whole numbers or truth values, or of such lists, as JSON texts; None where Python has to write them as they stand."""
    element = lists.type
    while pa.types.is_list(element):
        element = element.value_type
    return write_json(lists) if any(are(element) for are in _WRITTEN_ALIKE) else None
