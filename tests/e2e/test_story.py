"""The story, in order, on the real control plane: each test goes on where the one before it ended."""

from __future__ import annotations

import json
import re
import shutil
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect
from sqlalchemy import select
from sqlmodel import col

from governance.admission.tables import DecisionRow
from governance.audit.keys import load_key, public_pem
from governance.audit.tables import AuditEvent
from governance.change.tables import ChangeRequest
from governance.clock import now
from governance.configuration.tables import ConfigRevision
from governance.db.session import reading
from governance.notify.webhook import key_of, verify
from tests.e2e import objects
from tests.e2e.people import at_the_browser, open_link, sign_in_at_the_shell
from tests.e2e.world import CLUSTER, OUTBOUND_SECRET, CommandError, World, eventually
from tests.parts.cluster import KubectlError
from tests.parts.line import Line

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]

GPU = "requests.nvidia.com/gpu"
NONSENSE = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 17\r\n\r\n{"result": "yes"}'
GPU_SLOTS = {"nvidia.com/gpu": "16"}


def refusal(
    world: World, *words: str, user: str = "okafor", namespace: str = "ct-training", stdin: str | None = None
) -> str:
    """What kubectl says when it is refused."""
    with pytest.raises(KubectlError) as caught:
        world.kubectl(*words, user=user, namespace=namespace, stdin=stdin)
    return str(caught.value)


def admits(world: World) -> bool:
    """Whether something small would be admitted."""
    try:
        small = json.dumps(objects.deployment("small", 1))
        world.kubectl("create", "--dry-run=server", "-f", "-", stdin=small)
    except KubectlError as error:
        if "repeat the request in a minute" not in str(error):
            raise
        return False
    return True


def install(world: World, *options: str) -> None:
    """Register the webhook as its own command says it."""
    printed = world.cli(
        "install", "kubernetes", "--cluster", CLUSTER, "--url", world.door.url,
        "--ca", str(world.service.certificates.authority), *options,
    )  # fmt: skip
    world.kubernetes.kubectl("apply", "-f", "-", stdin=printed)


def test_1_a_hospital_is_described_planned_and_applied(world: World, manifests: Path) -> None:
    world.cli("migrate")
    world.tokens["sato"] = world.cli("token", "bootstrap", "--person", "sato").strip()
    world.service.run("serve")

    planned = world.cli("plan", "-f", str(manifests))
    assert "Department" in planned
    assert "radiology" in planned
    assert world.count(ConfigRevision) == 0
    assert "Revision 1" in world.cli("apply", "-f", str(manifests))
    again = world.cli("apply", "-f", str(manifests))
    assert "Nothing changes" in again, again
    assert world.count(ConfigRevision) == 1


def test_1_a_bad_file_is_refused_whole_naming_file_line_and_field(world: World, manifests: Path) -> None:
    bad = manifests / "bad.yaml"
    bad.write_text(
        "apiVersion: governance.io/v1\nkind: Department\nmetadata: {name: oncology}\n"
        "spec: {title: Oncology, parent: st-elisabeth}\n---\n"
        "apiVersion: governance.io/v1\nkind: Quota\nmetadata: {name: oncology}\n"
        "spec:\n  for: {department: oncology}\n  hard:\n    cpu: many\n"
    )
    with pytest.raises(CommandError) as caught:
        world.cli("apply", "-f", str(manifests))
    bad.unlink()
    assert caught.value.code == 3
    assert re.search(r"bad\.yaml:12.*spec\.hard\.cpu", caught.value.error + caught.value.output), caught.value
    assert "Nothing changes" in world.cli("plan", "-f", str(manifests))


