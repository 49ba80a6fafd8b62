"""The browsers of a run, which are started for the first page that needs one, and end with it."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from importlib.util import find_spec
from typing import TYPE_CHECKING

from tasks.config import Render
from tasks.core.errors import PermanentSourceError
from tasks.core.imports import import_once

if TYPE_CHECKING:
    from playwright.async_api import Browser, BrowserContext, Playwright

_KNOWN = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "microsoft-edge")
_ARGUMENTS = (
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-sync",
    "--disable-component-update",
    "--host-resolver-rules=MAP * ~NOTFOUND",  # all that pages ask for goes through the run's own client
)
_ENVIRONMENT = ("PATH", "HOME", "LANG", "TMPDIR", "XDG_RUNTIME_DIR")
"""What a browser knows of this process' environment: secrets are in the rest."""
_PLAYWRIGHT = "render: needs Playwright, which is not installed; pip install 'tidemill[render]'"
_CLOSE_S = 10.0


def find_browser(render: Render) -> str:
    """Return the path of the browser that renders pages.

    Raises:
        PermanentSourceError: Playwright or the browser is not there.

    """
    if find_spec("playwright") is None:
        raise PermanentSourceError(_PLAYWRIGHT)
    if render.browser is not None:
        if (path := shutil.which(render.browser)) is None:
            raise PermanentSourceError(
                f"render.browser: {render.browser!r} is no program, and none on PATH; correct it, or take it out"
            )
        return path
    found = next(filter(None, map(shutil.which, _KNOWN)), None)
    if found is None:
        raise PermanentSourceError(
            f"render: none of {', '.join(_KNOWN)} is on PATH; install one, as by apt install chromium, "
            "or name the browser's path as render.browser"
        )
    return found


class Browsers:
    """The browsers of a run, by their paths, each with a bound of the pages that are open at once."""

    def __init__(self) -> None:
        self._playwright: Playwright | None = None
        self._running: dict[str, Browser] = {}
        self._slots: dict[tuple[str, int], asyncio.Semaphore] = {}
        self._starting = asyncio.Lock()

    @asynccontextmanager
    async def open_context(self, render: Render) -> AsyncIterator[BrowserContext]:
        """Open what one page is rendered in, with cookies and storage of its own, when there is a place for it.

        Raises:
            PermanentSourceError: there is no browser, or it does not start.

        """
        path = await asyncio.to_thread(find_browser, render)
        async with self._slots.setdefault((path, render.at_once), asyncio.Semaphore(render.at_once)):
            browser = await self._start(path)
            context = await browser.new_context(service_workers="block", accept_downloads=False)
            try:
                yield context
            finally:
                with suppress(Exception):  # of a browser that is gone
                    async with asyncio.timeout(_CLOSE_S):
                        await context.close()

    async def _start(self, path: str) -> Browser:
        """Return a browser that runs."""
        async with self._starting:
            running = self._running.get(path)
            if running is None or not running.is_connected():
                running = self._running[path] = await self._launch(path)
            return running

    async def _launch(self, path: str) -> Browser:
        api = await asyncio.to_thread(import_once, "playwright.async_api")
        if self._playwright is None:
            self._playwright = await api.async_playwright().start()
        try:
            return await self._playwright.chromium.launch(
                executable_path=path,
                args=_ARGUMENTS,
                chromium_sandbox=os.geteuid() != 0,  # in which a browser of root does not start
                env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},
                handle_sigint=False,  # the run ends what it has started, in order
                handle_sigterm=False,
                handle_sighup=False,
            )
        except api.Error as error:
            raise PermanentSourceError(
                f"render: the browser {path} does not start ({said_by(error)}); see that it does by "
                f"{path} --headless --dump-dom about:blank, or name another as render.browser"
            ) from None

    async def aclose(self) -> None:
        """End the browsers, and what drives them."""
        with suppress(Exception):  # of those that are gone
            async with asyncio.timeout(_CLOSE_S):
                for browser in self._running.values():
                    await browser.close()
        if self._playwright is not None:
            await self._playwright.stop()  # which kills what is left


def said_by(error: Exception) -> str:
    """Return the first line of what Playwright says of a failure."""
    return next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)


@asynccontextmanager
async def open_browsers() -> AsyncIterator[Browsers]:
    """Open the browsers of a run: none is started before a page needs it."""
    browsers = Browsers()
    try:
        yield browsers
    finally:
        await browsers.aclose()
