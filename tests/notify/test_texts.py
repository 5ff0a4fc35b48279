"""Every message in words."""

from __future__ import annotations

import pytest

from governance.notify.texts import allowed_sentence, moment, quota_sentence, render, standing_sentence
from tests.notify.test_email import PAYLOAD

TOPICS = [
    "change.submitted",
    "change.reviewed",
    "change.approved",
    "change.rejected",
    "change.withdrawn",
    "change.revoked",
    "change.expired",
    "change.superseded",
    "change.question",
    "change.answer",
    "change.emergency",
    "change.review",
    "allowance.ended",
]
GPU = "requests.nvidia.com/gpu"


@pytest.mark.parametrize("topic", TOPICS)
def test_every_topic_has_sentences_without_gaps(topic: str) -> None:
    more = {"who": "M. Lindqvist", "note": "Fine.", "review_due_at": PAYLOAD["decide_by"], "ceiling": {GPU: 4}}
    more["allowed"] = [{"node": "Radiology", "resource": GPU, "amount": 1, "used": 18, "limit": 17}]
    text = render(topic, PAYLOAD | {"valid_from": PAYLOAD["decide_by"]} | more, "https://x.example")
    assert text.subject.startswith("CH-1042: ")
    assert text.link == "https://x.example/changes/CH-1042"
    assert text.paragraphs
    for sentence in (text.subject, *text.paragraphs):
        assert "{" not in sentence
        assert "  " not in sentence
        assert "None" not in sentence


def test_a_topic_of_tomorrow_and_an_old_payload_can_still_be_told() -> None:
    assert render("change.tomorrow", {"change": "CH-1"}, "https://x.example").subject.startswith(
        "CH-1: change.tomorrow"
    )
    for topic in TOPICS:
        assert render(topic, {}, "https://x.example").link == "https://x.example/"


def test_what_would_be_over_its_limit_is_told_first() -> None:
    rows = [
        {"node": "Hospital", "resource": GPU, "increase": 6, "used": 30, "limit": None},
        {"node": "Radiology", "resource": GPU, "increase": 6, "used": 10, "limit": 12},
        {"node": "Radiology", "resource": "requests.cpu", "increase": 6000, "used": 41000, "limit": 120000},
    ]
    assert quota_sentence(rows) == "Radiology would take 16 of 12\u00a0GPUs: 4 more than it may."
    assert quota_sentence(rows[2:]) == "Radiology would be at 39\u00a0% of its CPU: 47 of 120\u00a0cores of CPU."
    assert quota_sentence(rows[:1]) == "No limited quota is touched."


def test_exactly_at_the_limit_is_not_over_it() -> None:
    row = {"node": "Radiology", "resource": GPU, "increase": 2, "used": 10, "limit": 12}
    assert quota_sentence([row]) == "Radiology would be at 100\u00a0% of its GPUs: 12 of 12\u00a0GPUs."


def test_a_limit_of_nothing_is_exceeded_without_a_division_by_it() -> None:
    assert "1 more than it may" in quota_sentence(
        [{"node": "A", "resource": GPU, "increase": 1, "used": 0, "limit": 0}]
    )


def test_what_stands_above_its_limit_once_an_allowance_has_ended() -> None:
    over = {"node": "Radiology", "resource": GPU, "amount": 1, "used": 18, "limit": 17}
    within = {"node": "Imaging", "resource": "requests.cpu", "amount": 2000, "used": 9000, "limit": 9000}
    assert allowed_sentence([over, within]) == "1\u00a0GPU at Radiology, 2\u00a0cores of CPU at Imaging"
    assert standing_sentence([over, within]) == "Radiology takes 18 of 17\u00a0GPUs: 1\u00a0GPU above its limit."
    assert standing_sentence([within]) == "Nothing stands above its limit now."
    assert standing_sentence([{**over, "limit": None}]) == "Nothing stands above its limit now."


def test_times_are_in_the_readers_zone_and_in_utc_where_that_is_not_known() -> None:
    assert moment("2026-07-01T16:30:00+00:00", "Europe/Stockholm") == "Wed 1 July 2026, 18:30 (Europe/Stockholm)"
    assert moment("2026-07-01T16:30:00+00:00", "../etc") == "Wed 1 July 2026, 16:30 (UTC)"
