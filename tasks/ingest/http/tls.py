"""TLS by certificates of one's own: read from their files, and shown to the hosts that they are for."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import NamedTuple

import httpx

from tasks.config import Tls
from tasks.core.errors import PermanentSourceError
from tasks.ingest.http.auth import Origin, origin_of


class Certificates:
    """What a source's connections are verified by: with a certificate of who asks those to some origins, without one the others.

    The files are read with the first request, in a thread.
    """

    def __init__(self, tls: Tls, password: str | None, origins: Collection[Origin]) -> None:
        self._tls, self._password, self._origins = tls, password, frozenset(origins)
        self._lock = asyncio.Lock()
        self._contexts: Contexts | None = None

    async def to(self, url: httpx.URL) -> ssl.SSLContext:
        """Return what a connection to an address is verified by.

        Raises:
            PermanentSourceError: a file is not there, or holds something else.

        """
        contexts = self._contexts or await self._read()
        return contexts.shown if origin_of(url) in self._origins else contexts.others

    async def _read(self) -> Contexts:
        async with self._lock:
            if self._contexts is None:
                try:
                    self._contexts = await asyncio.to_thread(read_certificates, self._tls, self._password)
                except ValueError as error:
                    raise PermanentSourceError(f"tls.{error}") from None
        return self._contexts


class Contexts(NamedTuple):
    """What connections are verified by: with a certificate of who asks, and without."""

    shown: ssl.SSLContext
    others: ssl.SSLContext


def read_certificates(tls: Tls, password: str | None) -> Contexts:
    """Return the certificates of files.

    Raises:
        ValueError: a file is not there, or holds something else; its sentence begins with the key.

    """
    for mistake in _unreadable(tls):
        raise ValueError(mistake)
    others = _trusting(tls)
    if tls.certificate is None:
        return Contexts(others, others)
    shown = _trusting(tls)
    try:
        # Without a password OpenSSL would ask for one at the terminal.
        shown.load_cert_chain(tls.certificate, tls.key, password=lambda: password or "")
    except (ssl.SSLError, OSError, ValueError) as error:
        raise ValueError(_explain(tls, error, has_password=bool(password))) from None
    return Contexts(shown, others)


def _trusting(tls: Tls) -> ssl.SSLContext:
    """Return what trusts the authorities that are known to all, and those of a file."""
    context = httpx.create_ssl_context()
    if tls.ca is not None:
        try:
            context.load_verify_locations(tls.ca)
        except ssl.SSLError:
            raise ValueError(f"ca: {tls.ca} holds no certificate in PEM; name the file that does") from None
    return context


def _unreadable(tls: Tls) -> Iterator[str]:
    for name in ("ca", "certificate", "key"):
        path = getattr(tls, name)
        try:
            if path is not None:
                with Path(path).open("rb"):
                    pass
        except OSError as error:
            yield f"{name}: {path} cannot be read ({error.strerror}); correct the path"


def _explain(tls: Tls, error: Exception, *, has_password: bool) -> str:
    """Return what is wrong with a certificate, or its key."""
    key = tls.key or tls.certificate
    if "KEY_VALUES_MISMATCH" in str(error):
        return f"key: {key} is not the key of the certificate {tls.certificate}; name the one that is"
    text = "" if key is None else Path(key).read_text(errors="replace")
    if "ENCRYPTED" in text:
        wrong = "is not that of" if has_password else "is missing for"
        return f"key_password: {wrong} the key {key}, which is encrypted; name where its password is held"
    if "PRIVATE KEY-----" not in text:
        return f"key: {key} holds no private key in PEM; name the file that does"
    return f"certificate: {tls.certificate} holds no certificate in PEM; name the file that does"
