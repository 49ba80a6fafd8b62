"""The HTTP client of a run: one connection pool and one throttle for all of its sources.

A source's requests go through transports, from the outermost: redirects,
cookies, credentials, retries, the host's throttle, the answer read whole, and
aiohttp's connections, which speak HTTP/1.1.
"""

from __future__ import annotations

import json
import ssl
from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Iterable, Mapping
from contextlib import asynccontextmanager
from importlib.metadata import version
from pathlib import Path
from typing import assert_never

import aiohttp
import httpx

from tasks.config import ApiSource, Auth, PagesSource, Requests
from tasks.config.auth import SigningAuth, TokenAuth
from tasks.config.partitions import names_beside
from tasks.core.errors import PermanentSourceError, SourceError
from tasks.core.garbage_collection import tuned_gc
from tasks.core.hosts import AllowedHosts, PinnedResolver, host_of, open_connector
from tasks.ingest.http.auth import Credential, CredentialTransport, SigningCredential, origin_of
from tasks.ingest.http.body import BodyTransport
from tasks.ingest.http.connections import Connections, CookieTransport
from tasks.ingest.http.error_bodies import ErrorBodyTransport, Find
from tasks.ingest.http.graphql_errors import GraphQLErrorTransport
from tasks.ingest.http.redaction import Redactor, redacting
from tasks.ingest.http.redirects import RedirectTransport
from tasks.ingest.http.requests import Fetch, PageRequest, RequestStats, refusal, with_context
from tasks.ingest.http.retries import RetryTransport, Warn
from tasks.ingest.http.throttling import ThrottleTransport
from tasks.ingest.http.tls import Certificates
from tasks.ingest.http.tokens import Around, SecretStore, TokenCredential
from tasks.ingest.http.turns import Turn, TurnsTransport
from tasks.ingest.throttle.limiter import HostLimits, Throttle
from tasks.raw.partitions import list_partitions

USER_AGENT = f"tidemill/{version('tidemill')}"
_HEADERS = httpx.Headers({"User-Agent": USER_AGENT, "Accept": "*/*", "Accept-Encoding": "gzip, deflate"})
_NOTHING = httpx.ByteStream(b"")
_SAID_CHARACTERS = 200


