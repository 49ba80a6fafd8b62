"""A check in words: what it is called, of which columns it is, and what it expects."""

from __future__ import annotations

from typing import assert_never

from tasks.spec import Allowed, Check, Fresh, InRange, Matches, MinRows, NotNull, Unique, write_duration

_SHOWN_CHARACTERS = 200


def name_check(check: Check) -> str:
    """Return the key by which a check is declared."""
    return next(name for name in type(check).model_fields if name != "on_fail")


def columns_of(check: Check) -> tuple[str, ...]:
    """Return the columns that a check is of."""
    match check:
        case NotNull():
            return check.not_null
        case Unique():
            return check.unique
        case MinRows():
            return ()
        case InRange(range=named) | Allowed(allowed=named) | Matches(matches=named) | Fresh(fresh=named):
            return (named.column,)
    assert_never(check)


def expected_of(check: Check) -> str:
    """Return what a check asks for, in few words."""
    match check:
        case NotNull():
            said = "a value in every row"
        case Unique():
            said = "no two rows alike"
        case InRange(range=bounds):
            said = " and ".join(
                f"{word} {bound}"
                for word, bound in (("at least", bounds.min), ("at most", bounds.max))
                if bound is not None
            )
        case Allowed(allowed=allowed):
            said = f"one of {', '.join(map(str, allowed.values))}"
        case Matches(matches=pattern):
            said = pattern.regex
        case MinRows(min_rows=rows):
            said = f"at least {rows:,} rows"
        case Fresh(fresh=fresh):
            said = f"a row of the last {write_duration(fresh.within)}"
        case _:
            assert_never(check)
    return said if len(said) <= _SHOWN_CHARACTERS else f"{said[:_SHOWN_CHARACTERS]}…"
