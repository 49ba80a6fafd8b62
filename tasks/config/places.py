"""Values that a source's requests carry beside those of partitions: where each goes, and whether there is such a place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from tasks.config.incremental import Incremental
from tasks.config.pagination import FollowedPagination, NumberedPagination, Paginator, Place
from tasks.core.body_paths import put_at


class Placed(NamedTuple):
    """One value: the key of the pipeline file that names it, where it goes, and as what."""

    key: str
    place: Place
    name: str
    lacks_start: bool = False
    """Whether nothing says what of it the first request carries."""


def list_placed(pagination: Paginator, incremental: Incremental | None) -> list[Placed]:
    """Return the values of a page, and of what is new."""
    placed = []
    match pagination:
        case NumberedPagination():
            names = {"param": pagination.param, "size_param": pagination.size_param}
            placed += [Placed(f"pagination.{key}", pagination.place, name) for key, name in names.items() if name]
        case FollowedPagination(sent_as=(place, name)):
            placed.append(Placed("pagination.param", place, name, pagination.begins_with is None))
    if incremental is not None:
        names = {"param": incremental.param, "until": incremental.until}
        placed += [Placed(f"incremental.{key}", incremental.place, name) for key, name in names.items() if name]
    return placed


def check_place(placed: Placed, url: str, texts: Sequence[Any], body: Mapping[str, Any]) -> None:
    """Raise ValueError where requests have no such place: `texts` are what may have placeholders, beside the address."""
    if placed.place == "body":
        _check_path(placed, body)
    if placed.place != "placeholder":
        return
    key, placeholder = placed.key, f"{{{placed.name}}}"
    if placeholder not in repr([url, texts]):
        raise ValueError(f"{key}: {placeholder} stands nowhere; write it in url, params, headers or body")
    if placeholder in "/".join(url.split("/")[:3]):
        raise ValueError(f"{key}: {placeholder} stands in the host of url; write it behind the host")
    if placed.lacks_start:
        raise ValueError(
            f"{key}: {placeholder} stands in the first request, too, which no page names; add pagination.start, "
            "what the first request carries, or send it as query, header or body"
        )


def _check_path(placed: Placed, body: Mapping[str, Any]) -> None:
    try:
        put_at(body, placed.name, None)
    except KeyError as error:
        raise ValueError(
            f"{placed.key}: {placed.name!r:.80} is no path in the body, which has no {error}; "
            f"add it to body, or correct {placed.key.rpartition('.')[2]}"
        ) from None
