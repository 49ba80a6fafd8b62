"""Items of a JSON list read one by one: the same as those of the whole, wherever the parts end in which it comes."""

from __future__ import annotations

import io
import json
import re

import pytest

from tasks.core.json_pieces import ListReader, NoListError
from tasks.core.json_text import list_items, take_json, to_lines

ITEMS = [
    b'{"id": 123456789012345678901234567890, "a": 1, "a": 2, "x": 1E5, "n": NaN}',
    b'{"t": "caf\\u00e9 \\ud83d\\ude00 \xc3\xa9 \\" ] } ,", "e": {"l": [[], {}, [1, "]"]]}}',
    b"-1.50",
    b"null",
    b"true",
    b'"text"',
    b"[]",
    b'{"not": "\xe9 in UTF-8"}',
]
AROUND = [
    (b"%s", None),
    (b" \n %s \n", None),
    (b"\xef\xbb\xbf%s", None),
    (b'{"a": {"items": 1}, "items": %s, "next": {"b": [1, 2]}}', "items"),
    (b'{"meta":{"n":3},"data":{"x":null,"items":%s,"y":"]"},"z":1}', "data.items"),
    (b'{"@odata.count": 3, "@odata.value": %s}', '"@odata.value"'),
    (b'{"a.b": %s}', "a.b"),
]


class Slow(io.BytesIO):
    """A stream of which each reading brings a few bytes."""

    def __init__(self, data: bytes, most: int) -> None:
        super().__init__(data)
        self._most = most

    def read(self, size: int | None = -1, /) -> bytes:
        """Return the next few bytes."""
        return super().read(self._most if size is None or size < 0 else min(size, self._most))


@pytest.mark.parametrize("most", [1, 2, 7, 64, 4096])
@pytest.mark.parametrize("separator", [b",", b" ,\r\n  "])
@pytest.mark.parametrize(("around", "path"), AROUND)
def test_items_are_those_of_the_whole(around: bytes, path: str | None, separator: bytes, most: int) -> None:
    """Each is the text that it was received as, and what is around them is the document with an empty list."""
    body = around % (b"[ " + separator.join(ITEMS) + b" ]")

    reader = ListReader(Slow(body, most), path)

    listed = take_json(b"[" + separator.join(ITEMS) + b"]")
    items = list_items(listed)
    assert items is not None
    assert list(map(plain, reader.items())) == list(map(plain, to_lines(items, listed)))
    assert json.loads(reader.around) == json.loads(around.removeprefix(b"\xef\xbb\xbf") % b"[]")


def plain(line: bytes) -> bytes:
    """Return a line without its spaces, which are others where a body has line breaks."""
    return line.replace(b" ", b"")


@pytest.mark.parametrize("body", [b"[]", b" [ ] "])
def test_an_empty_list_has_no_items(body: bytes) -> None:
    """It has none, and the document is one."""
    reader = ListReader(io.BytesIO(body), None)

    assert (list(reader.items()), reader.around) == ([], "[]")


@pytest.mark.parametrize(
    ("body", "path"),
    [
        *((body, None) for body in (b"", b"{}", b"1", b"x", b'{"a": [1]}')),
        *((body, "a") for body in (b"[1]", b"{}", b'{"b": [1]}', b'{"a": 1}', b'{"a": {"b": [1]}}')),
    ],
)
def test_what_is_no_list_is_told_before_an_item_is_read(body: bytes, path: str | None) -> None:
    """Whoever asked reads it in another way."""
    with pytest.raises(NoListError):
        ListReader(io.BytesIO(body), path)


@pytest.mark.parametrize("most", [1, 4096])
@pytest.mark.parametrize(
    ("body", "path", "sentence"),
    [
        (b"[1, 2", None, "an item of a list is followed by ''"),
        (b"[1 2]", None, "an item of a list is followed by '2'"),
        (b"[1,]", None, "it is no JSON (Expecting value) in what begins with ']'"),
        (b'[{"a": 1}, {"a" 2}]', None, "it is no JSON (Expecting ':' delimiter) in what begins with '{\"a\" 2}"),
        (b'[{"a": "x}', None, "it is no JSON (Unterminated string starting at)"),
        (b"[1] [2]", None, "it goes on with '[' after its end"),
        (b'{"a": [1]', "a", "a member of an object is followed by ''"),
        (b'{"a": [1], "a": [2]}', "a", "'a' stands twice, once with the list that was read"),
        (b"[" * 100_000, None, "nested too deeply"),
    ],
)
def test_what_is_no_json_is_told_where_it_is_met(body: bytes, path: str | None, sentence: str, most: int) -> None:
    """A list that is cut off, or has something else in it or after it, is an error wherever the parts end."""
    with pytest.raises(ValueError, match=re.escape(sentence)):
        list(ListReader(Slow(body, most), path).items())
