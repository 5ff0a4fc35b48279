"""Chromium, driven by Playwright, with a new and empty profile."""

from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright

from tools import parts

# As root there is no sandbox; the rest keeps Chromium from calling anybody but the pages under test.
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@contextmanager
def start() -> Iterator[Browser]:
    """Run Chromium without a window; each `new_context()` is a person of their own (no shared cookies)."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=parts.chromium(), args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()
