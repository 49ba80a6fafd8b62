"""Pages as their scripts make them: opened in a browser whose every request goes through the run's own client.

So robots.txt, the throttle, retries, limits of size and time, hosts and
credentials are the same as for any page; the browser itself reaches nothing,
and knows no secret.
"""

from __future__ import annotations

import asyncio
import codecs
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urldefrag

import httpx

from tasks.config import Render
from tasks.core.errors import OtherHostError, PermanentSourceError, SourceError
from tasks.core.hosts import AllowedHosts
from tasks.ingest.http.redaction import quoted
from tasks.ingest.http.requests import Fetch, PageRequest
from tasks.ingest.scraping.browsers import Browsers, said_by
from tasks.ingest.scraping.selectors import is_xpath

if TYPE_CHECKING:
    from playwright.async_api import BrowserContext, Page, Request, Route

_READ_TYPES = frozenset({"document", "script", "stylesheet", "xhr", "fetch"})
"""What a page is made of; pictures, fonts, films and sockets are not asked for."""
_HTML = ("text/html", "application/xhtml+xml")
_METHODS = frozenset({"GET", "POST"})
_OF_CLIENT = frozenset({"user-agent", "accept-encoding", "content-length", "cookie", "host", "connection"})
_OF_TRANSFER = frozenset({"content-encoding", "content-length", "transfer-encoding", "connection"})
_ERRORS = frozenset(range(400, 600))  # which a script may know what to do with
_MOST_REQUESTS = 1000  # of one page: scripts may ask for ever
_STILL_S = 0.5
_LOOK_S = 0.1
_QUOTED_CHARACTERS = 200
_COUNT = "document.getElementsByTagName('*').length"
_READ = """([address, most]) => {
  if (document.URL.split('#')[0] !== address) {  // a script has changed it, and links are relative to what it is now
    let base = document.querySelector('base[href]')
    if (!base) document.head?.prepend(base = document.createElement('base'))
    base.setAttribute('href', document.baseURI)
  }
  const html = document.documentElement.outerHTML
  return [document.characterSet, html.length > most ? null : html]
}"""


class Access(NamedTuple):
    """What the requests of a page go through."""

    fetch: Fetch
    hosts: AllowedHosts
    may_fetch: Callable[[httpx.URL], Awaitable[bool]]
    """Whether robots.txt lets a page be asked for."""
    max_body_bytes: int


def is_html(response: httpx.Response) -> bool:
    """Return whether an answer is a page that may have scripts."""
    kind: str = response.headers.get("Content-Type", _HTML[0])
    return kind.strip().lower().startswith(_HTML)


async def render_page(response: httpx.Response, render: Render, browsers: Browsers, access: Access) -> httpx.Response:
    """Return a page as its scripts have made it, in its own encoding.

    Raises:
        SourceError: it does not come to an end, a request of its scripts failed, or the browser did.
        OtherHostError: its scripts lead on to another host.

    """
    from playwright.async_api import Error  # noqa: PLC0415 - an extra

    label = f"GET {response.request.url}"
    async with browsers.open_context(render) as context:
        rendering = _Rendering(response, render, context, access)
        try:
            return await rendering.run()
        except TimeoutError:
            raise SourceError(f"{label}: {rendering.why_late()}") from None
        except Error as error:
            raise SourceError(
                f"{label}: the browser failed ({said_by(error):.{_QUOTED_CHARACTERS}}); run again, or set render.at_once lower"
            ) from None
        finally:
            await rendering.end()