def test_2_the_cluster_observes_what_runs_then_enforces(world: World) -> None:
    world.kubernetes.kubectl("create", "namespace", "ct-training")
    for user in ("okafor", "lindqvist", "deployer"):
        world.kubernetes.may(user, "edit", "ct-training")
    world.create(objects.deployment("viewer", 2))  # there before this service is
    for name in ("node-1", "node-2"):
        world.kubernetes.kubectl(
            "patch", "node", name, "--subresource=status", "--type=merge",
            "-p", json.dumps({"status": {"capacity": GPU_SLOTS, "allocatable": GPU_SLOTS}}),
        )  # fmt: skip
    install(world)
    world.kubernetes.kubectl("create", "clusterrolebinding", "watch", "--clusterrole=governance", "--user=governance")
    world.service.run("worker")
    eventually(lambda: world.mode() == "enforce", "the cluster enforces")
    eventually(lambda: world.used("ct-training").get("requests.cpu") == 2000, "what ran before is charged")
    eventually(lambda: admits(world), "the doors have read what surrounds workloads")


def test_2_a_deployment_within_quota_is_charged_on_every_level_and_its_pods_draw_on_it(world: World) -> None:
    before = {node: world.used(node).get("requests.cpu", 0) for node in ("radiology", "imaging", "st-elisabeth")}
    world.create(objects.deployment("ct-train", 2, gpus=1))
    eventually(lambda: len(world.kubernetes.running_pods("ct-training", "app=ct-train")) == 2, "two pods run")
    eventually(lambda: "apps/deployments/ct-training/ct-train" in world.charges("confirmed"), "the charge is confirmed")
    assert world.used("ct-training")[GPU] == 2, "nothing is charged twice once the pods run"
    assert world.used("radiology")[GPU] == 2
    assert {node: world.used(node)["requests.cpu"] for node in before} == {
        node: used + 2000 for node, used in before.items()
    }


def test_2_quota_show_prints_hard_held_used_available(world: World) -> None:
    table = world.cli("quota", "show", "radiology")
    assert all(word in table.lower() for word in ("hard", "held", "used", "available"))
    shown = json.loads(world.cli("quota", "show", "radiology", "--output", "json"))
    assert GPU in json.dumps(shown)


def test_3_a_scale_beyond_the_quota_is_denied_at_the_scale_call(world: World) -> None:
    said = refusal(world, "scale", "deployment/ct-train", "--replicas=20")
    assert re.search(rf"{GPU}: requested 18, used 2, limit 17 of radiology \(rule radiology\)", said), said
    assert f"{world.service.web_url}/ask/" in said


@pytest.mark.parametrize(
    ("made", "resource"),
    [
        pytest.param(objects.deployment("too-many", 40), "requests.cpu", id="apply"),
        pytest.param(objects.pod("too-large", cpu="100"), "requests.cpu", id="bare pod"),
        pytest.param(objects.job("too-wide", 40), "requests.cpu", id="job"),
        pytest.param(objects.stateful_set("too-deep", 3, "40Ti"), "requests.storage", id="stateful set with claims"),
        pytest.param(objects.daemon_set("everywhere", cpu="16"), "requests.cpu", id="daemon set"),
        pytest.param(objects.claim("too-big", "120Ti"), "requests.storage", id="claim"),
    ],
)
def test_3_the_same_for_every_kind_of_request(world: World, made: objects.Object, resource: str) -> None:
    said = refusal(world, "apply", "-f", "-", stdin=json.dumps(made))
    assert re.search(rf"{re.escape(resource)}: requested \S+, used \S+, limit \S+ of ", said), said
    assert "/ask/" in said


def test_3_the_same_for_load_balancers(world: World) -> None:
    world.create(objects.load_balancer("one"), objects.load_balancer("two"))
    said = refusal(world, "apply", "-f", "-", stdin=json.dumps(objects.load_balancer("three")))
    assert "services.loadbalancers: requested 1, used 2, limit 2 of radiology" in said
    world.kubectl("delete", "service", "one", "two")
    eventually(lambda: "services" not in world.used("radiology"), "what was deleted is credited")


