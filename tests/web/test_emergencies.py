"""Breaking the glass, and the review afterwards, by the pages: each act is a form, and each refusal says why."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlmodel import col

from governance.audit.tables import AuditEvent
from governance.change.tables import Grant
from governance.db.session import reading
from governance.notify.tables import OutboxMessage
from tests.identity import delegates
from tests.web.live import Live, token_of
from tests.web.test_pages import words

FIELDS = {"reason": "Two stroke patients wait.", "incident": "INC-22740", "hours": "4"}


def seen(site: Live, person: str, path: str) -> str:
    return words(site.as_person(person).get(path).text)


def token(site: Live, person: str) -> str:
    return token_of(site.as_person(person).get("/").text)


def reviewed(site: Live, person: str, change: str, note: str) -> tuple[int, str]:
    answer = site.send(person, change, f"{change}/post-review", note=note)
    return answer.status_code, words(answer.text)


def test_the_way_is_shown_to_whoever_may_and_others_read_whom_to_call(site: Live) -> None:
    assert f'href="{site.emergency_path}"' in site.as_person("lindqvist").get(site.ask_path).text
    asking = site.as_person("okafor").get(site.ask_path).text
    assert site.emergency_path not in asking
    assert "In an emergency M. Lindqvist or Prof. J. Ferreira can let it through at once" in words(asking)
    assert site.as_person("okafor").get(site.emergency_path).status_code == 403


def test_the_page_says_what_will_happen_and_makes_nothing(site: Live) -> None:
    page = seen(site, "lindqvist", site.emergency_path)
    assert "8 more GPUs in radiology/ct-training: at once, without an approval." in page
    assert "Prof. J. Ferreira is told at once, by mail" in page
    assert "Prof. J. Ferreira must review it by" in page
    assert "(in 2 days)" in page
    assert "neither you nor radiology/ct-training can do this again" in page
    assert site.changes() == []


def test_breaking_the_glass_grants_at_once_for_hours_and_tells_who_was_skipped(site: Live) -> None:
    change = site.break_glass()
    (row,) = site.changes()
    assert (row.kind, row.state, row.reference) == ("emergency", "approved", "INC-22740")
    assert row.valid_until - row.created_at == timedelta(hours=4)
    with reading(site.engine) as session:
        assert [one.state for one in session.scalars(select(Grant))] == ["active"]
        mails = session.scalars(select(OutboxMessage).where(col(OutboxMessage.channel) == "email")).all()
        assert [(one.topic, one.payload["to"]) for one in mails] == [("change.emergency", "Prof. J. Ferreira")]
        event = session.scalars(select(AuditEvent).where(col(AuditEvent.action) == "change.break_glass")).one()
        assert (event.actor, (event.after or {})["skipped"]) == ("lindqvist", ["ferreira"])
    page = seen(site, "ferreira", change)
    assert "M. Lindqvist broke the glass for 8 more GPUs in radiology/ct-training, until" in page
    assert "Who was skipped Prof. J. Ferreira Told by mail" in page
    assert "It can be reviewed as soon as it was used, or its time is over." in page


@pytest.mark.parametrize(
    ("field", "value"),
    [("reason", " "), ("incident", ""), *(("hours", one) for one in ("13", "0", "4.5", "x", "\u0664"))],
)
def test_what_is_missing_is_named_at_its_field_and_what_was_typed_is_kept(site: Live, field: str, value: str) -> None:
    answer = site.send("lindqvist", site.emergency_path, site.emergency_path, **{**FIELDS, field: value})
    assert answer.status_code == 422
    assert f'<a href="#{field}">' in answer.text
    assert (">Two stroke patients wait.</textarea>" in answer.text) is (field != "reason")
    assert site.changes() == []


def test_only_an_approver_of_the_project_breaks_the_glass(site: Live) -> None:
    for person in ("okafor", "moreau", "sato", "brandt"):
        form = {**FIELDS, "csrf_token": token(site, person)}
        assert site.as_person(person).post(site.emergency_path, data=form).status_code == 403, person
    assert site.as_person("lindqvist").post(site.emergency_path, data=FIELDS).status_code == 403  # without the token
    assert site.changes() == []


def test_a_change_that_waits_is_superseded_and_one_that_is_approved_is_enough(site: Live) -> None:
    waiting = site.ask()
    assert "CH-1, which asks for the same, is closed." in seen(site, "lindqvist", site.emergency_path)
    site.break_glass()
    assert [one.state for one in site.changes()] == ["superseded", "approved"]
    assert "Superseded" in seen(site, "okafor", waiting)
    assert "There is no need to: this is approved already." in seen(site, "lindqvist", site.emergency_path)


def test_its_review_waits_for_who_was_skipped_and_closes_it(site: Live) -> None:
    change = site.break_glass()
    assert "Nothing waits for you." in seen(site, "ferreira", "/")
    site.end_emergency(change)
    assert "1 emergency waits for your review." in seen(site, "ferreira", "/")
    assert "Two stroke patients wait. INC-22740" in seen(site, "ferreira", "/")
    assert "/changes/CH-1" in site.as_person("ferreira").get("/changes?show=waiting").text
    assert "You asked for this change, so someone else must review it." in seen(site, "lindqvist", change)
    assert "Nothing waits for you." in seen(site, "lindqvist", "/")
    assert reviewed(site, "ferreira", change, " ")[0] == 422
    status, page = reviewed(site, "ferreira", change, "Rightly done; the pool will grow.")
    assert status == 200
    assert "You reviewed it." in page
    assert "It was made in an emergency, and has been reviewed." in page
    assert "Rightly done; the pool will grow." in seen(site, "okafor", change)
    assert site.changes()[0].state == "closed"
    assert "Nothing waits for you." in seen(site, "ferreira", "/")


def test_whoever_was_not_skipped_cannot_review_it(site: Live) -> None:
    change = site.break_glass()
    site.end_emergency(change)
    version = str(site.changes()[0].version)
    for person in ("lindqvist", "okafor", "moreau", "sato"):
        form = {"csrf_token": token(site, person), "version": version, "note": "Fine."}
        assert site.as_person(person).post(f"{change}/post-review", data=form).status_code == 403, person
    assert site.changes()[0].state == "post_review"


def test_an_overdue_review_is_shown_first_and_closes_the_way(site: Live) -> None:
    change = site.break_glass()
    site.end_emergency(change)
    site.later(hours=49)
    waiting = site.ask()
    home = site.as_person("ferreira").get("/").text
    assert "1 emergency waits for your review, overdue." in words(home)
    assert home.index(f'href="{change}"') < home.index(f'href="{waiting}"')
    assert "review overdue" in seen(site, "ferreira", change)
    blocked = seen(site, "lindqvist", site.emergency_path)
    assert "The review of an earlier emergency is overdue. Until it is done, this way is closed. CH-1" in blocked
    form = {**FIELDS, "csrf_token": token(site, "lindqvist")}
    answer = site.as_person("lindqvist").post(site.emergency_path, data=form)
    assert answer.status_code == 409
    assert "The review of CH-1, an earlier emergency, is overdue." in words(answer.text)


def test_who_comes_second_with_a_review_is_told_and_keeps_the_note(site: Live) -> None:
    change = site.break_glass()
    site.end_emergency(change)
    delegates.hire(site.engine)
    delegates.act_for(site.engine, "ferreira")
    opened = site.as_person("ferreira").get(change).text
    before = str(site.changes()[0].version)
    assert reviewed(site, delegates.NAME, change, "Rightly done.")[0] == 200
    form = {"csrf_token": token_of(opened), "version": before, "note": "No room."}
    answer = site.as_person("ferreira").post(f"{change}/post-review", data=form)
    assert answer.status_code == 409
    assert "You had written: “No room.”" in words(answer.text)


def test_a_delegate_without_a_role_decides_what_waits_and_sees_nothing_else(site: Live) -> None:
    change = site.ask()
    delegates.hire(site.engine)
    assert site.as_person(delegates.NAME).get(change).status_code == 403
    delegates.act_for(site.engine, "lindqvist")
    assert "1 change waits for you." in seen(site, delegates.NAME, "/")
    page = site.as_person(delegates.NAME).get(change).text
    assert "/quotas/" not in page
    assert "/decisions/" not in page
    for path in ("/quotas", "/decisions", f"/decisions/{site.denied.id}", site.ask_path, site.emergency_path):
        assert site.as_person(delegates.NAME).get(path).status_code == 403, path
    answer = site.send(delegates.NAME, change, f"{change}/review", verdict="approve", note="")
    assert "You approved it." in words(answer.text)
    assert site.changes()[0].state == "approved"


def test_a_delegate_of_somebody_who_cannot_decide_is_shown_nothing(site: Live) -> None:
    change = site.ask()
    delegates.hire(site.engine)
    delegates.act_for(site.engine, "moreau")
    assert site.as_person(delegates.NAME).get(change).status_code == 403
    assert "CH-1" not in seen(site, delegates.NAME, "/changes")