class _Rendering:
    """One page in the browser."""

    def __init__(self, response: httpx.Response, render: Render, context: BrowserContext, access: Access) -> None:
        self._first: httpx.Response | None = response
        self._address = str(response.url)
        """Of the document that is open."""
        self._render = render
        self._context = context
        self._access = access
        self._page: Page | None = None
        self._bound = asyncio.timeout(render.timeout_s)
        self._left_s = render.timeout_s
        self._asked: set[tuple[str, str, bytes | None]] = set()
        self._requests = self._pending = 0
        self._asking: set[asyncio.Task[None]] = set()
        self._failure: SourceError | None = None
        self._is_over = False
        self._stage = "loaded"
        self._mistake = ""

    async def run(self) -> httpx.Response:
        """Return the page when it is there."""
        from playwright.async_api import Error  # noqa: PLC0415 - an extra

        try:
            async with self._bound:
                await self._context.route("**/*", self._take)
                self._page = await self._context.new_page()
                self._page.on("pageerror", self._note)
                await self._page.goto(self._address, wait_until="load", timeout=0)
                if (wait_for := self._render.wait_for) is not None:
                    self._stage = "wait_for"
                    engine = "xpath" if is_xpath(wait_for) else "css"
                    await self._page.wait_for_selector(f"{engine}={wait_for}", state="attached", timeout=0)
                self._stage = "still"
                await self._stand_still(self._page)
                return await self._read(self._page)
        except (TimeoutError, Error):
            if self._failure is not None:
                raise self._failure from None
            raise

    async def end(self) -> None:
        """End the requests that are under way, and make no more."""
        self._is_over = True
        for task in self._asking:
            task.cancel()
        await asyncio.gather(*self._asking, return_exceptions=True)

    def why_late(self) -> str:
        """Return why the page was not there in time, and what may be done."""
        mistake = f" (a script of it failed: {quoted(self._mistake, _QUOTED_CHARACTERS)})" if self._mistake else ""
        wait_for, time_s = self._render.wait_for, f"render.timeout_s ({self._render.timeout_s:g})"
        match self._stage:
            case "wait_for":
                return (
                    f"render.wait_for: {wait_for!r} matches nothing within {time_s}{mistake}; "
                    "correct the selector, or raise timeout_s"
                )
            case "still":
                return f"its scripts do not come to rest within {time_s}{mistake}; raise it if they do later"
            case _:
                return f"is not loaded within {time_s}{mistake}: its scripts do not end; raise it if they do later"

    def _note(self, error: Exception) -> None:
        self._mistake = self._mistake or said_by(error)

    async def _stand_still(self, page: Page) -> None:
        """Wait until no new request is under way, and no element comes or goes, for a while."""
        now = asyncio.get_running_loop().time
        before, since = -1, now()
        while now() - since < _STILL_S:
            await asyncio.sleep(_LOOK_S)
            count = await self._count(page)
            if count != before or self._pending:
                before, since = count, now()

    async def _count(self, page: Page) -> int:
        """Return how many elements there are; none while one document takes the place of another."""
        from playwright.async_api import Error  # noqa: PLC0415 - an extra

        try:
            return int(await page.evaluate(_COUNT))
        except Error as error:
            if "navigat" not in str(error):
                raise
            return -1

    async def _read(self, page: Page) -> httpx.Response:
        address, most = self._address, self._access.max_body_bytes
        charset, html = await page.evaluate(_READ, [urldefrag(address).url, most])
        if html is None:
            raise PermanentSourceError(
                f"GET {address}: the page that its scripts made is larger than requests.max_body_bytes ({most:,}); "
                "raise it if that is right"
            )
        try:
            codecs.lookup(charset)
        except LookupError:
            charset = "utf-8"
        headers = {"Content-Type": f"text/html; charset={charset}"}
        body = html.encode(charset, "xmlcharrefreplace")
        return httpx.Response(200, headers=headers, content=body, request=httpx.Request("GET", address))

    async def _take(self, route: Route) -> None:
        """Answer a request of the page, unless it is none that a page is made of."""
        if self._is_over:
            return
        task = asyncio.create_task(self._answer(route, route.request))
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)
        await asyncio.wait([task])

    async def _answer(self, route: Route, request: Request) -> None:
        from playwright.async_api import Error  # noqa: PLC0415 - an extra

        response = None
        with suppress(Error):  # of a page that is closed, or another that it opens
            try:
                response = await self._respond(request)
            except SourceError as error:
                self._fail(error)
        with suppress(Error):
            if response is None:
                await route.abort("blockedbyclient")
            else:
                headers = _headers_of(response)
                await route.fulfill(status=response.status_code, headers=headers, body=response.content)

    async def _respond(self, request: Request) -> httpx.Response | None:
        """Return the answer of a request; None where it is not to be made."""
        if request.resource_type not in _READ_TYPES or request.method not in _METHODS:
            return None
        try:
            url = httpx.URL(request.url)
        except httpx.InvalidURL:  # as of one that is longer than any
            return None
        if request.is_navigation_request():
            return await self._open_document(request, url)
        if not self._access.hosts.allow(url):
            return None
        body = request.post_data_buffer if request.method == "POST" else None
        try:
            return await self._fetch(PageRequest(url, _headers_to(request), body, _ERRORS))
        except OtherHostError:
            return None

    async def _open_document(self, request: Request, url: httpx.URL) -> httpx.Response | None:
        """Return the document that the page is, or that its scripts lead on to; None for one within it."""
        if self._page is not None and request.frame != self._page.main_frame:
            return None
        if self._first is not None:
            response, self._first = self._first, None
            return response
        self._access.hosts.check(url, f"GET {self._address}: its script")
        if not await self._access.may_fetch(url):
            raise PermanentSourceError(f"GET {self._address}: its script leads on to {url}, which robots.txt disallows")
        response = await self._fetch(PageRequest(url))
        self._address = str(response.url)
        return response

    async def _fetch(self, page_request: PageRequest) -> httpx.Response:
        """Return the answer of a request; the page's time stands still until new ones are answered."""
        self._requests += 1
        if self._requests > _MOST_REQUESTS:
            raise SourceError(f"GET {self._address}: its scripts ask for more than {_MOST_REQUESTS:,} things")
        asked = (page_request.method, str(page_request.url), page_request.body)
        if asked in self._asked:  # as a script that asks for news again and again
            return await self._access.fetch(page_request)
        self._asked.add(asked)
        self._begin()
        try:
            return await self._access.fetch(page_request)
        finally:
            self._end()

    def _begin(self) -> None:
        self._pending += 1
        when = self._bound.when()
        if when is not None and self._failure is None:
            self._left_s = when - asyncio.get_running_loop().time()
            self._reschedule(None)

    def _end(self) -> None:
        self._pending -= 1
        if not self._pending and self._failure is None:
            self._reschedule(self._left_s)

    def _fail(self, error: SourceError) -> None:
        """End the page, as a request of it failed."""
        self._failure = self._failure or error
        self._reschedule(0.0)

    def _reschedule(self, left_s: float | None) -> None:
        """Let the page have so many seconds more, or as many as its requests take."""
        with suppress(RuntimeError):  # the page has ended meanwhile
            self._bound.reschedule(None if left_s is None else asyncio.get_running_loop().time() + left_s)


def _headers_to(request: Request) -> Mapping[str, str]:
    """Return what a script says beside its request: all but what the client says itself."""
    return {name: value for name, value in request.headers.items() if name.lower() not in _OF_CLIENT}


def _headers_of(response: httpx.Response) -> dict[str, str]:
    """Return the headers of an answer as the browser takes them: cookies, which may have commas, one a line."""
    headers = {name: value for name, value in response.headers.items() if name not in _OF_TRANSFER}
    if cookies := response.headers.get_list("set-cookie"):
        headers["set-cookie"] = "\n".join(cookies)
    return headers
