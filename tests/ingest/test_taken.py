"""What is taken of a parent's row: it stands in each record, which may have no member of its own by that name."""

from __future__ import annotations

import pytest

from tasks.core.errors import PermanentSourceError
from tasks.ingest.landing.taken import TakenMembers


@pytest.mark.parametrize("line", [b'{"gr\\u00f6\\u00dfe": 2}', '{"größe": 2}'.encode()])
def test_a_member_of_the_record_is_never_hidden(line: bytes) -> None:
    """However its name is written: two members of one name would have one of them lost."""
    with pytest.raises(PermanentSourceError, match=r"^take\.größe: the records have a member 'größe' of their own"):
        TakenMembers([("größe", 1)]).add_to(line)


def test_a_name_within_a_value_is_no_member() -> None:
    """The record has the members before its own."""
    line = TakenMembers([("order", 1)]).add_to(b'{"of": {"order": "\\u00e9"}}')

    assert line == b'{"order": 1, "of": {"order": "\\u00e9"}}'
