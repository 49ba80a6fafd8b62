"""Pages that are asked for by a value of the last row of the page before (seek, or keyset, pagination)."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import model_validator

from tasks.config.base import BodyPath, NonEmpty, Scalar
from tasks.config.pagination import FollowedPagination, Following, Page, Place, check_param_names
from tasks.core.body_paths import walk
from tasks.core.errors import PermanentSourceError
from tasks.core.json_text import list_entries, list_items, take_json, to_text, to_value
from tasks.ingest.api.paginators.named import tells_more

_SHOWN_CHARACTERS = 80


class KeysetPagination(FollowedPagination):
    """Each request carries a value of the last row, as Stripe's starting_after; a page without rows is the last."""

    ends_empty: ClassVar[bool] = True

    kind: Literal["keyset"] = "keyset"
    """Kind of pagination."""
    value_at: BodyPath
    """Path in a record to the value that the next request carries, as it was received, e.g. id; no two rows may have the same."""
    param: NonEmpty
    """Parameter that takes the value, e.g. starting_after or id_after."""
    place: Place = "query"
    """Where the value is sent: as query parameter, header, at a path in the JSON body, as variables.after, or wherever {after} stands in url, params, headers or body."""
    start: Scalar | None = None
    """What the first request carries there, e.g. "*" or 0; without it, nothing."""
    has_more_at: BodyPath | None = None
    """Path in the body to true or false, e.g. has_more: with false the page is the last, and none is asked for in vain."""

    @model_validator(mode="after")
    def _has_names(self) -> KeysetPagination:
        check_param_names(self.place, self.param)
        return self

    @property
    def reads_headers(self) -> bool:
        """Return whether headers say what follows: the last row does."""
        return False

    @property
    def sent_as(self) -> tuple[Place, str]:
        """Return where the value is sent, and as what."""
        return self.place, self.param

    @property
    def begins_with(self) -> Scalar | None:
        """Return what the first request carries."""
        return self.start

    def following(self, page: Page) -> Following | None:
        """Return the value of the last row; None where there is no page after it."""
        if not self._has_more(page):
            return None
        text = _text_at(page.records[-1], self.value_at)
        value = None if text is None else to_value(text)
        if text is None or value == "" or isinstance(value, bool) or not isinstance(value, Following):
            found = "not there" if text is None else _shown(text)
            raise self._mistake(page, f"is {found} in the last row", "that each row has")
        if len(page.records) > 1 and _text_at(page.records[-2], self.value_at) == text:
            raise self._mistake(
                page, f"is {_shown(text)} in both of the last two rows, and more may follow", "of its own for each row"
            )
        page.cursor(value)  # which raises of what cannot be sent
        return value if isinstance(value, str) or self.place == "body" else text

    def _has_more(self, page: Page) -> bool:
        """Return whether there is a page after one."""
        if self.has_more_at is None:
            return bool(page.records)
        has_more = tells_more(page, self.has_more_at, "has_more_at")
        if has_more and not page.records:
            raise PermanentSourceError(
                f"{page.label}: pagination.has_more_at: {self.has_more_at!r} is true of a page without rows; "
                "correct records_at, or leave has_more_at out where such a page is the last"
            )
        return has_more

    def _mistake(self, page: Page, what: str, cure: str) -> PermanentSourceError:
        return PermanentSourceError(
            f"{page.label}: pagination.value_at: {self.value_at!r} {what}, "
            f"so that the next page cannot be asked for without losing rows; name a value {cure}"
        )


def _shown(text: str) -> str:
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]} …"


def _text_at(record: bytes, path: str) -> str | None:
    """Return the JSON text of a value of a record, as it was received; None where it is not there."""
    try:
        walked = walk(take_json(record), path, list_entries, list_items)
    except ValueError:  # a line that becomes a reject
        return None
    return to_text(walked.last) if walked.missing is None else None
