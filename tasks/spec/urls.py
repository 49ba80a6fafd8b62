"""Addresses with placeholders for partition values."""

from __future__ import annotations

import re
from collections.abc import Collection
from string import Formatter
from typing import Annotated
from urllib.parse import parse_qsl

import fsspec
from pydantic import AfterValidator, HttpUrl, PlainSerializer, TypeAdapter, ValidationError

from tasks.redaction import HIDDEN, has_secret, is_certain_secret, redact
from tasks.spec.base import NonEmpty

_PLACEHOLDER_VALUE = "0"
_USER_INFORMATION = re.compile(r"(?<=//)[^/?#]*@")
_PASSWORD = re.compile(r"//[^/?#]*:[^/?#]*@")  # a name alone may be a container: abfs://container@account

_HOST = re.compile(r"(?:[^\s/@?#:*\[\]]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")

_HTTP_URL = TypeAdapter(HttpUrl)


def check_url(url: str, partitions: Collection[str]) -> None:
    """Raise ValueError unless `url` is an http(s) address whose placeholders are all partitions."""
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
