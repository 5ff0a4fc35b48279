"""Every page renders in every state, from views alone, as correct HTML that our own policy lets run."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from jinja2 import UndefinedError

from governance.web import assets
from governance.web.render import html
from tests.web import sample_changes as changes
from tests.web.sample_ground import shell
from tests.web.samples import Sample, all_samples

_VOID = {"meta", "link", "input", "img", "br", "hr"}
SAMPLES = all_samples()


class Outline(HTMLParser):
    """Notes ids, references to them, headings, inline code, and elements that are not closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.references: set[str] = set()
        self.headings: list[str] = []
        self.forbidden: list[str] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag not in _VOID:
            self.open.append(tag)
        if "id" in values:
            self.ids.append(values["id"])
        for name in ("for", "aria-labelledby", "aria-describedby", "form"):
            self.references |= set(values.get(name, "").split())
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(tag)
        self.forbidden += [name for name in values if name == "style" or name.startswith("on")]
        if tag == "style" or (tag == "script" and "src" not in values):
            self.forbidden.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> closes nothing"


@pytest.mark.parametrize("sample", SAMPLES, ids=[one.name for one in SAMPLES])
def test_a_page_is_well_formed_with_one_first_heading_and_no_inline_code(sample: Sample) -> None:
    outline = Outline(html(sample.template, sample.shell, sample.view))
    assert outline.open == []
    assert outline.headings.count("h1") == 1
    assert outline.forbidden == []
    assert len(outline.ids) == len(set(outline.ids))
    assert outline.references <= set(outline.ids)


def test_words_of_people_are_escaped() -> None:
    evil = "<script>alert(1)</script>"
    text = html("change.html", shell("/changes"), replace(changes.PENDING, sentence=evil))
    assert evil not in text
    assert "&lt;script&gt;" in text


def test_a_name_that_a_view_lacks_is_an_error_and_not_an_empty_string() -> None:
    with pytest.raises(UndefinedError, match="has no attribute"):
        html("change.html", shell(), object())


def test_who_may_not_decide_reads_why_and_finds_no_button() -> None:
    text = html("change.html", shell("/changes"), changes.OWN)
    assert "someone else must approve it" in text
    assert 'value="approve"' not in text


def test_a_form_that_was_refused_keeps_what_was_typed_and_names_the_field() -> None:
    text = html("change.html", shell("/changes"), changes.REFUSED_FORM)
    assert 'name="less-0" value="9"' in text
    assert '<a href="#less-0">' in text
    assert 'aria-invalid="true"' in text


def test_assets_have_a_hash_of_their_content_in_their_names() -> None:
    for plain, hashed in assets.names().items():
        stem, _, suffix = plain.partition(".")
        assert re.fullmatch(rf"{stem}-[0-9a-f]{{12}}\.{suffix}", hashed)
        assert (assets.STATIC / hashed).is_file()
        assert (assets.STATIC / f"{hashed}.gz").is_file()