def test_3_a_stateful_sets_claims_are_charged_with_it_and_outlive_it(world: World) -> None:
    def storage() -> int:
        return world.used("ct-training").get("requests.storage", 0) // 2**30

    def claims() -> set[str]:
        charged = (one.rpartition("/") for one in world.charges("confirmed"))
        return {name for kind, _, name in charged if kind == "core/persistentvolumeclaims/ct-training"}

    archive = objects.stateful_set("archive", 2, "1Gi")
    world.create(archive)
    assert storage() == 2
    eventually(lambda: world.used("ct-training").get("count/persistentvolumeclaims") == 2, "its claims are seen")
    assert (storage(), claims()) == (2, set()), "they are charged with it"
    world.kubectl("delete", "statefulset", "archive")
    eventually(lambda: claims() == {"data-archive-0", "data-archive-1"}, "its claims outlive it")
    assert storage() == 2
    world.create(archive)
    assert storage() == 2, "what is there already is not charged again"
    world.kubectl("delete", "statefulset", "archive")
    world.kubectl("delete", "pvc", "data-archive-0", "data-archive-1")
    eventually(lambda: not storage(), "what was deleted is credited")


def test_3_an_autoscalers_scale_is_denied_in_the_same_words(world: World) -> None:
    world.create(objects.autoscaler("ct-train", "ct-train", 20, 30))

    def told() -> bool:
        conditions = world.kubernetes.get("hpa", "ct-train", "ct-training").get("status", {}).get("conditions", [])
        return any(f"{GPU}: requested 18, used 2, limit 17" in one.get("message", "") for one in conditions)

    eventually(told, "the autoscaler tells why it cannot scale", 60)
    assert world.used("radiology")[GPU] == 2
    world.kubectl("delete", "hpa", "ct-train")


def test_3_where_the_maximum_is_charged_an_autoscaler_is_asked_about_and_no_scale_up_to_it(
    world: World, manifests: Path
) -> None:
    projects = manifests / "projects.yaml"
    owned = "  environment: research\n  owner: okafor\n"
    projects.write_text(projects.read_text().replace(owned, f"{owned}  autoscaling:\n    charge: maximum\n", 1))
    assert "Revision 2" in world.cli("apply", "-f", str(manifests))
    before = world.used("radiology")["requests.cpu"]
    said = refusal(world, "create", "-f", "-", stdin=json.dumps(objects.autoscaler("viewer", "viewer", 2, 60)))
    assert "requests.cpu: requested 58, used 4, limit" in said, said
    world.create(objects.autoscaler("viewer", "viewer", 2, 6))
    assert world.used("radiology")["requests.cpu"] == before + 4000
    for replicas in (5, 2):
        world.kubectl("scale", "deployment/viewer", f"--replicas={replicas}")
        assert world.used("radiology")["requests.cpu"] == before + 4000
    world.kubectl("delete", "hpa", "viewer")
    eventually(lambda: world.used("radiology")["requests.cpu"] == before, "what it might have set is credited")


def test_3_the_same_denial_again_is_one_row_with_a_count(world: World) -> None:
    def told() -> list[tuple[str, int]]:
        listed = json.loads(world.cli("decisions", "list", "--outcome", "deny", "--output", "json"))
        return [(one["id"], one["count"]) for one in listed]

    links = {link_in(refusal(world, "scale", "deployment/ct-train", "--replicas=25")) for _ in range(3)}
    assert len(links) == 1
    assert [(one, 3) for one in map(decision_in, links)] == [one for one in told() if one[1] > 1]


def test_3_a_dry_run_says_the_same_and_writes_nothing(world: World) -> None:
    def rows() -> tuple[int, ...]:
        return tuple(world.count(table) for table in (DecisionRow, AuditEvent, ChangeRequest))

    before, used = rows(), world.used("radiology")
    said = refusal(world, "scale", "deployment/ct-train", "--replicas=20", "--dry-run=server")
    assert f"{GPU}: requested 18, used 2, limit 17 of radiology" in said
    world.kubectl("scale", "deployment/ct-train", "--replicas=3", "--dry-run=server")
    assert (rows(), world.used("radiology")) == (before, used)


def link_in(text: str) -> str:
    """The link of a denial, or of a mail."""
    found = re.search(r"https://\S+", text)
    assert found is not None, text
    return found[0].rstrip(".")


