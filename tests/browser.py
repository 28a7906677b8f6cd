"""A headless Chromium from Debian, driven by Playwright."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from infra.rehearsal.system.packages import ensure_debian

if TYPE_CHECKING:
    from playwright.sync_api import Page

_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)


@contextmanager
def browsing() -> "Generator[Page]":
    """A page of a browser with no history and no cookies."""
    from playwright.sync_api import sync_playwright

    path = ensure_debian("chromium", "chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(_FLAGS))
        try:
            context = browser.new_context(viewport={"width": 1280, "height": 800})
            context.set_default_timeout(60_000)
            yield context.new_page()
        finally:
            browser.close()
