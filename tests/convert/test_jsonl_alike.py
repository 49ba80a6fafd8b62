"""JSON lines parsed at once give what they give line by line: rows, types, rejects, counts and errors."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from tasks.config import Column
from tasks.convert.files.byte_view import ByteView
from tasks.convert.formats.json import names
from tasks.convert.formats.json.damaged import read_but_damaged
from tasks.convert.formats.json.jsonl import parse_lines
from tasks.convert.formats.json.lines import JsonBlock, read_lines
from tasks.convert.formats.json.mixed import read_but_mixed
from tasks.convert.formats.json.odd import read_but_odd
from tasks.convert.formats.json.table import read_at_once
from tasks.convert.schema.blocks import RawBlock, Schema, TypedBlock
from tasks.convert.schema.cast import cast_block
from tasks.convert.schema.names import Naming
from tasks.core.errors import TableError
from tests.convert.conftest import PROPERTY

_KEYS = ("a", "b", "a.b", "c", "é", 'k"q', "d/e", "lines", "Big Name")
_TEXTS = ('"x"', '"é"', r'"\u00e9"', r'"\ud83d\ude00"', r'"a\"b\\"', r'"\n\u0001"', r'"\/"', '"\x7f{}"', '"[1, 2]"')
_ODD_TEXTS = ('""', '"NA"', '"null"', '"5"', '" 7"', '"true"', '"1.50"', '"2013-01-01"', r'"a\u0000"', '"1,5"', '"007"')
_TIMES = ('"2013-01-01"', '"2013-02-28T05:00:00"', '"2013-01-01T05:00:00Z"', '"2013-01-01T00:00:00"', '""')
_INTS = ("1", "-2", "0", "37", "-0", "9007199254740993", "9223372036854775807")
_FLOATS = ("1.5", "-2.25", "1.0", "1e5", "0.1", "1e-5", "1.10", "-0.0", "1e15", "5e-324", "123456789012.5")
_WEIRD = (
    "9223372036854775808",
    "1" * 25,
    "1e400",
    "NaN",
    "-Infinity",
    "01",
    "[",
    '{"a": 1, "a": 2}',
    r'"\ud800"',
    "{}",
    "[]",
)
_DAMAGE = (
    "",
    " ",
    "{}",
    "x",
    "[1]",
    "null",
    '{"a": 1} {"a": 2}',
    '{"a": 1',
    '{"a": 1}\r',
    '\ufeff{"a": 1}',
    "{ }",
    "\x0c",
)

_REFUSED = (
    '{"$reject": "why", "url": "u"}',
    '{"$reject": 1, "url": "u"}',
    r'{"a": "\ud800"}',
    r'{"a": "\uD83D\ude00"}',
    '{"a": 5, "lines": 5}',
    '{"a": NaN}',
    '{"a": 1e400, "a": 01}',
    '{"a": {"b": 1}, "a.b": 2}',
    '{"a\udcff": 1}',
    '{"a": "\udcff"}',
)


@st.composite
def _kinds(draw: st.DrawFn, depth: int = 0) -> st.SearchStrategy[str]:
    """Draw a strategy of values of one kind, as they are written."""
    kinds = ["int", "float", "number", "text", "odd", "time", "bool", "null"]
    kind = draw(st.sampled_from(kinds if depth > 2 else [*kinds, "object", "list", "object"]))
    if kind == "object":
        return draw(objects(depth + 1))
    if kind == "list":
        elements = draw(_kinds(depth + 1))
        return st.lists(elements | st.just("null"), max_size=3).map(lambda found: f"[{','.join(found)}]")
    return st.sampled_from(
        {
            "int": _INTS[:5],
            "float": _FLOATS,
            "number": (*_INTS, *_FLOATS),
            "text": _TEXTS,
            "odd": (*_TEXTS, *_ODD_TEXTS),
            "time": _TIMES,
            "bool": ("true", "false"),
            "null": ("null",),
        }[kind]
    )


@st.composite
def objects(draw: st.DrawFn, depth: int = 0) -> st.SearchStrategy[str]:
    """Draw a strategy of objects, with some of the same keys each."""
    keys = draw(st.lists(st.sampled_from(_KEYS), min_size=1, max_size=4, unique=True))
    values = {key: draw(_kinds(depth)) for key in keys}
    nothing = draw(st.sampled_from([st.nothing(), st.just("null"), st.just("{}"), st.sampled_from(_WEIRD)]))
    blank = draw(st.sampled_from(["", "", "", " ", "\t", "\r"]))
    is_whole = draw(st.booleans())

    @st.composite
    def made(draw: st.DrawFn) -> str:
        shown = keys if is_whole else draw(st.lists(st.sampled_from(keys), min_size=depth == 0, unique=True))
        pairs = [
            f"{json.dumps(key, ensure_ascii=draw(st.booleans()))}: {draw(values[key] | nothing)}{blank}"
            for key in shown
        ]
        return "{" + ", ".join(pairs) + "}"

    return made()


@st.composite
def _others(draw: st.DrawFn) -> str:
    """Draw an object with any values, most of other kinds than elsewhere."""
    values = st.sampled_from(
        (*_WEIRD, *_TEXTS, *_ODD_TEXTS, *_TIMES, *_INTS, *_FLOATS, '{"b": "x"}', "[1]", "null", "true")
    )
    pairs = draw(st.dictionaries(st.sampled_from((*_KEYS, "new", "c.a")), values, min_size=1, max_size=4))
    return "{" + ", ".join(f"{json.dumps(key)}: {value}" for key, value in pairs.items()) + "}"


@dataclass(frozen=True)
class Case:
    """A block, and what is asked of it."""

    block: JsonBlock
    schema: Schema
    sample_lines: int


_COLUMNS = (
    st.builds(
        Column,
        type=st.sampled_from([None, "int", "float", "string", "bool", "date", "timestamp"]),
        nulls=st.sampled_from([(), ("NA",), ("37", "1.0"), ("[]",)]),
        required=st.booleans(),
    )
    | st.builds(
        Column, type=st.just("float"), decimal=st.sampled_from([",", None]), thousands=st.sampled_from([" ", None])
    )
    | st.builds(Column, type=st.just("date"), format=st.just("%Y"))
)
_NAMES = [*_KEYS, "a.a", "a.c", "c.a", "c.b", "lines.a", "lines.b", "big_name"]
_TYPES = st.sampled_from(
    ["int", "long", "float", "string", "bool", "date", "timestamp", "timestamp_utc", "null", "decimal(10,2)"]
)


@st.composite
def cases(draw: st.DrawFn, *, damaged: bool = False, odd: bool = False) -> Case:
    """Draw lines, mostly of the same kinds, and options; some of them damaged, or mostly none; or a few of other kinds."""
    records = draw(objects())
    lines = draw(st.lists(records, min_size=2, max_size=12))
    if odd:
        lines = (lines[: draw(st.sampled_from([1, 2, 12]))] * 50)[:50]
        for other in draw(st.lists(_others(), min_size=1, max_size=2)):
            lines.insert(draw(st.integers(0, len(lines))), other)
    some = st.lists(st.sampled_from((*_DAMAGE, *_REFUSED)), min_size=1, max_size=3)
    for damage in draw(some if damaged else st.just([]) | st.lists(st.sampled_from(_DAMAGE), max_size=2)):
        lines.insert(draw(st.integers(0, len(lines))), damage)
    data = draw(st.sampled_from(["\n", "\n", "\r\n"])).join(lines) + draw(st.sampled_from(["\n", ""]))
    columns = draw(st.just({}) | st.dictionaries(st.sampled_from(_NAMES), _COLUMNS, max_size=3))
    types = st.none() | st.dictionaries(st.sampled_from(_NAMES), _TYPES, min_size=1, max_size=5)
    naming = (
        Naming({}, clean=draw(st.booleans()))
        if draw(st.booleans())
        else Naming({"a": "b"} if draw(st.booleans()) else {})
    )
    block = JsonBlock(
        ByteView.of(data.encode("utf-8", "surrogateescape")),
        first_line=draw(st.sampled_from([1, 10])),
        typed=odd or draw(st.sampled_from([True, True, False])),
        explode=None if odd else draw(st.sampled_from([None, None, "a", "lines", "a.b", "c.a"])),
        keeps_empty=draw(st.booleans()),
        naming=naming,
        nulls_of=lambda name: columns[found].nulls if (found := naming.rename([name])[0]) in columns else (),
    )
    schema = Schema(columns, draw(types), draw(types), frozen=draw(st.booleans()), lines=draw(st.booleans()))
    return Case(block, schema, draw(st.integers(1, 4)))


def told(typed: TypedBlock) -> dict[str, Any]:
    """Return all that a block tells, to be compared."""
    table = typed.table
    return {
        "columns": [(name, str(table[name].type), repr(table[name].to_pylist())) for name in table.column_names],
        "types": list(typed.types.items()),
        "counts": (table.num_rows, typed.received, typed.records, typed.empty),
        "misfits": typed.misfits.to_pylist(),
        "lines": None if typed.lines is None else list(typed.lines),
    }


def _outcome(raw: Callable[[], RawBlock | None], schema: Schema) -> dict[str, Any] | str | None:
    try:
        found = raw()
        return None if found is None else told(cast_block(found, schema))
    except TableError as error:
        return str(error)


@PROPERTY
@given(cases())
def test_lines_parsed_at_once_are_those_read_one_by_one(case: Case) -> None:
    """Whatever lines hold, and whatever is asked of them, both ways give the same, unless the fast one leaves it to the other."""
    at_once = _outcome(lambda: read_at_once(case.block, case.schema, case.sample_lines), case.schema)
    event("line by line" if at_once is None else "at once")

    assert at_once in (None, _outcome(lambda: read_lines(case.block), case.schema))


@contextmanager
def as_sparse() -> Iterator[None]:
    """Have all records be those with few of many keys."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(names, "_MANY", 0)
        patch.setattr(names, "_FEW", 0)
        yield


