"""The pages in a real browser: accessibility, widths, keyboard, with and without scripts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import Engine

from governance.policy.model import PolicyEngine
from tests.web.live import Live, Pages, opened
from tests.web.samples import all_samples

pytestmark = pytest.mark.real

AXE = Path(__file__).parents[2] / "node_modules" / "axe-core" / "axe.min.js"
NAMES = [sample.name for sample in all_samples()]
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
_VIOLATIONS = """
async (tags) => (await axe.run(document, {runOnly: tags})).violations.flatMap(
  (one) => one.nodes.map((node) => `${one.id}: ${node.html.slice(0, 200)} ${node.any.map((a) => a.message).join(" ")}`))
"""
_TOO_WIDE = """
() => document.documentElement.scrollWidth > document.documentElement.clientWidth
  ? [...document.querySelectorAll("body *")]
      .filter((one) => one.getBoundingClientRect().right > document.documentElement.clientWidth + 1)
      .filter((one) => !one.closest(".table-scroll"))
      .map((one) => one.outerHTML.slice(0, 120))
      .concat("something")
  : []
"""
_TARGETS = "button, summary, input:not([type=hidden]), select, textarea, a.btn, .rail a, .foot a"
_FOR_FINGERS = (
    f"{_TARGETS}, .mark-top, .path a, .line-title a, .waiting-sentence a, .tree-more a, .meter-place a, .alone a"
)
_WIDTHS = ((320, 44, _FOR_FINGERS), (390, 44, _FOR_FINGERS), *((width, 24, _TARGETS) for width in (768, 1280, 1920)))
_SMALL_TARGETS = """
([targets, least]) => [...document.querySelectorAll(targets)]
  .map((one) => [one.outerHTML.slice(0, 120), (one.closest(".form-check") ?? one).getBoundingClientRect()])
  .filter(([, box]) => box.width > 0 && (box.width < least || box.height < least)).map(([text]) => text)
