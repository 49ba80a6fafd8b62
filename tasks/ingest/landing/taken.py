"""What is taken of a parent's row: the members that each record of its child is given before it is landed."""

from __future__ import annotations

import json
from collections.abc import Sequence

from tasks.config import Scalar
from tasks.config.answers import REJECT
from tasks.core.errors import PermanentSourceError
from tasks.core.json_text import list_entries, take_json

_ESCAPE = b"\\u"  # a name may be written with some


class TakenMembers:
    """Members, by their names, that stand first in each record; what is no object stays as it is."""

    def __init__(self, taken: Sequence[tuple[str, Scalar | bool | None]]) -> None:
        self._names = [name for name, _ in taken]
        self._written = [json.dumps(name, ensure_ascii=False).encode() for name in self._names]
        self._members = json.dumps(dict(taken), ensure_ascii=False).encode()[1:-1]

    def add_to(self, line: bytes) -> bytes:
        """Return a record, as a line of JSON, with the members.

        Raises:
            PermanentSourceError: it has one of their names already.

        """
        if not line.startswith(b"{") or line.startswith(REJECT):
            return line
        if _ESCAPE in line or any(name in line for name in self._written):
            self._refuse_own(line)
        rest = line[1:].lstrip()
        return b"{" + self._members + (b"" if rest.startswith(b"}") else b", ") + rest

    def _refuse_own(self, line: bytes) -> None:
        """Raise where one of the names is that of a member of the record itself, and not only within a value."""
        try:
            own = list_entries(take_json(line, lambda: None)) or {}
        except ValueError:  # a line that becomes a reject
            return
        for name in self._names:
            if name in own:
                raise PermanentSourceError(
                    f"take.{name}: the records have a member {name!r} of their own; take it by another name"
                )