@PROPERTY
@given(cases())
def test_lines_told_by_the_places_of_their_values_are_those_read_one_by_one(case: Case) -> None:
    """As they are where records have few of many keys."""
    block = replace(case.block, typed=True, explode=None)
    with as_sparse():
        by_places = _outcome(lambda: read_at_once(block, case.schema, case.sample_lines), case.schema)
    event("line by line" if by_places is None else "by places")

    assert by_places in (None, _outcome(lambda: read_lines(block), case.schema))


@PROPERTY
@given(cases(damaged=True))
def test_lines_beside_damaged_ones_are_those_read_one_by_one(case: Case) -> None:
    """Where lines are no rows, what is told of them and of the others is the same, unless others are in doubt."""
    apart = _outcome(lambda: read_but_damaged(case.block, case.schema, case.sample_lines), case.schema)
    event("line by line" if apart is None else "apart")

    assert apart in (None, _outcome(lambda: read_lines(case.block), case.schema))


@PROPERTY
@given(cases(odd=True))
def test_lines_beside_a_few_of_other_kinds_are_those_read_one_by_one(case: Case) -> None:
    """Where a few lines have other values than all others, columns, types and order are the same, unless others are in doubt."""
    apart = _outcome(lambda: read_but_odd(case.block, case.schema, case.sample_lines), case.schema)
    event("line by line" if apart is None else "apart")

    assert apart in (None, _outcome(lambda: read_lines(case.block), case.schema))


