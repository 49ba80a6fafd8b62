"""Requests of a source: their addresses and headers, and how many, how long and how often again."""

from __future__ import annotations

import re
from collections.abc import Collection
from fractions import Fraction
from string import Formatter
from typing import Annotated
from urllib.parse import parse_qsl

import fsspec
from pydantic import (
    AfterValidator,
    BeforeValidator,
    ByteSize,
    Field,
    HttpUrl,
    PlainSerializer,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from tasks.config.base import ConfigModel, Duration, NonEmpty
from tasks.core.redaction import HIDDEN, has_secret, is_certain_secret, is_secret, redact

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, 5.1
_VALUE = re.compile(r"(?:[\x21-\x7e](?:[\t\x20-\x7e]*[\x21-\x7e])?)?")  # the same, 5.5, without what is not ASCII
_OF_AUTH = frozenset({"authorization", "proxy-authorization"})
_AMOUNT = re.compile(r"(?:[^-]+-)*(?:(?:max|min)-tokens?|tokens?-(?:max|min|limit|count|budget))", re.IGNORECASE)
"""Names of headers that say how many tokens, and are no secret where their value is a number."""


def check_header_name(name: str) -> str:
    """Return the name; raise ValueError where it is none of a header."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r:.80} is not the name of a header; write one like X-Total-Count")
    return name


def _check_own_name(name: str) -> str:
    """Return the name of a header that is not a secret: those are stored with the run."""
    if name.lower() in _OF_AUTH or (is_secret(name, "") and not _AMOUNT.fullmatch(name)):
        raise ValueError(_is_of_auth(name))
    return check_header_name(name)


def _check_amounts(headers: dict[str, str]) -> dict[str, str]:
    """Return headers, of which those that are no secret as a number are one."""
    for name, value in headers.items():
        if _AMOUNT.fullmatch(name) and not value.isdecimal():
            raise ValueError(f"{name:.80} {_is_of_auth(name)}, or a number")
    return headers


def _is_of_auth(name: str) -> str:
    return (
        "holds a secret, which belongs in auth, where it is not stored; "
        f"write auth: {{kind: api_key, name: {name:.80}, key: {{env: NAME}}}}"
    )


def _check_value(value: str) -> str:
    if not _VALUE.fullmatch(value):
        raise ValueError("the value has what no header can carry; write printable ASCII, without spaces around it")
    return value


HeaderName = Annotated[str, AfterValidator(check_header_name)]
"""Name of a header of an answer, or of one that a request sends."""

Headers = Annotated[
    dict[Annotated[str, AfterValidator(_check_own_name)], Annotated[str, AfterValidator(_check_value)]],
    AfterValidator(_check_amounts),
]
"""Headers that a pipeline file gives."""


_PLACEHOLDER_VALUE = "0"
_USER_INFORMATION = re.compile(r"(?<=//)[^/?#]*@")
_PASSWORD = re.compile(r"//[^/?#]*:[^/?#]*@")  # a name alone may be a container: abfs://container@account

_HOST = re.compile(r"(?:[^\s/@?#:*\[\]]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")

_HTTP_URL = TypeAdapter(HttpUrl)


def check_url(url: str, partitions: Collection[str], from_tables: Collection[str] = ()) -> None:
    """Raise ValueError unless `url` is an http(s) address whose placeholders are all partitions; what others sent decides on no host."""
    shown = repr(_USER_INFORMATION.sub("", url))
    try:
        filled = _fill_placeholders(url, partitions)
    except KeyError as error:
        name = error.args[0]
        raise ValueError(
            f"{shown} has {{{name}}}, which is not a partition; declare partitions: {{{name}: [...]}}"
        ) from None
    except ValueError:
        raise ValueError(f"{shown} has a stray brace; write {{name}} for a partition's value") from None
    origin = "/".join(url.split("/")[:3])
    for name in from_tables:
        if f"{{{name}}}" in origin:
            raise ValueError(
                f"{shown} has {{{name}}} in the host, and what another source sends decides on none; write the host"
            )
    try:
        address = _HTTP_URL.validate_python(filled)
    except ValidationError:
        raise ValueError(f"{shown} is not an address; write one like https://api.example.com/items") from None
    if address.username or address.password:
        raise ValueError(
            f"the address of {address.host} holds a name or a password; take them out, secrets belong in auth"
        )
    for name, value in parse_qsl(address.query or ""):
        check_param(name, value)


def check_param(name: str, value: object) -> None:
    """Raise ValueError where a query parameter is a secret: an address, and its parameters, are stored with the run."""
    if is_certain_secret(name, str(value)):
        raise ValueError(
            f"the parameter {name:.80} holds a secret, which belongs in auth, where it is not stored; "
            f"write auth: {{kind: api_key, place: query, name: {name:.80}, key: {{env: NAME}}}}"
        )


def check_host(host: str) -> str:
    """Return the name of a host, perhaps with a port; raise ValueError where it is none."""
    if not _HOST.fullmatch(host):
        raise ValueError(
            f"{host.rpartition('@')[2]!r:.80} is not a host; write one like cdn.example.com, or cdn.example.com:8080"
        )
    return host


def check_store_url(url: str) -> str:
    """Return the address of a folder in a store, as fsspec knows it.

    Raises:
        ValueError: it is none, it holds a secret, or files cannot be put there.

    """
    shown = repr(_USER_INFORMATION.sub("", url))
    protocol, is_address, rest = url.partition("://")
    if not is_address or not rest or protocol not in fsspec.available_protocols():
        raise ValueError(f"{shown} is not the address of a store; write one like s3://bucket/folder")
    if protocol in ("http", "https"):
        raise ValueError(
            f"{shown} is the address of a page, which cannot be written to; write one like s3://bucket/folder"
        )
    if protocol == "memory":
        raise ValueError(f"{shown} is of one process, and no other reaches it; write one like s3://bucket/folder")
    if _PASSWORD.search(url):
        raise ValueError(
            f"{shown} holds a name and a password; take them out, and give them as the store's package reads them"
        )
    return url


def _fill_placeholders(url: str, partitions: Collection[str]) -> str:
    """Return `url` with a value in each placeholder; raise KeyError for an unknown one, ValueError where it is no bare name."""
    for _, name, form, conversion in Formatter().parse(url):
        if name is not None and (form or conversion or not name.isidentifier()):
            raise ValueError(url)
    return url.format_map(dict.fromkeys(partitions, _PLACEHOLDER_VALUE))


def check_path(path: str) -> str:
    """Return where files are; raise ValueError where it is an address whose secret was taken out when it was stored.

    Or where fsspec would be asked to reach a web server through something else, past the check of where it redirects to.
    """
    if re.search(r"::https?://", path, re.IGNORECASE):
        raise ValueError(f"{redact(path)!r:.200} is a chain of addresses; write that of the web server's file alone")
    if "://" in path and HIDDEN in path and not has_secret(path) and has_secret(path.replace(HIDDEN, "a:a")):
        raise ValueError(f"{path!r:.200} had a secret, which is not stored; run the pipeline's file instead")
    return path


FilePath = Annotated[NonEmpty, AfterValidator(check_path), PlainSerializer(redact, return_type=str, when_used="json")]
"""Where files are; where it is stored, as JSON, it is without what proves who asks."""

AllowHosts = tuple[Annotated[str, AfterValidator(check_host)], ...]
"""Hosts that a pipeline file allows a source to be led to."""


RETRIED_STATUSES = (408, 425, 429, 500, 502, 503, 504)

InFlight = Annotated[int, Field(ge=1, le=1000)]
Seconds = Annotated[float, Field(gt=0)]


_FRACTION = re.compile(r"([1-9][0-9]{0,3})/([1-9][0-9]{0,3})")


def _check_share(share: object) -> object:
    """Return a share of what a host bears; raise ValueError where it is none."""
    match = _FRACTION.fullmatch(share) if isinstance(share, str) else None
    if share is not None and (match is None or int(match[1]) > int(match[2])):
        raise ValueError(f"{share!r:.80} is no share; write a fraction of at most 1, like 1/4")
    return share


class Requests(ConfigModel):
    """Concurrency, timeouts and retries of the requests to a source's host.

    The bound on requests in flight adapts to the host between its minimum and
    maximum; sources of the same host share it, and the strictest of their bounds.
    """

    start_in_flight: InFlight = 8
    """Requests in flight at once to begin with."""
    min_in_flight: InFlight = 1
    """Requests in flight at once however slow the host is."""
    max_in_flight: InFlight = 64
    """Requests in flight at once however fast the host is."""
    requests_per_s: Annotated[float, Field(gt=0)] | None = None
    """Requests a second that the host allows; without it only what is in flight is bounded."""
    timeout_s: Seconds = 30.0
    """Seconds one attempt may take, from the request to the end of the body."""
    attempts: Annotated[int, Field(ge=1, le=100)] = 8
    """Attempts at one request when it fails in a way that may pass: a status of retry_statuses, a broken connection, a timeout."""
    retry_statuses: tuple[Annotated[int, Field(ge=400, le=599)], ...] = RETRIED_STATUSES
    """Statuses that may pass."""
    ignore: tuple[Annotated[int, Field(ge=400, le=599)], ...] = ()
    """Statuses of a partition's first request that mean there is no such thing, e.g. [404]: it is landed without a row, counted and told."""
    backoff_first_s: Seconds = 0.2
    """Most seconds before the second attempt; doubled before each further one, and a random part of it waited."""
    backoff_max_s: Seconds = 10.0
    """Most seconds between two attempts."""
    deadline_s: Seconds = 120.0
    """Seconds all attempts at one request may take together."""
    partition_deadline_s: Seconds = 21_600.0
    """Seconds one partition may take; what has landed until then is gone on from by the next run."""
    max_body_bytes: Annotated[ByteSize, Field(gt=0)] = ByteSize(64 * 1024 * 1024)
    """Bytes one body may have, as sent and after decompression, e.g. 64MiB."""

    max_in_flight_bytes: Annotated[ByteSize, Field(gt=0)] = ByteSize(128 * 1024 * 1024)
    """Bytes the bodies in flight may have together, as large as those before were: fewer requests are in flight where pages are large. One always may."""

    share: Annotated[str | None, BeforeValidator(_check_share)] = None
    """Share of the host that this run has, e.g. 1/4, where several fetch slices of the source at once: what may be in flight and a second is multiplied by it, and the delay of a robots.txt divided; those of all runs add up to 1 at most. Without it, all."""

    @property
    def fraction(self) -> Fraction:
        """Return the share as a number."""
        return Fraction(self.share or 1)

    @property
    def shared(self) -> Requests:
        """Return what of it this run has, where others have the rest; a request may always be in flight."""
        if self.share is None:
            return self
        names = ("start_in_flight", "min_in_flight", "max_in_flight")
        few: dict[str, float | None] = {name: max(int(getattr(self, name) * self.fraction), 1) for name in names}
        if self.requests_per_s is not None:
            few["requests_per_s"] = self.requests_per_s * float(self.fraction)
        return self.model_copy(update={**few, "share": None})

    @model_validator(mode="after")
    def _ascend(self) -> Requests:
        if self.min_in_flight > self.max_in_flight:
            raise ValueError(
                f"min_in_flight ({self.min_in_flight}) is above max_in_flight ({self.max_in_flight}); raise max_in_flight"
            )
        if both := sorted({*self.ignore} & {*self.retry_statuses}):
            raise ValueError(f"ignore has {both[0]}, and so has retry_statuses; take it out of one of them")
        return self


class Refresh(ConfigModel):
    """When what is landed is fetched again."""

    after: Duration
    """Age at which a landed partition is fetched again, e.g. 24h."""
