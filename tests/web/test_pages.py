"""The pages on a real ledger, without scripts: each act is a form, and each refusal says why."""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape

import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from sqlalchemy import func, select
from sqlmodel import col

from governance import clock
from governance.audit.tables import AuditEvent
from governance.change.tables import ChangeRequest, Grant
from governance.db.session import make_engine, reading, transaction
from governance.http.permissions import undeclared_routes
from governance.identity.people import person_by_name, principal_of
from governance.notify.tables import OutboxMessage
from governance.operations import switch
from governance.quota.tables import Scope
from governance.settings import Database, Settings
from governance.web.mount import mount_pages
from tests.web.live import Live, in_a_week, token_of

GPU = "requests.nvidia.com/gpu"


def words(page: str) -> str:
    """What a reader sees of a page, without markup."""
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", page)).replace("\u00a0", " "))


def review(site: Live, person: str, change: str, verdict: str, **fields: str) -> str:
    answer = site.send(person, change, f"{change}/review", verdict=verdict, **{"note": "", **fields})
    return f"{answer.status_code} {words(answer.text)}"


def grants(site: Live) -> list[Grant]:
    with reading(site.engine) as session:
        return list(session.scalars(select(Grant)))


def count(site: Live, table: type[object]) -> int:
    with reading(site.engine) as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def test_the_link_of_a_denial_shows_exactly_what_was_asked_and_makes_nothing(site: Live) -> None:
    page = words(site.as_person("okafor").get(site.ask_path).text)
    assert "You asked for 8 more GPUs in radiology/ct-training, and it was denied." in page
    assert "Radiology would take 18 of 17 GPUs: 1 more than it may." in page
    assert "M. Lindqvist or Prof. J. Ferreira" in page
    assert "Replicas Deployment ct-train 10 18" in page
    assert (count(site, ChangeRequest), count(site, OutboxMessage)) == (0, 0)


def test_a_stranger_is_led_to_sign_in_and_back(site: Live) -> None:
    client = site.as_person("okafor")
    client.cookies.clear()
    answer = client.get(site.ask_path)
    assert answer.url.path == "/sign-in"
    assert answer.url.params["next"] == site.ask_path


def test_a_change_is_asked_for_approved_and_granted(site: Live) -> None:
    change = site.ask()
    assert change == "/changes/CH-1"
    assert "1 change waits for you." in words(site.as_person("lindqvist").get("/").text)
    assert review(site, "lindqvist", change, "approve", note="Node pool has room.").startswith("200")
    (grant,) = grants(site)
    assert [(one["resource"], one["amount"]) for one in grant.allowances] == [(GPU, 1)]
    page = words(site.as_person("okafor").get(change).text)
    assert "You can repeat the request now, once and exactly as asked" in page
    assert "M. Lindqvist approved." in page
    assert "Node pool has room." in page


def test_one_press_on_home_approves(site: Live) -> None:
    change = site.ask()
    client = site.as_person("lindqvist")
    home = client.get("/").text
    assert f'action="{change}/review"' in home
    answer = site.send("lindqvist", "/", f"{change}/review", verdict="approve", note="")
    assert "You approved it." in words(answer.text)


def test_home_says_which_cluster_denies_nothing_until_when_by_whom_and_why(site: Live) -> None:
    with transaction(site.engine) as session:
        sato = principal_of(session, person_by_name(session, "sato"), clock.now())
        hour = timedelta(hours=1)
        switch.warn(session, "burst-cloud-1", hour, "The <archive> moves.", sato, longest=hour)
    said = words(site.as_person("okafor").get("/").text)
    assert "burst-cloud-1 denies nothing now." in said
    assert f"{sato.display_name}: The <archive> moves." in said
    assert "denies nothing" not in words(site.as_person("adeyemi").get("/").text), "nothing of hers runs there"
    with transaction(site.engine) as session:
        session.get_one(Scope, "burst-cloud-1").warn_until = clock.now()
    assert "denies nothing" not in words(site.as_person("okafor").get("/").text)


def test_asking_twice_leads_to_the_same_change(site: Live) -> None:
    assert site.ask() == site.ask()
    assert "CH-1 is open for exactly this request" in words(site.as_person("okafor").get(site.ask_path).text)