"""


@pytest.fixture
def site(pages: Pages, sqlite: Engine, rules: PolicyEngine) -> Iterator[Live]:
    """The pages on the example hospital. On SQLite alone: what differs by database, `test_pages` holds to both."""
    with opened(pages, sqlite, rules) as one:
        yield one


@contextmanager
def tab(
    browser: Browser,
    url: str,
    *,
    width: int = 1280,
    theme: Literal["light", "dark"] = "light",
    scripts: bool = True,
) -> Iterator[Page]:
    """A tab of a new person. Whatever the page complains of in the console fails the test."""
    context = browser.new_context(
        base_url=url, viewport={"width": width, "height": 844}, color_scheme=theme, java_script_enabled=scripts
    )
    page = context.new_page()
    complaints: list[str] = []
    page.on(
        "console", lambda message: complaints.append(message.text) if message.type in {"error", "warning"} else None
    )
    page.on("pageerror", lambda error: complaints.append(str(error)))
    try:
        yield page
        assert complaints == []
    finally:
        context.close()


def sign_in(page: Page, person: str, path: str = "/") -> None:
    page.goto(f"/sign-in?next={path}")
    page.locator(f'button[value="{person}"]').click()
    page.wait_for_url(lambda url: urlsplit(url).path == path)


@pytest.mark.parametrize(("theme", "width"), [("light", 360), ("dark", 360), ("light", 1280), ("dark", 1280)])
def test_axe_finds_no_violation_on_any_page(
    browser: Browser, samples_url: str, theme: Literal["light", "dark"], width: int
) -> None:
    found = []
    with tab(browser, samples_url, width=width, theme=theme) as page:
        for name in NAMES:
            page.goto(f"/{name}")
            page.evaluate(AXE.read_text(encoding="utf-8"))
            found += [f"{name}: {one}" for one in page.evaluate(_VIOLATIONS, RULES)]
    assert found == []


def test_no_page_scrolls_sideways_and_no_target_is_small(browser: Browser, samples_url: str) -> None:
    found = []
    with tab(browser, samples_url) as page:
        for name in NAMES:
            page.goto(f"/{name}")
            for width, least, targets in _WIDTHS:
                page.set_viewport_size({"width": width, "height": 844})
                found += [f"{name} at {width} is too wide: {one}" for one in page.evaluate(_TOO_WIDE)]
                small = page.evaluate(_SMALL_TARGETS, [targets, least])
                found += [f"{name} at {width} has a small target: {one}" for one in small]
    assert found == []


def test_the_theme_follows_the_system_until_a_person_chooses(browser: Browser, samples_url: str) -> None:
    with tab(browser, samples_url, theme="dark") as page:
        page.goto("/home")
        root = page.locator("html")
        expect(root).to_have_attribute("data-bs-theme", "dark")
        page.get_by_role("button", name="Theme").click()
        expect(root).to_have_attribute("data-bs-theme", "light")
        page.goto("/quotas")
        expect(root).to_have_attribute("data-bs-theme", "light")


def test_the_summary_of_problems_takes_the_focus_and_leads_to_the_field(browser: Browser, samples_url: str) -> None:
    with tab(browser, samples_url) as page:
        page.goto("/ask-problems")
        expect(page.locator("[data-problems]")).to_be_focused()
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        expect(page.locator("#reason")).to_be_focused()


def test_keys_search_help_go_and_move_and_can_be_switched_off(browser: Browser, samples_url: str) -> None:
    with tab(browser, samples_url) as page:
        page.goto("/changes")
        page.keyboard.press("j")
        page.keyboard.press("j")
        expect(page.locator("[data-list-item]").nth(1)).to_be_focused()
        page.keyboard.press("/")
        expect(page.locator("#search")).to_be_focused()
        page.keyboard.type("g?j")
        expect(page.locator("#search")).to_have_value("g?j")
        page.locator("h1").click()
        page.keyboard.press("?")
        help_ = page.get_by_role("dialog")
        expect(help_).to_be_visible()
        help_.get_by_label("Use these keys").uncheck()
        page.keyboard.press("Escape")
        expect(help_).to_be_hidden()
        page.keyboard.press("j")
        expect(page.locator("[data-list-item]").nth(0)).not_to_be_focused()


def test_g_and_a_letter_go_to_a_page(browser: Browser, samples_url: str) -> None:
    with tab(browser, samples_url) as page:
        page.goto("/changes")
        page.keyboard.press("g")
        page.keyboard.press("q")
        page.wait_for_url("**/quotas")


def test_on_a_phone_the_way_to_decide_is_always_at_hand(browser: Browser, samples_url: str) -> None:
    with tab(browser, samples_url, width=390) as page:
        page.goto("/change-pending")
        approve = page.get_by_role("button", name="Approve", exact=True)
        expect(approve).to_be_in_viewport()
        page.mouse.wheel(0, 900)
        expect(approve).to_be_in_viewport()


def test_paper_holds_the_words_and_none_of_the_buttons(browser: Browser, samples_url: str) -> None:
    with tab(browser, samples_url) as page:
        page.goto("/change-pending")
        page.emulate_media(media="print")
        expect(page.locator("h1")).to_be_visible()
        expect(page.locator(".confirm-bar")).to_be_hidden()
        expect(page.locator(".rail")).to_be_hidden()


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no-scripts"])
def test_a_change_is_asked_for_and_approved_in_the_browser(browser: Browser, site: Live, scripts: bool) -> None:
    with tab(browser, site.url, scripts=scripts) as page:
        sign_in(page, "okafor", site.ask_path)
        page.get_by_label("Why do you need it?").fill("Backlog of 1,900 CT studies after the scanner outage.")
        page.get_by_role("button", name="Send the request").click()
        expect(page.locator("h1")).to_contain_text("Dr. A. Okafor asks for 8 more GPUs in radiology/ct-training")
        expect(page.get_by_text("so someone else must decide it")).to_be_visible()
    with tab(browser, site.url, width=390, scripts=scripts) as page:
        sign_in(page, "lindqvist")
        page.get_by_role("link", name="Look at it: CH-1").click()
        page.get_by_role("button", name="Approve", exact=True).click()
        expect(page.get_by_text("You approved it.")).to_be_visible()
    assert site.changes()[0].state == "approved"


def test_a_change_is_approved_with_the_keyboard_alone(browser: Browser, site: Live) -> None:
    change = site.ask()
    with tab(browser, site.url) as page:
        page.goto(f"/sign-in?next={change}")
        _tab_to(page, "M. Lindqvist")
        page.keyboard.press("Enter")
        page.wait_for_url(lambda url: urlsplit(url).path == change)
        page.keyboard.press("r")
        page.keyboard.type("Node pool has room.")
        _tab_to(page, "Approve", exact=True)
        page.keyboard.press("Enter")
        expect(page.get_by_text("You approved it.")).to_be_visible()
    assert site.changes()[0].state == "approved"


def _tab_to(page: Page, words: str, *, exact: bool = False) -> None:
    """Press Tab until what is focused says these words; the focus must be seen on each step."""
    for _ in range(60):
        page.keyboard.press("Tab")
        text, outline = page.evaluate(
            "() => [document.activeElement.innerText ?? '', getComputedStyle(document.activeElement).outlineStyle]"
        )
        assert outline != "none", f"the focus on {text!r} is not seen"
        if text.strip() == words if exact else words in text:
            return
    raise AssertionError(f"{words} is not reached by the keyboard")


def test_a_filter_sends_itself_keeps_the_focus_and_stands_in_the_address(browser: Browser, site: Live) -> None:
    site.ask()
    with tab(browser, site.url) as page:
        sign_in(page, "lindqvist", "/changes")
        page.get_by_label("State").focus()
        page.get_by_label("State").select_option("approved")
        expect(page.locator("h1")).to_have_text("No change fits these filters.")
        expect(page.get_by_label("State")).to_be_focused()
        assert "state=approved" in page.url
        page.go_back()
        expect(page.locator("h1")).to_contain_text("1 change")


def test_the_change_page_shows_what_others_decide_meanwhile(browser: Browser, site: Live) -> None:
    change = site.ask()
    with tab(browser, site.url) as page:
        page.clock.install()
        sign_in(page, "okafor", change)
        expect(page.get_by_text("Pending")).to_be_visible()
        site.send("lindqvist", change, f"{change}/review", verdict="approve", note="")
        page.clock.fast_forward(21_000)
        expect(page.get_by_text("Approved", exact=True)).to_be_visible()
