"""People with a browser: each signs in with the identity provider and does what the pages offer."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, Page, expect

from tests.e2e.service import governance
from tests.e2e.world import World

_PROVIDER_WAIT_MS = 15_000


@contextmanager
def at_the_browser(world: World, chromium: Browser, person: str) -> Iterator[Page]:
    """A person with a browser of their own, who signs in when they are first asked to."""
    # The certificate is the test's own; who trusts which authority is tested with the command line.
    context = chromium.new_context(ignore_https_errors=True, locale="en-GB", timezone_id="Europe/Vienna")
    page = context.new_page()
    page.goto(f"{world.service.web_url}/sign-in")
    _sign_in(page, person)
    expect(page).to_have_url(re.compile(re.escape(world.service.web_url)))
    try:
        yield page
    finally:
        context.close()


def open_link(page: Page, link: str, person: str) -> None:
    """Follow a link as it came by mail or in a denial, by way of the sign-in if it asks for one."""
    page.goto(link)
    if "/sign-in" in page.url:
        _sign_in(page, person)


def _sign_in(page: Page, person: str) -> None:
    page.get_by_role("link", name=re.compile("sign in", re.IGNORECASE)).first.click()
    _at_the_provider(page, person)


def _at_the_provider(page: Page, person: str) -> None:
    account = page.get_by_label("Account")
    account.wait_for(timeout=_PROVIDER_WAIT_MS)
    account.fill(person)
    page.get_by_label("Password").fill("any")
    page.get_by_role("button", name="Sign in").click()


def sign_in_at_the_shell(world: World, chromium: Browser, person: str) -> None:
    """`governance login`: the command prints an address and a code, the person confirms it in a browser."""
    environment = world.environment_of(person)
    process = subprocess.Popen(
        governance("login"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )
    assert process.stderr is not None
    link = process.stderr.readline().removeprefix("Open ").strip()
    context = chromium.new_context()
    page = context.new_page()
    page.goto(link)
    page.get_by_role("button", name="Continue").click()
    _at_the_provider(page, person)
    expect(page.get_by_text("You can close this page")).to_be_visible()
    output, error = process.communicate(timeout=60)
    context.close()
    assert process.returncode == 0, (output, error)