def test_without_a_reason_nothing_is_sent_and_what_was_typed_is_kept(site: Live) -> None:
    answer = site.send("okafor", site.ask_path, site.ask_path, reason=" ", reference="INC-22719", until=in_a_week())
    assert answer.status_code == 422
    assert 'value="INC-22719"' in answer.text
    assert '<a href="#reason">Say why this is needed.' in answer.text
    assert count(site, ChangeRequest) == 0


@pytest.mark.parametrize("until", ["", "tomorrow", "2020-01-01", "9999-12-31", "2026-02-30"])
def test_a_day_that_cannot_be_is_refused_at_its_field(site: Live, until: str) -> None:
    answer = site.send("okafor", site.ask_path, site.ask_path, reason="Backlog.", reference="", until=until)
    assert answer.status_code == 422
    assert '<a href="#until">' in answer.text
    assert ">Backlog.</textarea>" in answer.text


def test_whoever_asked_cannot_approve_and_is_told_why(site: Live) -> None:
    change = site.ask()
    page = site.as_person("okafor").get(change).text
    assert "You asked for this change, so someone else must decide it." in words(page)
    assert "/review" not in page
    refused = site.send("okafor", change, f"{change}/review", verdict="approve", note="")
    assert refused.status_code == 403
    assert grants(site) == []


def test_a_rejection_needs_a_note_and_ends_the_change(site: Live) -> None:
    change = site.ask()
    assert review(site, "lindqvist", change, "reject").startswith("422")
    assert "You rejected it." in review(site, "lindqvist", change, "reject", note="The pool is full.")
    assert "The pool is full." in words(site.as_person("okafor").get(change).text)
    assert site.changes()[0].state == "rejected"


def test_an_approval_for_less_grants_at_most_that(site: Live) -> None:
    change = site.ask()
    fields = {"less-0": "14", "less-1": "17"}
    page = site.as_person("lindqvist").get(change).text
    assert 'name="less-1"' in page
    assert "200" in review(site, "lindqvist", change, "approve-terms", **fields, until=in_a_week())[:3]
    (grant,) = grants(site)
    assert grant.ceiling is not None
    assert sorted(grant.ceiling.values())[:3] != []
    assert "for at most" in words(site.as_person("okafor").get(change).text)


def test_an_approval_until_an_earlier_day_ends_with_that_day(site: Live) -> None:
    change = site.ask()
    day = (clock.now() + timedelta(days=2)).date().isoformat()
    review(site, "lindqvist", change, "approve-terms", until=day)
    (grant,) = grants(site)
    assert grant.valid_until < site.changes()[0].valid_until
    assert grant.ceiling is None


@pytest.mark.parametrize("amount", ["much", "-1", "1.5", "99", "NaN", "1e999999"])
def test_an_amount_that_cannot_be_is_refused_at_its_field(site: Live, amount: str) -> None:
    change = site.ask()
    asked = site.as_person("lindqvist").get(change).text
    field = next(name for name, label in re.findall(r'for="(less-\d)">([^<]+)<', asked) if label == "GPUs")
    answer = site.send("lindqvist", change, f"{change}/review", verdict="approve-terms", note="kept", **{field: amount})
    assert answer.status_code == 422
    assert f'<a href="#{field}">' in answer.text
    assert ">kept</textarea>" in answer.text
    assert grants(site) == []


def test_who_comes_second_is_told_and_keeps_the_note(site: Live) -> None:
    change = site.ask()
    client = site.as_person("ferreira")
    opened = client.get(change).text
    review(site, "lindqvist", change, "approve")
    answer = client.post(
        f"{change}/review",
        data={"csrf_token": token_of(opened), "version": "1", "verdict": "reject", "note": "No room on Monday."},
    )
    assert answer.status_code == 409
    assert "Somebody else was first" in words(answer.text)
    assert "No room on Monday." in answer.text
    assert site.changes()[0].state == "approved"


def test_a_question_is_asked_and_answered(site: Live) -> None:
    change = site.ask()
    assert "Your question is on its way" in review(site, "lindqvist", change, "question", note="Until Monday?")
    answer = site.send("okafor", change, f"{change}/answer", note="Until Tuesday.")
    assert "Your answer is on its way" in words(answer.text)
    page = words(site.as_person("lindqvist").get(change).text)
    assert "asked a question. Until Monday?" in page
    assert "answered. Until Tuesday." in page


def test_a_change_is_withdrawn_by_whoever_asked_alone(site: Live) -> None:
    change = site.ask()
    assert "Withdraw" not in site.as_person("lindqvist").get(change).text
    assert "You withdrew it." in words(site.send("okafor", change, f"{change}/withdraw").text)
    assert site.changes()[0].state == "withdrawn"


