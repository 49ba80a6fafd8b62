"""Expressions: which are of one row alone, what they read, and their values."""

from __future__ import annotations

import pyarrow as pa
import pytest

from tasks.core.expressions import evaluate, find_expression_mistake, parse_expression


@pytest.mark.parametrize(
    ("sql", "says"),
    [
        ("price *", "is no expression of SQL (Parser Error"),
        ("a FROM t", "is no expression of SQL (Parser Error"),
        ("a; SELECT 1", "is no expression of SQL (Parser Error"),
        ("a) , (b", "is no expression of SQL (Parser Error"),
        ("a AS c", "names its value c, and its name is that of the column; take AS c out"),
        ("(SELECT 1)", "has a subquery, and its value is that of one row; take it out"),
        ("a IN (SELECT 1)", "has a subquery"),
        ("row_number() OVER ()", "has a function over many rows"),
        ("*", "has *, "),
        ("$1", "has a parameter"),
        ("sum(a)", "has sum, which is no function of one row's values; take it out, or make a table by SQL"),
        ("count(*)", "has count_star, which is no function of one row's values"),
        ("unnest(a)", "has unnest, which is no function of one row's values"),
        ("read_text('/etc/passwd')", "has read_text, which is no function of one row's values"),
        ("format_type(1, 2)", "has format_type, which is no function of one row's values"),
        ("random()", "has random, which gives another value in another run; take it out"),
        ("NOW()", "which gives another value in another run; take it out"),
        ("system.main.now()", "which gives another value in another run; take it out"),
        ("current_date", "has current_date, which gives another value in another run"),
        ("age(born)", "has age, which gives another value in another run"),
        ("ago(INTERVAL 1 DAY)", "has ago, which is no function of one row's values"),
        ("current_setting('threads')", "has current_setting, which gives another value in another run"),
        ("uper(a)", "has uper, which is no function of DuckDB; did you mean upper?"),
        ("address.city", 'has address.city, which is no column; write a name with a dot in quotes, as "address.city"'),
        ("a.upper()", "has a.upper(…), which is no function; write it as upper(a, …)"),
    ],
)
def test_what_is_not_of_one_row_is_refused(sql: str, says: str) -> None:
    """No other rows, no tables or files, nothing of the moment; the sentence tells the cure."""
    assert says in (find_expression_mistake(sql) or "")


@pytest.mark.parametrize(
    ("sql", "reads"),
    [
        ("round(price * 1.19, 2)", ("price",)),
        ('"unit price" / 2 -- halved', ("unit price",)),
        ("list_transform(string_split(a, ','), lambda each: trim(each) || b)", ("a", "b")),
        ("[each || b FOR each IN string_split(a, ',')]", ("a", "b")),
        ("a -> '$.x'", ("a",)),
        ("nullif(split_part(a, '-', 2), '')", ("a",)),
        ("age(ended, began)", ("ended", "began")),
        ("CASE WHEN a IS NULL THEN b BETWEEN 1 AND 2 ELSE c END", ("a", "b", "c")),
        ("1", ()),
    ],
)
def test_what_is_read_is_known(sql: str, reads: tuple[str, ...]) -> None:
    """The names of columns, and not those that the expression gives itself."""
    assert find_expression_mistake(sql) is None
    assert sorted(parse_expression(sql).reads) == sorted(reads)


def test_rows_without_a_value_are_found_exactly() -> None:
    """They are null, and told; what is null by the expression is not one of them."""
    texts = pa.chunked_array([["1", "x", None], ["9" * 30, "4"]])

    found = evaluate(parse_expression("a::bigint"), {"a": texts}, 5)

    assert found.values.to_pylist() == [1, None, None, None, 4]
    assert found.failed == [1, 3]


def test_a_number_beyond_64_bits_is_no_value() -> None:
    """It fails where the type that a table has does not hold it, as does a day that no calendar has."""
    assert evaluate(parse_expression("10::hugeint ** n"), {"n": pa.chunked_array([[1, 2]])}, 2).failed == ()
    huge = evaluate(parse_expression("9223372036854775807::hugeint + n"), {"n": pa.chunked_array([[0, 1]])}, 2)
    days = evaluate(parse_expression("a::timestamptz"), {"a": pa.chunked_array([["infinity", "2020-01-01"]])}, 2)

    assert (huge.values.to_pylist(), huge.failed) == ([9223372036854775807, None], [1])
    assert (days.values.is_null().to_pylist(), days.failed) == ([True, False], [0])