class Client:
    """What all sources of a run share: connections, throttle, and the secrets to be hidden."""

    def __init__(
        self, connections: Connections, throttle: Throttle, warn: Warn, find: Find, store: SecretStore | None = None
    ) -> None:
        self._connections = connections
        self._find = find
        self._store = store
        self._credentials: dict[str, TokenCredential] = {}
        self.warn: Warn = lambda sentence: warn(self.secrets.redact(sentence))
        self._tallies: defaultdict[Path, RequestStats] = defaultdict(RequestStats)
        self.throttle = throttle
        self.secrets = Redactor()

    def stats(self, raw: Path) -> RequestStats:
        """Return the tally of the partition whose raw file is `raw`; attempts that failed before count in it."""
        return self._tallies[raw]

    def endpoint(self, source: ApiSource | PagesSource, values: Mapping[str, str]) -> Endpoint:
        """Return a source's way to its host; `values` are its secrets, by their keys in the pipeline file's auth."""
        for key, reference in source.secret_places.items():
            for secret in reference.parts(values[key.removeprefix("auth.")]):
                self.secrets.add(secret)
        requests = source.requests
        own = first_urls(source)
        connections = self._connections_of(source, values, own)
        is_graphql = isinstance(source, ApiSource) and source.graphql is not None
        throttled = self._sending(connections, requests, is_graphql=is_graphql)
        origins = {origin_of(url) for url in own}
        several = self._turns(source.auth, values)
        sending: httpx.AsyncBaseTransport = throttled
        if several:
            sending = TurnsTransport(throttled, several, origins, self.throttle, self.warn)
        if isinstance(source, ApiSource) and source.error_at is not None:
            sending = ErrorBodyTransport(sending, source.error_at, self._find)
        # What a script posts is posted again whenever its page is read again.
        idempotent = source.may_repeat if isinstance(source, ApiSource) else source.render is not None
        credential = None if several else self._credential(source, values, connections)
        signing = CredentialTransport(
            RetryTransport(sending, requests, idempotent=idempotent, warn=self.warn),
            origins,
            source.fixed_headers,
            credential,
        )
        hosts = AllowedHosts(own, source.allow_hosts)
        return Endpoint(RedirectTransport(CookieTransport(signing), _HEADERS, hosts), self.secrets_of(source))

    def secrets_of(self, source: ApiSource | PagesSource) -> Redactor:
        """Return what is kept out of all that is said of a source: with privacy, whatever its host sends."""
        return self.secrets if source.privacy is None else self.secrets.quoting_nothing()

    def _connections_of(
        self, source: ApiSource | PagesSource, values: Mapping[str, str], own: Iterable[httpx.URL]
    ) -> Connections:
        """Return the connections of a source, by certificates of its own where it names some."""
        if source.tls is None:
            return self._connections
        giving = [httpx.URL(source.auth.address)] if isinstance(source.auth, TokenAuth) else []
        origins = {origin_of(url) for url in (*own, *giving)}
        return self._connections.by(Certificates(source.tls, values.get("tls.key_password"), origins))

    def _credential(
        self, source: ApiSource | PagesSource, values: Mapping[str, str], connections: Connections
    ) -> Credential | None:
        match source.auth:
            case None:
                return None
            case TokenAuth() as auth:
                return self._token_credential(source, auth, values, connections)
            case SigningAuth() as auth:
                return self._signing_credential(auth, values)
            case _:
                assert_never(source.auth)

    def _signing_credential(self, auth: SigningAuth, values: Mapping[str, str]) -> SigningCredential:
        for value in auth.derived(values):
            self.secrets.add(value)
        return SigningCredential(auth, values)

    def _turns(self, auth: Auth | None, values: Mapping[str, str]) -> list[Turn]:
        """Return the tokens that are sent in turn, each once; none where there is but one."""
        if not isinstance(auth, SigningAuth):
            return []
        turns = {repr(own): (key, own) for key, own in auth.turns(values).items()}
        return [
            Turn(f"auth.{key}", secret, self._signing_credential(auth, own)) for secret, (key, own) in turns.items()
        ]

    def _token_credential(
        self, source: ApiSource | PagesSource, auth: TokenAuth, values: Mapping[str, str], connections: Connections
    ) -> TokenCredential:
        """Return the credential of all sources that ask for a token alike: one that is replaced is so for all of them."""
        asked, requests = f"{auth.model_dump_json()} {source.tls}", source.requests
        if asked not in self._credentials:
            try:
                auth.check(values)
            except ValueError as error:
                raise PermanentSourceError(f"auth.{error}") from None
            asking = RetryTransport(self._sending(connections, requests), requests, idempotent=True, warn=self.warn)
            around = Around(asking, self.secrets, self._store, self.warn)
            self._credentials[asked] = TokenCredential(auth, values, around)
        return self._credentials[asked]

    def _sending(self, connections: Connections, requests: Requests, *, is_graphql: bool = False) -> ThrottleTransport:
        whole: httpx.AsyncBaseTransport = BodyTransport(connections, requests)
        if is_graphql:  # within the throttle, which hears of a used-up limit
            whole = GraphQLErrorTransport(whole, self._find)
        return ThrottleTransport(whole, self.throttle, requests, self.warn)


class Endpoint:
    """One source's way to its host."""

    def __init__(self, transport: httpx.AsyncBaseTransport, secrets: Redactor) -> None:
        self._transport = transport
        self._secrets = secrets

    def fetch_into(self, stats: RequestStats) -> Fetch:
        """Return what makes requests and counts them in `stats`."""

        async def fetch(page_request: PageRequest) -> httpx.Response:
            try:
                with redacting(self._secrets):
                    response = await self._transport.handle_async_request(_request(page_request, stats))
                    if not (response.is_success or response.status_code in page_request.answers):
                        raise refusal(response)
            except httpx.InvalidURL as error:
                said = f"{self._secrets.redact(page_request.label):.{_SAID_CHARACTERS}}: {error}; correct the address"
                raise PermanentSourceError(self._secrets.redact(said)) from None
            except SourceError as error:
                raise self._secrets.redact_error(error) from None
            return response

        return fetch