def decision_in(link: str) -> str:
    """The decision that a denial's link leads to."""
    return link.rsplit("/", 1)[1]


@pytest.fixture(scope="module")
def asked(world: World) -> str:
    """The link of the denial that the story goes on with: more GPUs than radiology has."""
    return link_in(refusal(world, "scale", "deployment/ct-train", "--replicas=20"))


def test_4_opening_the_link_changes_nothing_and_sending_it_makes_one_change_request(
    world: World, chromium: Browser, asked: str
) -> None:
    with at_the_browser(world, chromium, "okafor") as page:
        open_link(page, asked, "okafor")
        expect(page.get_by_text("ct-train").first).to_be_visible()
        assert world.count(ChangeRequest) == 0
        page.get_by_label("Why do you need it?").fill("Backlog of 1,900 CT studies after the scanner outage.")
        page.get_by_label("Incident or ticket").fill("INC-22719")
        page.get_by_role("button", name="Send the request").click()
        expect(page.get_by_text("CH-").first).to_be_visible()
        assert world.count(ChangeRequest) == 1
        expect(page.get_by_text("You asked for this change, so someone else must")).to_be_visible()
        assert page.get_by_role("button", name="Approve", exact=True).count() == 0
        open_link(page, asked, "okafor")
        expect(page.get_by_text("asked for already")).to_be_visible()


def test_4_the_requester_cannot_approve_by_command_line_either(world: World, chromium: Browser) -> None:
    sign_in_at_the_shell(world, chromium, "okafor")
    assert "Okafor" in world.cli("whoami", person="okafor")
    (change,) = json.loads(world.cli("change", "list", "--output", "json", person="okafor"))
    with pytest.raises(CommandError) as caught:
        world.cli("change", "approve", change["number"], person="okafor")
    assert caught.value.code == 4
    assert world.charges("confirmed")["apps/deployments/ct-training/ct-train"][GPU] == 2


def test_4_approvers_are_told_by_mail_and_programs_by_signed_webhook(world: World) -> None:
    eventually(lambda: world.mail.messages, "a mail")
    eventually(lambda: world.receiver.received, "a webhook")
    receivers = {message["To"] for message in world.mail.messages}
    assert any("lindqvist@st-elisabeth.example" in one for one in receivers)
    assert not any("okafor@" in one for one in receivers)
    headers, body = world.receiver.received[0]
    told = verify(key_of(OUTBOUND_SECRET), {name.lower(): value for name, value in headers.items()}, body, now())
    assert "CH-" in json.dumps(told)


def test_4_the_link_in_the_mail_leads_to_the_change_and_one_click_approves_it(world: World, chromium: Browser) -> None:
    message = next(one for one in world.mail.messages if "lindqvist@" in one["To"])
    body = message.get_body(("plain",))
    assert body is not None
    with at_the_browser(world, chromium, "lindqvist") as page:
        open_link(page, link_in(body.get_content()), "lindqvist")
        expect(page.get_by_text("Backlog of 1,900 CT studies").first).to_be_visible()
        expect(page.get_by_text(re.compile("replicas", re.IGNORECASE)).first).to_be_visible()
        page.get_by_role("button", name="Approve", exact=True).click()
        expect(page.get_by_text(re.compile("approved", re.IGNORECASE)).first).to_be_visible()


def test_4_the_same_scale_now_passes_once_and_another_one_does_not(world: World) -> None:
    assert "/ask/" in refusal(world, "scale", "deployment/ct-train", "--replicas=21")
    world.kubectl("scale", "deployment/ct-train", "--replicas=20")
    eventually(
        lambda: world.charges("confirmed").get("apps/deployments/ct-training/ct-train", {}).get(GPU) == 20,
        "the larger charge is confirmed",
    )
    world.kubectl("scale", "deployment/ct-train", "--replicas=2")
    eventually(lambda: world.used("radiology").get(GPU) == 2, "what was given back is credited")
    assert "/ask/" in refusal(world, "scale", "deployment/ct-train", "--replicas=20"), "a grant is used once"


