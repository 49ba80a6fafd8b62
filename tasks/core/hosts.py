"""Hosts that a source may go to: told by their names before a request, and by their addresses before a connection."""

from __future__ import annotations

import socket
from collections.abc import Collection, Iterable
from ipaddress import IPv6Address, ip_address, ip_network

import aiohttp
import httpx
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import DefaultResolver

from tasks.core.errors import OtherHostError, PermanentSourceError

_DEFAULT_PORTS = {"http": 80, "https": 443}
_NAT64 = ip_network("64:ff9b::/96")  # the last four bytes are an address of IPv4


def host_of(url: httpx.URL) -> str:
    """Return a URL's host with its port, which has a throttle of its own."""
    return url.netloc.decode("ascii")


class AllowedHosts:
    """The hosts that a source may go to: those of its own addresses, each at its port, and those of `allow_hosts`.

    What a server says, in a link, a next address or a redirect, leads to no other:
    it might be this machine, or one that only this machine reaches.
    """

    def __init__(self, own: Iterable[httpx.URL], allow_hosts: Iterable[str]) -> None:
        more = [httpx.URL(f"//{host}") for host in allow_hosts]
        self._own = {(url.raw_host, url.port) for url in own}
        self._any_port = {url.raw_host for url in more if url.port is None}
        self._one_port = {(url.raw_host, url.port) for url in more}

    def allow(self, url: httpx.URL) -> bool:
        """Return whether the source may go to an address."""
        host, port = url.raw_host, url.port
        if (host, port) in self._own or host in self._any_port:
            return True
        return (host, port or _DEFAULT_PORTS.get(url.scheme)) in self._one_port

    def check(self, url: httpx.URL, link: str) -> None:
        """Raise OtherHostError unless the source may go to an address; `link` names what leads there."""
        if not self.allow(url):
            host = url.netloc.decode("ascii")
            raise OtherHostError(
                f"{link} leads to another host than the source's own, and nothing was asked there; "
                f"add {host} to allow_hosts if the source may go there",
                host,
            )


class PinnedResolver(AbstractResolver):
    """Resolves names; one that has had a public address leads to no other kind of address later.

    Whoever owns a name decides what it resolves to, each time anew (DNS rebinding). The
    addresses that are returned are those that are connected to. `public` remembers names;
    `allowed` are those that may lead anywhere.
    """

    def __init__(
        self,
        inner: AbstractResolver | None = None,
        *,
        public: set[str] | None = None,
        allowed: Collection[str] = (),
    ) -> None:
        self._inner = DefaultResolver() if inner is None else inner
        self._public = set[str]() if public is None else public
        self._allowed = frozenset(allowed)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the addresses of a host.

        Raises:
            OSError: the name is not known.
            PermanentSourceError: it was one of a public host, and is now one of this machine or its network.

        """
        found = await self._inner.resolve(host, port, family)
        if host in self._allowed:
            return found
        public = [result for result in found if is_public(result["host"])]
        if public:
            self._public.add(host)
        if host in self._public and not public:
            raise PermanentSourceError(
                f"{host}, a public host before, now has the address {found[0]['host']}, which is this machine's or its "
                "network's, and nothing was asked there; add it to allow_hosts if that is right"
            )
        return public or found

    async def close(self) -> None:
        """Close the resolver within."""
        await self._inner.close()


def open_connector(resolver: AbstractResolver, **options: object) -> aiohttp.TCPConnector:
    """Return a connector without a bound of its own, whose names a resolver resolves."""
    return aiohttp.TCPConnector(limit=0, resolver=resolver, **options)  # type: ignore[arg-type]


def is_public(address: str) -> bool:
    """Return whether an address is one of the internet: not of this machine, its links, or a private network."""
    ip = ip_address(address)
    if isinstance(ip, IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip_address(int(ip) & 0xFFFFFFFF) if ip in _NAT64 else None)
        if inner is not None:
            return is_public(str(inner))
    return ip.is_global and not ip.is_multicast