def test_an_approval_that_is_not_used_is_taken_back_with_a_note(site: Live) -> None:
    change = site.ask()
    review(site, "lindqvist", change, "approve")
    assert site.send("ferreira", change, f"{change}/revoke", note=" ").status_code == 422
    assert "The approval is taken back." in words(
        site.send("ferreira", change, f"{change}/revoke", note="The pool is full.").text
    )
    assert [one.state for one in grants(site)] == ["revoked"]


def test_a_form_without_its_token_is_refused(site: Live) -> None:
    change = site.ask()
    answer = site.as_person("lindqvist").post(f"{change}/review", data={"verdict": "approve", "version": "1"})
    assert answer.status_code == 403
    assert site.changes()[0].state == "pending"


@pytest.mark.parametrize("version", ["", "x", "-1", "99999999999999999999"])
def test_a_form_with_a_strange_version_is_refused_and_nothing_is_decided(site: Live, version: str) -> None:
    change = site.ask()
    answer = site.send("lindqvist", change, f"{change}/review", verdict="approve", note="", version=version)
    assert answer.status_code in {409, 422}
    assert site.changes()[0].state == "pending"


def test_others_departments_are_not_shown(site: Live) -> None:
    change = site.ask()
    for path in (change, f"/decisions/{site.denied.id}", "/quotas/department/radiology", site.ask_path):
        assert site.as_person("moreau").get(path).status_code == 403
    for path in ("/changes", "/decisions", "/quotas", "/search?q=ct-train"):
        page = words(site.as_person("moreau").get(path).text)
        assert "ct-train" not in page.replace("Nothing was found for “ct-train”", "")


def test_lists_filter_by_what_stands_in_the_address(site: Live) -> None:
    site.ask()
    client = site.as_person("lindqvist")
    for query, shown in (
        ("", True),
        ("?show=waiting", True),
        ("?show=mine", False),
        ("?state=pending", True),
        ("?state=approved", False),
        ("?text=INC-22719", True),
        ("?text=ch-1", True),
        ("?text=nothing", False),
        ("?before=CH-1", False),
    ):
        assert ("/changes/CH-1" in client.get(f"/changes{query}").text) is shown, query
    for query, denials in (("?outcome=deny", 1), ("?outcome=allow", 0), ("?text=ct-train", 1), ("?days=ever", 1)):
        assert client.get(f"/decisions{query}").text.count("<span>Denied</span>") == denials, query
    assert client.get("/decisions?before=nonsense").status_code == 422


def test_a_decision_explains_itself(site: Live) -> None:
    page = words(site.as_person("okafor").get(f"/decisions/{site.denied.id}").text)
    assert "okafor asked to scale Deployment ct-train to 18 replicas, and it was denied." in page
    assert "Radiology may take 17 GPUs and has 10; 8 more were requested." in page
    assert "revision 1" in page
    assert "106 %" in page
    assert '"version": 1' in page
    assert "Dr. A. Okafor was denied." in page


def test_the_tree_and_its_nodes_show_what_is_taken(site: Live) -> None:
    tree = words(site.as_person("okafor").get("/quotas").text)
    assert "Radiology comes nearest to a limit: 59 % of its GPUs are taken." in tree
    page = site.as_person("okafor").get("/quotas/department/radiology").text
    assert 'aria-label="GPUs: 0 used, 10 reserved, limit 12, 5 may be borrowed."' in page.replace("\u00a0", " ")
    node = words(page)
    assert "Radiology takes 10 of the 17 GPUs that it may." in node
    assert "ct-training/ct-train" in node


def test_a_node_says_who_owns_it_and_from_where(site: Live) -> None:
    pages = {
        "project/ct-training": "Owner Dr. A. Okafor Name",
        "project/pacs": "Owner M. Lindqvist who owns Radiology",
        "department/radiology": "Owner M. Lindqvist Name",
        "department/imaging": "Owner nobody so only whoever asked is told",
    }
    for path, said in pages.items():
        assert said in words(site.as_person("sato").get(f"/quotas/{path}").text), path


def test_search_finds_each_kind(site: Live) -> None:
    site.ask()
    for text, found in (("CH-1", "/changes/CH-1"), ("ct-train", "/decisions/"), ("radiology", "/quotas/department/")):
        assert found in site.as_person("lindqvist").get("/search", params={"q": text}).text
    assert "M. Lindqvist" in words(site.as_person("okafor").get("/search", params={"q": "lindqvist"}).text)
    assert "Nothing was found" in words(site.as_person("okafor").get("/search", params={"q": "<b>"}).text)


