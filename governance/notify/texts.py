"""What messages say: one sentence that says what is asked, what it would do to the quota, and where to look."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from governance.wording import SPACE, amount_text, listed, measured, noun, phrase, scarcest_first, unit_for, would_be

_Payload = Mapping[str, Any]
_SUBJECT_LENGTH_MAX = 120


@dataclass(frozen=True, slots=True)
class Text:
    """A message in words. `paragraphs` are plain text, without markup; `link` says where to look, `act` why."""

    subject: str
    paragraphs: tuple[str, ...]
    link: str
    act: str


def render(topic: str, payload: _Payload, public_url: str) -> Text:
    """The words of one message.

    Args:
        topic: `change.submitted`, ...; one that is not known is told with its name alone.
        payload: as the change room writes it (`change.telling.payload_of`).
        public_url: under which people open the pages.
    """
    headline, sentences = _WORDS.get(topic, (f"{topic}: {{what}}", ()))
    values = _values(payload)
    paragraphs = [sentence for template in sentences if (sentence := template(values))]
    name = values["change"]
    return Text(
        subject=_one_line(f"{name}: {headline.format_map(values)}"),
        paragraphs=tuple(paragraphs),
        link=f"{public_url.rstrip('/')}{payload.get('path', '/')}",
        act=f"Look at {name} and decide" if topic in _TO_DECIDE else f"Look at {name}",
    )


def quota_sentence(rows: Sequence[Mapping[str, Any]]) -> str:
    """What a request would do to the quota: first what would be over its limit, then the fullest of the others."""
    limited = [row for row in rows if row["limit"] is not None and row["increase"] > 0]
    if not limited:
        return "No limited quota is touched."
    over = [row for row in limited if row["used"] + row["increase"] > row["limit"]]
    chosen = over or [max(limited, key=lambda row: (row["used"] + row["increase"]) * 1_000_000 // max(row["limit"], 1))]
    return " ".join(
        would_be(row["node"], row["resource"], row["used"], row["increase"], row["limit"]) for row in chosen
    )


def moment(text: str, time_zone: str) -> str:
    """An instant in the reader's zone: `Mon 23 November 2026, 17:30 (Europe/Stockholm)`."""
    try:
        zone, name = ZoneInfo(time_zone), time_zone
    except (ZoneInfoNotFoundError, ValueError):
        zone, name = ZoneInfo("UTC"), "UTC"
    local = datetime.fromisoformat(text).astimezone(UTC).astimezone(zone)
    return f"{local:%a} {local.day} {local:%B %Y, %H:%M} ({name})"


def allowed_sentence(rows: Sequence[Mapping[str, Any]]) -> str:
    """By how much limits were allowed to be exceeded: `1 GPU at Radiology`."""
    return ", ".join(f"{phrase(row['resource'], row['amount'])} at {row['node']}" for row in rows)


def standing_sentence(rows: Sequence[Mapping[str, Any]]) -> str:
    """What stands above its limit now."""
    over = [row for row in rows if row["limit"] is not None and row["used"] > row["limit"]]
    if not over:
        return "Nothing stands above its limit now."
    return " ".join(_stands(row["node"], row["resource"], row["used"], row["limit"]) for row in over)


def _stands(who: str, resource: str, used: int, limit: int) -> str:
    unit = unit_for(resource, (used, limit))
    of = f"{amount_text(used, unit)} of {amount_text(limit, unit)}{SPACE}{measured(noun(resource), unit)}"
    return f"{who} takes {of}: {phrase(resource, used - limit)} above its limit."


def _values(payload: _Payload) -> dict[str, str]:
    """Every name that a sentence may use; what is missing is empty, so that an old message can still be told."""
    zone = str(payload.get("time_zone", "UTC"))
    names = ("change", "asked_by", "what", "reason", "reference", "who", "note")
    values = {name: str(payload.get(name) or "") for name in names}
    times = ("decide_by", "valid_from", "valid_until", "review_due_at")
    values |= {name: moment(payload[name], zone) if payload.get(name) else "" for name in times}
    values["quota"] = quota_sentence(payload.get("quota", ()))
    values["allowed"] = allowed_sentence(payload.get("allowed", ()))
    values["standing"] = standing_sentence(payload.get("allowed", ()))
    needs = payload.get("needs", ())
    values["needs"] = ", ".join(f"{need['minimum']} of {need['group']}" for need in needs)
    values["ceiling"] = listed(phrase(name, value) for name, value in _scarcest(payload.get("ceiling") or {}))
    return values