def test_4_for_less_and_until_an_earlier_date_and_used_once_though_the_api_server_asks_again(
    world: World, chromium: Browser
) -> None:
    denied = decision_in(link_in(refusal(world, "scale", "deployment/ct-train", "--replicas=22")))
    until = (now() + timedelta(days=30)).replace(microsecond=0)
    sooner = until - timedelta(days=29)
    wish = ("--reason", "A second backlog.", "--until", until.isoformat(), "--output", "json")
    number = json.loads(world.cli("change", "ask", denied, *wish, person="okafor"))["number"]
    sign_in_at_the_shell(world, chromium, "lindqvist")
    terms = ("--at-most", f"{GPU}=19", "--until", sooner.isoformat())
    world.cli("change", "approve", number, *terms, person="lindqvist")
    assert "/ask/" in refusal(world, "scale", "deployment/ct-train", "--replicas=22")

    def touch() -> int:
        world.kubectl("annotate", "deployment", "ct-train", "example.org/touched=yes")
        return 200

    world.door.seen.clear()
    world.door.after_answer.append(touch)  # the API server finds another version than it asked about
    world.kubectl("scale", "deployment/ct-train", "--replicas=19")
    asked_of_us = [body for body in world.door.seen if b'"subResource":"scale"' in body]
    assert len(asked_of_us) > 1
    shown = json.loads(world.cli("change", "show", number, "--output", "json"))
    assert datetime.fromisoformat(shown["grant"]["valid_until"]) == sooner
    eventually(
        lambda: world.charges("confirmed").get("apps/deployments/ct-training/ct-train", {}).get(GPU) == 19,
        "the larger charge is confirmed",
    )
    world.kubectl("scale", "deployment/ct-train", "--replicas=2")
    eventually(lambda: world.used("radiology").get(GPU) == 2, "what was given back is credited")
    assert "/ask/" in refusal(world, "scale", "deployment/ct-train", "--replicas=19"), "a grant is used once"


def test_7_a_decision_can_be_explained_by_command_line_and_page(world: World, chromium: Browser) -> None:
    listed = json.loads(world.cli("decisions", "list", "--outcome", "allow", "--output", "json"))
    shown = [json.loads(world.cli("decisions", "show", one["id"], "--output", "json")) for one in listed]
    granted = next(one for one in shown if one["grant_id"])
    assert granted["policy_digest"]
    assert granted["config_revision"] >= 1
    assert "Lindqvist" in json.dumps(granted)
    with at_the_browser(world, chromium, "brandt") as page:
        page.goto(f"{world.service.web_url}/decisions/{granted['id']}")
        for what in ("CH-", "Lindqvist", granted["policy_digest"][:8]):
            expect(page.get_by_text(what).first).to_be_visible()


def freeze(manifests: Path, ends: datetime) -> str:
    """A freeze calendar that holds now, in research as well."""
    starts = now() - timedelta(hours=1)
    lines = [
        "BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//st-elisabeth//changes//EN", "BEGIN:VEVENT", "UID:go-live",
        f"DTSTAMP:{starts:%Y%m%dT%H%M%SZ}", f"DTSTART:{starts:%Y%m%dT%H%M%SZ}", f"DTEND:{ends:%Y%m%dT%H%M%SZ}",
        "SUMMARY:Go-live of the new archive", "END:VEVENT", "END:VCALENDAR", "",
    ]  # fmt: skip
    (manifests / "go-live.ics").write_bytes("\r\n".join(lines).encode())
    return (
        "apiVersion: governance.io/v1\nkind: FreezeCalendar\nmetadata: {name: go-live}\n"
        "spec: {at: st-elisabeth, environments: [research], file: go-live.ics}\n"
    )


def pods_on(world: World, node: str, app: str = "ct-train") -> int:
    """How many pods of an app run on a node."""
    pods = world.kubernetes.running_pods("ct-training", f"app={app}")
    return sum(1 for pod in pods if pod["spec"]["nodeName"] == node)


