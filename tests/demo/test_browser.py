from __future__ import annotations

from urllib.parse import parse_qs

import httpx
import pytest

from governance.demo.browser import Browser
from governance.errors import NotFound

_PAGE = """
<form action="/sign-out" method="post"><button>Sign out</button></form>
<form id="review" action="/changes/CH-1/review" method="post">
  <input type="hidden" name="csrf_token" value="secret"><textarea name="note"></textarea>
  <button name="verdict" value="approve-terms">Approve on these terms</button>
</form>
<button form="review" name="verdict" value="approve"><svg></svg>Approve</button>
"""


def _browser(sent: list[httpx.Request]) -> Browser:
    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return httpx.Response(200, text=_PAGE)

    return Browser(httpx.Client(base_url="http://demo:8080", transport=httpx.MockTransport(answer)))


def test_a_button_sends_the_form_that_it_names_with_its_hidden_fields_and_where_it_came_from() -> None:
    sent: list[httpx.Request] = []
    person = _browser(sent)
    person.open("/changes/CH-1")
    person.press("Approve", {"note": "Go on."})
    assert sent[1].url == "http://demo:8080/changes/CH-1/review"
    assert parse_qs(sent[1].content.decode()) == {"csrf_token": ["secret"], "note": ["Go on."], "verdict": ["approve"]}
    assert sent[1].headers["Origin"] == "http://demo:8080"


def test_a_button_that_is_not_there_cannot_be_pressed() -> None:
    person = _browser([])
    person.open("/changes/CH-1")
    with pytest.raises(NotFound, match="Reject"):
        person.press("Reject")