@PROPERTY
@given(cases(odd=True) | cases(), st.sampled_from(['"m": 5', '"m": "x"', '"m": [1, "a"]', '"a": 1', '"m": {"n": 1}']))
def test_lines_with_keys_of_several_kinds_are_those_read_one_by_one(case: Case, other: str) -> None:
    """So are they where values of one key are of several kinds, or a key comes twice."""
    lines = case.block.window.data.split(b"\n")
    for number, line in enumerate(lines):
        if line.rstrip().endswith(b"}"):
            member = other if number % 2 else '"m": 1'
            lines[number] = line.rstrip()[:-1] + f", {member}}}".encode()
    data = b"\n".join(lines)
    block = replace(case.block, window=ByteView.of(data))
    apart = _outcome(lambda: read_but_mixed(block, case.schema, case.sample_lines), case.schema)
    event("line by line" if apart is None else "apart")

    assert apart in (None, _outcome(lambda: read_lines(block), case.schema))


_FLAT = '{{"id": {0}, "price": {0}.5, "day": "2013-01-01", "name": "n{0}", "dep": {0}.0}}'
_NESTED = '{{"id": {0}, "o": {{"x": {0}, "p": {{"y": "t", "z": null}}}}, "q": null}}'
_VARIED = '{{"id": {0}, "o": {{"x{0}": {0}}}}}'
_LISTS = '{{"id": {0}, "tags": ["a", "\\"", null], "nums": [{0}, 2], "floats": [1.50], "objects": [{{"a": {0}}}, {{"b": []}}]}}'
_LINES = '{{"id": {0}, "lines": [{{"sku": {0}, "at": {{"x": true}}}}, {{"n": 1.5}}], "after": "x"}}'