def test_the_demo_keeps_its_mails(site: Live) -> None:
    change = site.ask()
    page = site.as_person("lindqvist").get("/demo/mails").text
    (first, *_) = re.findall(r'href="(/demo/mails/[^"]+)"', page)
    assert f"{site.url}{change}" in site.as_person("lindqvist").get(first).text
    assert site.as_person("lindqvist").get("/demo/mails/nonsense").status_code == 404


@pytest.mark.parametrize("path", ["changes/CH-99", "changes/x", "decisions/x", "ask/x", "quotas/department/x", "x"])
def test_what_is_not_there_says_so_with_a_number(site: Live, path: str) -> None:
    answer = site.as_person("lindqvist").get(f"/{path}")
    assert answer.status_code == 404
    assert "There is nothing here." in words(answer.text)
    assert answer.headers["x-request-id"] in answer.text


def test_an_allowed_request_cannot_be_asked_for(site: Live) -> None:
    page = site.as_person("okafor").get("/decisions?outcome=allow").text
    (allowed, *_) = re.findall(r"/decisions/([0-9a-f-]{36})", page)
    assert site.as_person("okafor").get(f"/ask/{allowed}").status_code == 422


def test_every_human_act_stands_in_the_audit_log(site: Live) -> None:
    change = site.ask()
    review(site, "lindqvist", change, "question", note="Why?")
    review(site, "lindqvist", change, "approve")
    with reading(site.engine) as session:
        acts = session.scalars(
            select(col(AuditEvent.action)).where(col(AuditEvent.subject_id) == "CH-1").order_by(col(AuditEvent.id))
        ).all()
    assert acts == ["change.submit", "change.question", "change.approve"]


def test_every_route_declares_who_may_call_it(site: Live) -> None:
    assert undeclared_routes(site.app) == []


def test_assets_are_kept_for_ever_and_nothing_else_is_served(site: Live) -> None:
    client = site.as_person("okafor")
    (style,) = set(re.findall(r'href="(/static/app-[^"]+\.css)"', client.get("/").text))
    answer = client.get(style)
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.headers["content-type"].startswith("text/css")
    for path in ("/static/manifest.json", "/static/../assets.py", "/static/%2e%2e%2fassets.py", "/static/x"):
        assert client.get(path).status_code == 404


def test_the_demos_pages_are_not_there_in_production() -> None:
    app = FastAPI()
    mount_pages(app, Settings(), dict)
    paths = [context.path or "" for context in iter_route_contexts(app.routes)]
    assert "/changes" in paths
    assert not [path for path in paths if "demo" in path]


def test_home_says_which_cluster_only_observes(site: Live) -> None:
    with transaction(site.engine) as session:
        session.get_one(Scope, "burst-cloud-1").mode = "observe"
    assert "burst-cloud-1 only observes as yet." in words(site.as_person("okafor").get("/").text)
    assert "only observes" not in words(site.as_person("adeyemi").get("/").text), "nothing of hers runs there"


@pytest.mark.parametrize(
    ("referer", "leads"),
    [("/changes?show=mine", 'href="/changes?show=mine"'), ("//evil.example/", 'href="/evil.example/"')],
)
def test_a_form_that_could_not_be_taken_leads_back_to_itself(site: Live, referer: str, leads: str) -> None:
    client = site.as_person("okafor")
    answer = client.post("/changes/CH-99/withdraw", data={}, headers={"Referer": f"{site.url}{referer}"})
    assert answer.is_error
    assert leads in answer.text


def test_the_error_page_leads_to_no_other_site(site: Live) -> None:
    client = site.as_person("okafor")
    answer = client.post("/changes/CH-99/withdraw", data={}, headers={"Referer": "https://evil.example/changes"})
    assert answer.is_error
    assert "evil.example" not in answer.text
    assert "Back to the form" not in answer.text


def test_the_error_page_shows_when_the_database_does_not_answer(site: Live) -> None:
    client = site.as_person("okafor")
    site.app.state.engine = make_engine(Database(url="sqlite:////nowhere/at/all.db"))
    answer = client.get("/")
    site.app.state.engine = site.engine
    assert answer.status_code == 503
    assert "A part of this service does not answer." in words(answer.text)