def lose_a_node_and_see_its_pods_come_back(world: World) -> None:
    """Every machine but one loses power; the pods come back on the other."""
    lost, kept = "node-1", "node-2"
    world.kubernetes.lose_node(lost)
    eventually(lambda: pods_on(world, kept) == 2 and pods_on(world, kept, "viewer") == 2, "the pods are back", 90)
    world.kubernetes.restore_node(lost)


def test_5_in_a_freeze_a_change_is_denied_with_the_time_at_which_it_ends(world: World, manifests: Path) -> None:
    world.create(objects.autoscaler("viewer", "viewer", 2, 6))
    ends = (now() + timedelta(hours=6)).replace(microsecond=0)
    (manifests / "go-live.yaml").write_text(freeze(manifests, ends))
    assert "Revision 3" in world.cli("apply", "-f", str(manifests))
    said = refusal(world, "scale", "deployment/ct-train", "--replicas=3")
    assert f"changes are frozen until {ends:%Y-%m-%d %H:%M} UTC: Go-live of the new archive" in said


def test_5_in_the_same_freeze_a_lost_nodes_pods_come_back(world: World) -> None:
    lose_a_node_and_see_its_pods_come_back(world)


def test_5_in_the_same_freeze_controllers_pods_pass_where_they_are_asked_about_too(world: World) -> None:
    install(world, "--pods", "strict")

    def asked_about() -> bool:
        world.door.seen.clear()
        world.kubectl("delete", "pod", "-l", "app=ct-train")
        eventually(lambda: len(world.kubernetes.running_pods("ct-training", "app=ct-train")) == 2, "two pods run")
        return any(b"replicaset-controller" in body for body in world.door.seen)

    eventually(asked_about, "the API server goes by the new registration", 60)
    eventually(lambda: world.used("radiology").get(GPU) == 2, "nothing is charged twice")
    install(world)


def test_5_in_the_same_freeze_what_an_autoscaler_may_set_passes(world: World) -> None:
    world.kubectl("scale", "deployment/viewer", "--replicas=6")
    world.kubectl("scale", "deployment/viewer", "--replicas=2")
    assert "changes are frozen until" in refusal(world, "scale", "deployment/viewer", "--replicas=7")
    world.kubectl("delete", "hpa", "viewer")
    eventually(lambda: world.used("radiology")["requests.cpu"] == 4000, "what it might have set is credited")
    assert "changes are frozen until" in refusal(world, "scale", "deployment/viewer", "--replicas=3")


def test_5_the_freeze_is_lifted(world: World, manifests: Path) -> None:
    (manifests / "go-live.yaml").unlink()
    (manifests / "go-live.ics").unlink()
    assert "Revision 4" in world.cli("apply", "-f", str(manifests), "--delete")
    world.kubectl("scale", "deployment/ct-train", "--replicas=3")
    world.kubectl("scale", "deployment/ct-train", "--replicas=2")


def test_5_with_the_service_killed_pods_come_back_and_nothing_new_gets_in(world: World) -> None:
    world.service.kill("serve", "worker")
    lose_a_node_and_see_its_pods_come_back(world)
    said = refusal(world, "create", "deployment", "meanwhile", "--image=example.org/x:1")
    assert "failed calling webhook" in said
    world.kubectl("scale", "deployment/viewer", "--replicas=1")  # a decrease passes
    world.kubectl("delete", "deployment", "viewer")


def test_6_what_was_deleted_meanwhile_is_credited_within_60_s(world: World) -> None:
    assert world.used("ct-training")["count/deployments.apps"] == 2
    world.service.run("serve", "worker")
    eventually(lambda: world.used("ct-training").get("count/deployments.apps") == 1, "the ledger follows", 60)
    eventually(lambda: world.used("radiology")["requests.cpu"] == 2000, "the lost pods have ended", 60)