def _scarcest(amounts: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(amounts.items(), key=lambda one: scarcest_first(one[0]))


def _asks(values: Mapping[str, str]) -> str:
    return f"{values['asked_by']} asks for {values['what']} until {values['valid_until']}."


def _asked(values: Mapping[str, str]) -> str:
    return f"{values['asked_by']} had asked for {values['what']}."


def _because(values: Mapping[str, str]) -> str:
    reference = f" ({values['reference']})" if values["reference"] else ""
    return f"The reason given: “{values['reason']}”{reference}"


def _said(values: Mapping[str, str]) -> str:
    return f"{values['who'] or 'The note'}: “{values['note']}”" if values["note"] else ""


def _terms(values: Mapping[str, str]) -> str:
    return f"It is approved for less: at most {values['ceiling']} in all." if values["ceiling"] else ""


def _use_it(values: Mapping[str, str]) -> str:
    return (
        f"Repeat the same request on the cluster; it passes once, from {values['valid_from']} "
        f"until {values['valid_until']}."
    )


def _decide_by(values: Mapping[str, str]) -> str:
    return f"It needs {values['needs']}. Decide by {values['decide_by']}."


def _skipped(values: Mapping[str, str]) -> str:
    return (
        f"{values['asked_by']} broke the glass for {values['what']}: it was allowed without your approval, "
        f"until {values['valid_until']}. A review by one of you is due by {values['review_due_at']}."
    )


def _allowed(values: Mapping[str, str]) -> str:
    return f"{values['who']} allowed {values['allowed']} above the limit, until {values['valid_until']}. That is over."


def _scale_down(_: Mapping[str, str]) -> str:
    return (
        "What runs goes on, and pods that are lost come back. More is refused until it is within the limit again: "
        "scale down, or repeat the request and ask for the change anew."
    )


_TO_DECIDE = {"change.submitted", "change.emergency"}
_WORDS: dict[str, tuple[str, tuple[Any, ...]]] = {
    "change.submitted": ("{asked_by} asks for {what}", (_asks, lambda values: values["quota"], _because, _decide_by)),
    "change.reviewed": (
        "{who} approved, others have yet to",
        (_asks, _said, lambda values: f"It needs {values['needs']}."),
    ),
    "change.approved": ("approved: {what}", (_asked, _terms, _said, _use_it)),
    "change.rejected": ("rejected: {what}", (_asked, _said)),
    "change.withdrawn": (
        "withdrawn: {what}",
        (_asked, lambda _: "It was taken back; there is nothing to decide.", _said),
    ),
    "change.revoked": ("revoked: {what}", (_asked, lambda _: "The approval was taken back.", _said)),
    "change.expired": ("out of time: {what}", (_asked, lambda values: values["note"])),
    "change.superseded": (
        "superseded: {what}",
        (_asked, lambda _: "Somebody broke the glass for the same in an emergency."),
    ),
    "change.question": ("{who} asks you about {what}", (_said, _asks)),
    "change.answer": ("{who} answered", (_said, _asks)),
    "allowance.ended": (
        "the allowance for {what} has ended",
        (_asked, _allowed, lambda values: values["standing"], _scale_down),
    ),
    "change.emergency": ("emergency: {what}", (_skipped, lambda values: values["quota"], _because)),
    "change.review": ("the emergency was reviewed", (_asked, _said)),
}


def _one_line(text: str) -> str:
    plain = " ".join(text.split())
    return plain if len(plain) <= _SUBJECT_LENGTH_MAX else plain[: _SUBJECT_LENGTH_MAX - 1] + "…"
