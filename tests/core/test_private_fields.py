"""Private fields are dropped, hashed or alone kept, wherever in a record they stand and however it is written."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.core.private_fields import NoFieldsError, PrivateFields, canonical_text

KEY = b"0123456789abcdef"
RECORD = {
    "email": "a@example.com",
    "customer": {"id": 5, "phone": "1", "notes": [1, {"x": 2}]},
    "items": [{"sku": "s", "by": "5"}, {"sku": "t"}, 7, [{"by": None}]],
    "to": ["5", 5, None],
}
FIVE = hmac.new(KEY, b"5", hashlib.sha256).hexdigest()


def clean(record: Any, drop: Any = (), hashed: Any = (), keep: Any = None) -> Any:
    """Return a record without what is private."""
    return json.loads(PrivateFields(drop, hashed, keep, KEY).clean(json.dumps(record).encode()))


def test_paths_go_into_objects_and_into_each_element_of_a_list() -> None:
    """A dropped field is not there, a hashed one has the same hash wherever it stands; all else is as it was."""
    assert clean(RECORD, ["email", "customer.phone"], ["customer.id", "items.by", "to"]) == {
        "customer": {"id": FIVE, "notes": [1, {"x": 2}]},
        "items": [{"sku": "s", "by": FIVE}, {"sku": "t"}, 7, [{"by": None}]],
        "to": [FIVE, FIVE, None],
    }


def test_what_is_kept_is_all_there_is() -> None:
    """Nothing else is, also where an object or a list has another value; what is hashed is kept."""
    assert clean(RECORD, ["customer.notes"], ["customer.id"], ["customer", "items.sku"]) == {
        "customer": {"id": FIVE, "phone": "1"},
        "items": [{"sku": "s"}, {"sku": "t"}, None, [{}]],
    }
    assert clean({"customer": "a@example.com"}, keep=["customer.id"]) == {"customer": None}


@pytest.mark.parametrize(
    ("line", "cleaned"),
    [
        (b'{"n": NaN, "a": 1.10, "email": NaN}', b'{"n":NaN,"a":1.10}'),
        (b'{"a":1,"email":1,"a":2,"\\u0065mail":3}', b'{"a":1,"a":2}'),
        (b'{"x":1E5, "b" : [1, "a, b"]}', b'{"x":1E5,"b":[1,"a, b"]}'),
        (b'{"x":{"email":1},"big":123456789012345678901234567890}', b'{"x":{"email":1},"big":123456789012345678901234567890}'),
        (b'{"email":"\\ud800","b":"\\ud800"}', b'{"b":"\\ud800"}'),
        (b"null", b"null"),
    ],
)  # fmt: skip
def test_all_else_is_as_it_was_received(line: bytes, cleaned: bytes) -> None:
    """Numbers, escapes and names that stand twice are what they were, whatever the record is written like."""
    assert PrivateFields(["email"]).clean(line) == cleaned


def test_a_member_that_is_named_like_a_path_is_private_too() -> None:
    """So is one whose name is in quotes, as it has a dot."""
    record = {"customer.phone": 1, "a.b": {"c": 2, "d": 3}}

    assert clean(record, ["customer.phone", '"a.b".c']) == {"a.b": {"d": 3}}


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ('"5"', "5"), ("5", "5"), ("5.0", "5"), ("5e0", "5"), ('"5.0"', "5.0"), ('"05"', "05"), ("-0.0", "0"), ("1e-1", "0.1"),
        ("123456789012345678901234567890.10", "123456789012345678901234567890.1"), ("1e999999", "1E+999999"), ("true", "true"),
        ("null", None), ('{"b":1,"a":[2]}', '{"a":[2],"b":1}'), ("NaN", "NaN"), ("-Infinity", "-Infinity"), ('"\\u00e9"', "é"),
    ],
)  # fmt: skip
def test_the_same_value_has_one_text_however_it_is_written(written: str, text: str | None) -> None:
    """A number is that of the text that it is written as; a text is taken as it is."""
    assert canonical_text(written) == text


def test_what_was_met_is_known_and_what_was_not_is_not() -> None:
    """By it a path is told that no record has."""
    fields = PrivateFields(["email", "custmer.phone"], ["items.by"], None, KEY)

    fields.clean(json.dumps(RECORD).encode())

    assert fields.met == {"email", "items.by"}


@pytest.mark.parametrize("line", [b'"a@example.com"', b"[1]", b"5"])
def test_a_record_without_fields_is_refused_and_not_quoted(line: bytes) -> None:
    """Nothing could be found in it."""
    with pytest.raises(NoFieldsError, match=r"^a record is no object, so that no field of it can be found$"):
        PrivateFields(["email"]).clean(line)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abcd"), inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(st.sampled_from("abcd"), JSON, max_size=4))
def test_whatever_a_record_is_nothing_private_is_left(record: dict[str, Any]) -> None:
    """No object has the dropped member at the path, none but the kept ones are there, and the rest is equal."""

    def without(value: Any) -> Any:
        if isinstance(value, list):
            return [without(each) for each in value]
        return {name: each for name, each in value.items() if name != "b"} if isinstance(value, dict) else value

    expected = {name: without(value) if name == "a" else value for name, value in record.items() if name != "c"}

    assert repr(clean(record, ["c", "a.b"])) == repr(expected)
    assert clean(record, keep=["d"]).keys() <= {"d"}