@pytest.mark.parametrize(
    ("line", "asked", "options"),
    [
        (_FLAT, Schema(), {}),
        (_FLAT, Schema(lines=True), {"first_line": 10}),
        (_FLAT, Schema({"id": Column(type="float"), "name": Column(nulls=("n3",)), "day": Column(type="date")}), {}),
        (_FLAT, Schema({"price": Column(type="float", decimal=",")}, {"price": "float", "id": "int"}, frozen=True), {}),
        (_FLAT, Schema(types={"id": "string", "price": "string", "name": "int", "dep": "int"}), {}),
        (_FLAT, Schema(), {"naming": Naming({"id": "key"}, clean=True)}),
        (_FLAT, Schema(), {"typed": False}),
        (_NESTED, Schema(), {}),
        (_NESTED, Schema({"o_x": Column(type="int", required=True)}), {"naming": Naming(clean=True)}),
        (_NESTED.replace("null", "{{}}"), Schema(), {}),
        (_VARIED, Schema(), {}),
        (_LISTS, Schema(), {}),
        (_LISTS, Schema(), {"typed": False}),
        (_LINES, Schema(), {"explode": "lines"}),
        (_LINES, Schema({"lines.sku": Column(type="int")}, lines=True), {"explode": "lines", "keeps_empty": True}),
        (_LINES.replace("id", "lines.id"), Schema(), {"explode": "lines", "typed": False}),
    ],
)
def test_lines_as_they_mostly_are_need_not_be_read_one_by_one(
    line: str, asked: Schema, options: dict[str, Any]
) -> None:
    """Objects, lists, what is declared, exploded, frozen or renamed are parsed at once, and give what they give line by line."""
    block = JsonBlock(ByteView.of("\n".join(line.format(n) for n in range(60)).encode()), **options)

    at_once = _outcome(lambda: read_at_once(block, asked, 10), asked)

    assert at_once is not None
    assert at_once == _outcome(lambda: read_lines(block), asked)


@pytest.mark.parametrize("word", ["Inf", "NaN", "Infinity", "-Inf"])
@pytest.mark.parametrize("line", ['{{"f": {}, "l": []}}', '{{"o": {{"x": {}}}, "l": []}}', '{{"f": 1.5, "l": [{}]}}'])
def test_a_number_that_is_none_is_no_empty_record(word: str, line: str) -> None:
    """Also where the record would give no row: what is no JSON is a reject."""
    plain = ['{"id": 1, "f": 2.5, "l": [1.5], "o": {"x": 0.5}}'] * 5
    block = JsonBlock(ByteView.of("\n".join([*plain, line.format(word)]).encode()), explode="l")

    at_once = _outcome(partial(read_at_once, block, Schema(), 2), Schema())

    assert at_once in (None, _outcome(partial(read_lines, block), Schema()))