@asynccontextmanager
async def open_client(
    sources: Collection[ApiSource | PagesSource], warn: Warn, find: Find, store: SecretStore | None = None
) -> AsyncIterator[Client]:
    """Open the client for `sources`; a host that several name gets the strictest of their bounds.

    `find` looks for the `error_at` of a source in a body; `store` holds secrets that are replaced.
    """
    # The throttle is the bound: aiohttp's own pool has none.
    allowed = {httpx.URL(f"//{host}").host for source in sources for host in source.allow_hosts}
    connector = open_connector(PinnedResolver(allowed=allowed), ssl=_certificates(sources))
    # Cookies are a source's own.
    session = aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())
    with tuned_gc():
        async with session:
            throttle = Throttle(_bounds(sources), default=_bound(Requests()))
            yield Client(Connections(session), throttle, warn, find, store)


def first_urls(source: ApiSource | PagesSource) -> list[httpx.URL]:
    """Return addresses that have every origin of a source; a partition may decide on the host."""
    addresses = (source.url,) if isinstance(source, ApiSource) else source.addresses
    origins = {"/".join(address.split("/")[:3]) for address in addresses}
    deciding = {
        name: values
        for name, values in source.partitions.items()
        if any(f"{{{each}}}" in origin for each in (name, *names_beside(name, values)) for origin in origins)
    }
    partitions = list_partitions(source.model_copy(update={"partitions": deciding}))
    return [httpx.URL(p.fill(origin)) for p in partitions for origin in sorted(origins)]


def _certificates(sources: Collection[ApiSource | PagesSource]) -> ssl.SSLContext | bool:
    """Return what certificates are verified against: httpx's; aiohttp's where only a redirect can lead to https.

    Reading httpx's takes 50 ms.
    """
    is_https = any(url.scheme == "https" for source in sources for url in first_urls(source))
    return httpx.create_ssl_context() if is_https else True


def _bounds(sources: Iterable[ApiSource | PagesSource]) -> dict[str, HostLimits]:
    """Return the bounds of each host."""
    bounds: dict[str, HostLimits] = {}
    for source in sources:
        own = _bound(source.requests.shared)
        for host in {host_of(url) for url in first_urls(source)}:
            bounds[host] = _strictest(bounds.get(host, own), own)
    return bounds


def _bound(requests: Requests) -> HostLimits:
    return HostLimits(
        requests.start_in_flight,
        requests.min_in_flight,
        requests.max_in_flight,
        requests.requests_per_s,
        requests.max_in_flight_bytes,
    )


def _strictest(one: HostLimits, other: HostLimits) -> HostLimits:
    rates = [bounds.requests_per_s for bounds in (one, other) if bounds.requests_per_s is not None]
    return HostLimits(
        min(one.start, other.start),
        min(one.minimum, other.minimum),
        min(one.maximum, other.maximum),
        min(rates, default=None),
        min(one.body_bytes, other.body_bytes),
    )


def _request(page_request: PageRequest, stats: RequestStats) -> httpx.Request:
    """Return a request as it is before its source's headers and proof are in it."""
    headers, stream = _HEADERS, _NOTHING
    if page_request.headers or page_request.body is not None:
        headers = httpx.Headers(_HEADERS)
        headers.update(page_request.headers)
    if page_request.body is not None:
        content = page_request.body
        if not isinstance(content, bytes):
            content = json.dumps(content).encode()
            headers["Content-Type"] = "application/json"
        headers["Content-Length"] = str(len(content))
        stream = httpx.ByteStream(content)
    # A stream is taken as it is; of content httpx makes one with headers of its own, which aiohttp adds anyway.
    extensions = with_context(stats, page_request.method, page_request.url, max_bytes=page_request.max_bytes)
    request = httpx.Request(
        page_request.method, page_request.url, headers=headers, stream=stream, extensions=extensions
    )
    request.read()
    return request
