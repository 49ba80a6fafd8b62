"""An address of which a source is proposed, and what is declared of it from the start."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from pydantic import ValidationError

from flows.cli.new.draft import name_of
from tasks.config.formats import FORMATS
from tasks.config.http import check_url
from tasks.convert.files.opening import COMPRESSIONS, suffixes
from tasks.core.errors import ConfigError

REFRESH = "without it, what is landed is fetched again by --fresh alone"
_MOST_DIGITS = 18
_OF_APIS = (".json",)


@dataclass(frozen=True)
class Asked:
    """An address that is asked for once, the name of the variable that holds its token, and whether it is told to be an API's."""

    url: str
    token: str | None = None
    is_api: bool = False

    def check(self) -> None:
        """Raise ConfigError unless the address is one that an API or a page may have, and that holds no secret."""
        try:
            check_url(self.url, ())
        except ValueError as error:
            raise ConfigError(f"--from: {error}") from None

    @property
    def auth(self) -> dict[str, Any]:
        """Return how requests prove who asks."""
        return {"auth": {"kind": "bearer", "token": {"env": self.token}}} if self.token else {}

    @property
    def is_file(self) -> bool:
        """Return whether the address is that of a file of a known format; one of JSON is taken for an API's."""
        path = self.url.partition("?")[0].partition("#")[0]
        ending = "." + path.rpartition(".")[2].lower()
        inner = suffixes(path)[0] if ending in COMPRESSIONS else ending
        return "." in path.rpartition("/")[2] and inner in FORMATS.by_suffix and inner not in _OF_APIS

    @property
    def name(self) -> str:
        """Return the name of a source by the last word of the address's path that is no number and no version."""
        parts = urlsplit(self.url)
        words = [word.rpartition(".")[0] or word for word in parts.path.split("/") if word]
        names = [word for word in words if any(map(str.isalpha, word)) and not (word[0] in "vV" and word[1:].isdigit())]
        return name_of(names[-1] if names else parts.hostname or "", "rows")

    def split(self) -> tuple[str, dict[str, int | str]]:
        """Return the address without its query, and this as parameters; one that has a parameter twice is left whole."""
        parts = urlsplit(self.url)
        pairs = parse_qsl(parts.query, keep_blank_values=True)
        if not pairs or max(Counter(name for name, _ in pairs).values()) > 1:
            return self.url, {}
        return parts._replace(query="", fragment="").geturl(), {name: _as_param(text) for name, text in pairs}


def _as_param(text: str) -> int | str:
    is_number = text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS and str(int(text)) == text
    return int(text) if is_number else text


def make_source(kind: type[Any], declared: Mapping[str, Any]) -> Any:
    """Return a source of what is declared.

    Raises:
        ConfigError: it is wrong.

    """
    try:
        return kind(**declared)
    except ValidationError as error:
        said = [str(details["msg"]).removeprefix("Value error, ") for details in error.errors()]
        raise ConfigError([f"--from: {sentence}" for sentence in said]) from None