@pytest.mark.parametrize(
    "odd",
    [
        '{"o": {}}',
        '{"o": null}',
        '{"o": {"x": null}}',
        "{}",
        "null",
        '{"o.x": 1, "o": {"x": 2}}',
        '{"id": 1, "id": 2}',
        '{"o": {"x": 1, "x": 2}}',
        '{"l": []}',
        '{"l": [1, "a"]}',
        '{"l": null}',
        '{"l": 5}',
        '{"l": [[1.0]]}',
        '{"o": 5}',
        '{"id": 9223372036854775808}',
        '{"f": 12345678901234567890}',
        '{"f": 1e400}',
        '{"f": -0}',
        '{"f": -0.0}',
        '{"f": NaN}',
        '{"f": Infinity}',
        '{"f": "NA"}',
        '{"id": true}',
        '{"id": 1.0}',
        '{"t": "2013-01-01T05:00:00.1234567"}',
        '{"t": ""}',
        r'{"t": "\ud800"}',
        r'{"t": "\ud83d\ude00"}',
        r'{"\u0069d": 1}',
        r'{"\u006f": null}',
        '{"o": {"new": 1}}',
        '{"new": null}',
        '\ufeff{"id": 1}',
        '{"id": 1}\r',
        " ",
        "\t\r",
        '{"id": 1} {"id": 2}\n{"id":\n3}',
        '{"id": 1}{"id": 2}',
        '{"id": 1,\n"f": 2.5}',
        '{"l": [{"a": {}}], "o": {"x": 1}}',
        '{"$reject": "why", "url": "u"}',
        '{"a": ' + "[" * 2000 + "]" * 2000 + "}",
        '{"id\udcff": 1}',
        '{"t": "\udce9"}',
    ],
)
@pytest.mark.parametrize("options", [{}, {"typed": False}, {"explode": "l"}, {"explode": "o.l", "keeps_empty": True}])
def test_an_odd_line_is_what_it_is_alone(odd: str, options: dict[str, Any]) -> None:
    """A line that pyarrow and Python may read otherwise gives what it does when each is read by itself, wherever it stands."""
    plain = ['{"id": 1, "f": 2.5, "t": "2013-01-01", "l": [1], "o": {"x": 1, "l": [{"y": 1}]}}'] * 40
    asked = Schema({"id": Column(type="int"), "f": Column(type="float")})

    for place in (0, 4):
        data = "\n".join([*plain[:place], odd, *plain[place:]]).encode("utf-8", "surrogateescape")
        block = JsonBlock(ByteView.of(data), **options)
        for schema in (asked, Schema()):
            one_by_one = _outcome(partial(read_lines, block), schema)
            assert _outcome(partial(read_at_once, block, schema, 2), schema) in (None, one_by_one)
            with as_sparse():
                assert _outcome(partial(read_at_once, block, schema, 2), schema) in (None, one_by_one)
            assert _outcome(partial(read_but_damaged, block, schema, 2), schema) in (None, one_by_one)
            assert _outcome(partial(read_but_odd, block, schema, 2), schema) in (None, one_by_one)
            assert _outcome(partial(read_but_mixed, block, schema, 2), schema) in (None, one_by_one)


@pytest.mark.parametrize("value", ["true", "7", "1.5", '"x"', "null"])
@pytest.mark.parametrize("blank", [" ", "\t", "\r"])
def test_a_blank_behind_a_value_is_no_part_of_it(value: str, blank: str) -> None:
    """Nor where records have few of many keys."""
    lines = [f'{{"c{n}": {value}{blank}, "n": {n}{blank}}}' for n in range(120)]
    block = JsonBlock(ByteView.of("\n".join(lines).encode()))

    at_once = _outcome(partial(read_at_once, block, Schema()), Schema())

    assert at_once in (None, _outcome(partial(read_lines, block), Schema()))


@pytest.mark.parametrize("time", ["0013-01-01", "0013-01-01T05:00:00", "0013-01-01T05:00:00Z"])
def test_a_padded_time_is_a_text_wherever_it_stands(time: str) -> None:
    """The type is that of all texts, not that of the first."""
    lines = [f'{{"t": "2{time[1:]}"}}'] * 150 + [f'{{"t": "{time}"}}']
    block = JsonBlock(ByteView.of("\n".join(lines).encode()))

    at_once = _outcome(partial(read_at_once, block, Schema(), 10), Schema())

    assert at_once is not None
    assert at_once == _outcome(partial(read_lines, block), Schema())


@pytest.mark.parametrize(("levels", "is_row"), [(899, True), (900, False), (940, False), (985, False)])
@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"b": ', "}")])
def test_a_record_has_as_many_levels_at_once_as_alone(levels: int, opening: str, closing: str, *, is_row: bool) -> None:
    """One limit, whichever way reads it, and whatever is nested."""
    deep = '{"a": ' + opening * levels + "1" + closing * levels + "}"
    block = JsonBlock(ByteView.of(f'{{"a": 1}}\n{deep}\n{{"a": 2}}'.encode()))

    parsed = parse_lines(block, Schema())

    assert parsed.misfits["reason"].to_pylist() == ([] if is_row else ["nested too deeply"])
    assert parsed.table.num_rows == 2 + is_row