def test_6_a_kill_after_the_commit_and_before_the_answer_charges_the_repetition_once(world: World) -> None:
    def kill() -> None:
        world.service.kill("serve")

    world.door.after_answer.append(kill)
    used = world.used("radiology").get("requests.cpu", 0)
    made = objects.deployment("again", 3)
    assert "failed calling webhook" in refusal(world, "create", "-f", "-", stdin=json.dumps(made))
    assert world.used("radiology")["requests.cpu"] == used + 3000, "it was committed"
    world.service.run("serve")
    world.create(made)
    assert world.used("radiology")["requests.cpu"] == used + 3000, "the repetition is charged once"
    eventually(lambda: "apps/deployments/ct-training/again" in world.charges("confirmed"), "it is confirmed")
    assert world.used("radiology")["requests.cpu"] == used + 3000


def test_6_a_503_with_retry_after_is_repeated_with_the_same_uid_and_charged_once(world: World) -> None:
    world.door.seen.clear()
    world.door.after_answer.append(lambda: 503)
    used = world.used("radiology")["requests.cpu"]
    world.kubectl("scale", "deployment/again", "--replicas=4")
    uids = [json.loads(body)["request"]["uid"] for body in world.door.seen if b'"subResource":"scale"' in body]
    assert len(uids) == 2
    assert len(set(uids)) == 1
    assert world.used("radiology")["requests.cpu"] == used + 1000


@pytest.mark.parametrize(
    ("part", "fault", "reason"),
    [
        ("to_policy", "cut", "the policy engine gave no answer"),
        ("to_policy", "stall", "the policy engine gave no answer"),
        ("to_policy", "nonsense", "the policy engine gave no answer"),
        ("to_database", "cut", "the ledger gave no answer"),
        ("to_database", "stall", "the ledger gave no answer"),
    ],
)
def test_6_while_a_part_is_gone_new_capacity_is_denied_with_the_reason_and_decreases_pass(
    world: World, part: str, fault: str, reason: str
) -> None:
    line: Line = getattr(world, part)
    line.answer(NONSENSE) if fault == "nonsense" else getattr(line, fault)()
    try:
        said = refusal(world, "scale", "deployment/again", "--replicas=5")
        assert reason in said, said
        world.kubectl("scale", "deployment/again", "--replicas=3")
    finally:
        line.mend()
    eventually(world.service.is_ready, "the service is ready again")
    world.kubectl("scale", "deployment/again", "--replicas=4")


SLIDES = "slides"
SCANNED, UNSCANNED = "sha256:" + "5a" * 32, "sha256:" + "7c" * 32


def slides(name: str, image: str) -> objects.Object:
    """A Deployment of the department that requires a vuln-scan."""
    return objects.deployment(name, 1, image=image)


def scan(world: World, manifests: Path, digest: str, result: str) -> str:
    """What the pipeline does once it has scanned an image."""
    report = world.folder / f"{result}.sarif"
    report.write_text(json.dumps({"runs": [], "for": digest}))
    return world.cli(
        "checkpoint", "record", "--type", "vuln-scan", "--digest", digest, "--result", result,
        "--key", str(manifests.parent / "attestor.pem"), "--attestor", "image-scanner", "--evidence", str(report),
        person="deployer",
    )  # fmt: skip


def names(world: World) -> set[str]:
    """The pods of the slide viewer that run."""
    return {one["metadata"]["name"] for one in world.kubernetes.running_pods(SLIDES, "app=viewer")}


def test_9_an_image_without_a_scan_of_its_digest_is_denied(world: World) -> None:
    world.kubernetes.kubectl("create", "namespace", SLIDES)
    world.kubernetes.kubectl("label", "namespace", SLIDES, "hospital.example/project=slide-scanning")
    world.kubernetes.may("okafor", "edit", SLIDES)

    def said() -> str:
        made = json.dumps(slides("viewer", f"registry.st-elisabeth.example/slides@{SCANNED}"))
        return refusal(world, "create", "-f", "-", namespace=SLIDES, stdin=made)

    eventually(lambda: "is bound to no project" not in said(), "the namespace is bound")
    denied = said()
    assert f"slides@{SCANNED} has no vuln-scan for its digest, which pathology requires" in denied
    assert f"governance checkpoint record --type vuln-scan --digest {SCANNED}" in denied
    assert "/ask/" in denied


