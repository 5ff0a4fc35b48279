"""A person's browser without a screen: it opens pages, reads their forms, and sends them as they stand."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urljoin

import httpx

from governance.errors import NotFound

_ANSWER_S = 30
_PAGES = {"Accept": "text/html"}


@dataclass(slots=True)
class Button:
    """A button of a form: what stands on it, and what it sends."""

    name: str
    value: str
    text: str = ""


@dataclass(slots=True)
class Form:
    """A form of a page: where it goes, and its fields as they stand."""

    action: str
    fields: dict[str, str] = field(default_factory=dict)
    buttons: list[Button] = field(default_factory=list)


class Browser:
    """Keeps the cookies and the page that is open. Raises httpx.HTTPError for a page that cannot be had."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client
        self._page: httpx.Response | None = None

    def open(self, address: str) -> None:
        """Open a page, or the sign-in page if it asks for that first."""
        self._see(self._client.get(address, headers=_PAGES))

    def press(self, label: str, filled: Mapping[str, str] | None = None) -> None:
        """Press a button of the open page, with these fields filled in. Raises NotFound if there is none."""
        found = [(form, one) for form in _forms(self._page) for one in form.buttons if label in one.text]
        if not found or self._page is None:
            raise NotFound(f"The page has no button {label!r}.")
        form, button = min(found, key=lambda each: len(each[1].text))
        here = self._page.url
        sent = {**form.fields, **(filled or {}), **({button.name: button.value} if button.name else {})}
        headers = {**_PAGES, "Origin": str(here.join("/")).rstrip("/"), "Referer": str(here)}
        self._see(self._client.post(urljoin(str(here), form.action or str(here)), data=sent, headers=headers))

    def shows(self, text: str) -> bool:
        """Whether the open page holds this text."""
        return self._page is not None and text in self._page.text

    @property
    def path(self) -> str:
        """Where the open page is."""
        return self._page.url.path if self._page else ""

    def _see(self, answer: httpx.Response) -> None:
        answer.raise_for_status()
        self._page = answer


def browser(address: str) -> AbstractContextManager[httpx.Client]:
    """The connection of a new browser to the pages at an address."""
    return closing(httpx.Client(base_url=address, follow_redirects=True, timeout=_ANSWER_S))


def _forms(page: httpx.Response | None) -> list[Form]:
    reader = _FormReader()
    reader.feed(page.text if page else "")
    return list(reader.forms.values())


class _FormReader(HTMLParser):
    """Reads forms. A button may stand outside of its form and name it by id."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: dict[str, Form] = {}
        self._form = ""
        self._button: Button | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._form = given.get("id") or f"#{len(self.forms)}"
            self.forms[self._form] = Form(given.get("action", ""))
        form = self.forms.get(given.get("form", self._form))
        if form is None:
            return
        if tag == "button":
            self._button = Button(given.get("name", ""), given.get("value", ""))
            form.buttons.append(self._button)
        elif tag in {"input", "textarea"} and given.get("name"):
            form.fields[given["name"]] = given.get("value", "")

    def handle_data(self, data: str) -> None:
        if self._button is not None:
            self._button.text = f"{self._button.text} {data}".strip()

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._form = ""
        elif tag == "button":
            self._button = None