def test_9_an_image_named_by_tag_alone_is_refused(world: World) -> None:
    made = json.dumps(slides("viewer", "registry.st-elisabeth.example/slides:7"))
    denied = refusal(world, "create", "-f", "-", namespace=SLIDES, stdin=made)
    assert "slides:7 is named by a tag alone" in denied
    assert "/ask/" not in denied


def test_9_a_recorded_scan_lets_it_pass(world: World, manifests: Path) -> None:
    made = world.cli("token", "create", "pipeline", "--person", "deployer", "--scope", "checkpoint:record")
    world.tokens["deployer"] = made.split()[0]
    assert f"vuln-scan pass of {SCANNED}, attested by image-scanner" in scan(world, manifests, SCANNED, "pass")
    world.create(slides("viewer", f"registry.st-elisabeth.example/slides@{SCANNED}"), namespace=SLIDES)
    eventually(lambda: len(world.kubernetes.running_pods(SLIDES, "app=viewer")) == 1, "a pod runs")
    eventually(lambda: f"apps/deployments/{SLIDES}/viewer" in world.charges("confirmed"), "the charge is confirmed")
    listed = json.loads(world.cli("checkpoint", "list", "--digest", SCANNED, "--output", "json"))
    assert [(one["result"], one["evidence"][0]["name"]) for one in listed] == [("pass", "pass.sarif")]


def test_9_a_later_failed_scan_denies_what_is_new_and_stops_nothing_that_runs(world: World, manifests: Path) -> None:
    scan(world, manifests, SCANNED, "fail")
    image = f"registry.st-elisabeth.example/slides@{SCANNED}"
    denied = refusal(world, "create", "-f", "-", namespace=SLIDES, stdin=json.dumps(slides("second", image)))
    assert f"the newest vuln-scan of image {image} failed" in denied
    before = names(world)
    world.kubectl("delete", "pod", "-l", "app=viewer", namespace=SLIDES)
    eventually(lambda: names(world) and not names(world) & before, "another pod takes its place")
    world.kubectl("scale", "deployment/viewer", "--replicas=2", namespace=SLIDES)
    other = image.replace(SCANNED, UNSCANNED)
    changed = refusal(world, "set", "image", "deployment/viewer", f"main={other}", namespace=SLIDES)
    assert f"{other} has no vuln-scan for its digest" in changed


def test_9_a_debug_container_counts_as_well(world: World) -> None:
    tool = {"name": "look", "image": f"registry.st-elisabeth.example/tools@{UNSCANNED}"}
    patch = json.dumps({"spec": {"ephemeralContainers": [tool]}})
    with pytest.raises(KubectlError) as caught:
        world.kubernetes.kubectl(
            "patch", "pod", min(names(world)), "-n", SLIDES, "--subresource=ephemeralcontainers", "-p", patch
        )
    denied = str(caught.value)
    assert f"tools@{UNSCANNED} has no vuln-scan for its digest" in denied


def test_7_the_audit_log_holds_every_decision_and_act_and_can_be_verified_offline(
    world: World, chromium: Browser
) -> None:
    sign_in_at_the_shell(world, chromium, "brandt")
    with reading(world.engine) as session:
        actions = set(session.scalars(select(col(AuditEvent.action))))
    assert {"admission.allow", "admission.deny", "configuration.apply", "change.submit", "change.approve"} <= actions
    assert "checkpoint.record" in actions
    key = world.folder / "audit.pub"
    key.write_text(public_pem(load_key(world.folder / "audit.pem")))
    export, kept = world.folder / "audit.jsonl", world.folder / "kept"
    shutil.copytree(world.folder / "heads", kept)  # as somebody else keeps them, who was told until now
    world.cli("audit", "export", str(export), person="brandt")
    check = ("audit", "verify", str(export), "--key", str(key), "--heads", str(kept))
    assert "events in" in world.cli(*check)
    export.write_text(export.read_text().replace('"admission.deny"', '"admission.allow"', 1))
    with pytest.raises(CommandError):
        world.cli(*check)
