"""The story goes on: clouds tell what they launched, and the bill settles it. It begins where `test_story` ended."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest
from playwright.sync_api import Browser, expect
from sqlmodel import col, select

from governance.clock import now
from governance.db.session import reading
from governance.quota.tables import Charge
from tests.billing.bills import bill
from tests.e2e.people import at_the_browser, sign_in_at_the_shell
from tests.e2e.test_story import GPU, refusal
from tests.e2e.world import CommandError, World, eventually
from tests.webhooks.cloud.samples import Json, cloud_event, run_instances, state_change
from webhooks.cloud.event import STRUCTURED
from webhooks.cloud.tables import InboxEvent

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]

FIRST, SECOND, THIRD, FOURTH = (f"i-0{letter * 16}" for letter in "abcd")
_LEASE_AND_MORE_S = 90  # an event that a killed worker held is handled again when its lease is over
BIG = "g5.48xlarge"  # eight GPUs


@pytest.fixture(scope="module")
def sender(world: World) -> str:
    """The token of the program that forwards events."""
    made = world.cli("token", "create", "eventbridge", "--scope", "event:send", "--person", "deployer")
    return made.strip().splitlines()[-1].split()[-1]


def send(world: World, sender: str, body: object, headers: Mapping[str, str]) -> Json:
    """Send an event over TLS, as a cloud does."""
    answer = httpx.post(
        f"{world.service.web_url}/api/v1/cloud/events",
        content=json.dumps(body),
        headers={"Authorization": f"Bearer {sender}", **headers},
        verify=world.service.trust(),
        timeout=20,
    )
    assert answer.status_code == 202, answer.text
    told: Json = answer.json()
    return told


def structured(world: World, sender: str, event: Json) -> Json:
    return send(world, sender, cloud_event(event), {"Content-Type": STRUCTURED})


def binary(world: World, sender: str, event: Json) -> Json:
    """The same with its attributes as headers (CloudEvents HTTP binding, section 3.1)."""
    attributes = {name: value for name, value in cloud_event(event).items() if name not in {"data", "datacontenttype"}}
    headers = {f"ce-{name}": value for name, value in attributes.items()}
    return send(world, sender, event, {"Content-Type": "application/json", **headers})


def charges_of(world: World, *instances: str) -> dict[str, tuple[str, int]]:
    """State and GPUs of the charges of instances."""
    with reading(world.engine) as session:
        rows = session.exec(select(Charge).where(col(Charge.incarnation).in_(instances)))
        return {one.incarnation: (one.state, one.level.get(GPU, 0)) for one in rows}


def is_handled(world: World) -> bool:
    with reading(world.engine) as session:
        return not session.exec(select(InboxEvent).where(col(InboxEvent.next_attempt_at).is_not(None))).all()


def test_10_a_launch_leaves_less_room_for_the_next_scale(world: World, sender: str) -> None:
    used = world.used("radiology")[GPU]
    replicas = 2 + 17 - used
    world.kubectl("scale", "deployment/ct-train", f"--replicas={replicas}", "--dry-run=server")  # it would pass
    launch = run_instances(FIRST, machine=BIG)
    assert structured(world, sender, launch) == {"stored": 1, "known": 0}
    eventually(lambda: charges_of(world, FIRST) == {FIRST: ("confirmed", 8)}, "the launch is charged")
    said = refusal(world, "scale", "deployment/ct-train", f"--replicas={replicas}")
    assert f"{GPU}: requested {17 - used}, used {used + 8}, limit 17 of radiology (rule radiology)" in said, said

    assert binary(world, sender, launch) == {"stored": 0, "known": 1}
    boto3.client("sqs").send_message(QueueUrl=world.queue, MessageBody=json.dumps(launch))
    eventually(lambda: _is_empty(world), "the queue is drained")
    assert world.used("radiology")[GPU] == used + 8, "by whatever way it comes, it is charged once"


def _is_empty(world: World) -> bool:
    counts = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
    told: Any = boto3.client("sqs").get_queue_attributes(QueueUrl=world.queue, AttributeNames=list(counts))
    return all(told["Attributes"][one] == "0" for one in counts)


def test_10_a_launch_by_the_queue_around_a_kill_is_charged_once(world: World) -> None:
    used = world.used("radiology")[GPU]
    world.service.kill("worker")
    launch = json.dumps(run_instances(SECOND))
    for _ in range(2):
        boto3.client("sqs").send_message(QueueUrl=world.queue, MessageBody=launch)
    world.service.run("worker")
    eventually(lambda: SECOND in charges_of(world, SECOND), "the launch is charged")
    world.service.kill("worker")
    world.service.run("worker")
    eventually(lambda: is_handled(world) and _is_empty(world), "everything is handled", _LEASE_AND_MORE_S)
    assert charges_of(world, SECOND) == {SECOND: ("confirmed", 1)}
    assert world.used("radiology")[GPU] == used + 1


def test_10_an_end_that_comes_before_its_launch_leaves_nothing_charged(world: World, sender: str) -> None:
    used = world.used("radiology")[GPU]
    at = now().replace(microsecond=0)
    assert structured(world, sender, state_change(THIRD, "terminated", at=at))["stored"] == 1
    assert structured(world, sender, run_instances(THIRD, at=at - timedelta(minutes=1)))["stored"] == 1
    eventually(lambda: charges_of(world, THIRD) == {THIRD: ("released", 0)}, "the launch and its end are known", 60)
    assert world.used("radiology")[GPU] == used


def test_10_a_launch_above_the_limit_is_observed_and_opens_a_breach_that_a_page_shows(
    world: World, sender: str, chromium: Browser
) -> None:
    used = world.used("radiology")[GPU]
    structured(world, sender, run_instances(FOURTH, machine=BIG))
    eventually(lambda: charges_of(world, FOURTH) == {FOURTH: ("confirmed", 8)}, "what exists is recorded")
    assert world.used("radiology")[GPU] == used + 8 > 17
    with at_the_browser(world, chromium, "lindqvist") as page:
        page.goto(f"{world.service.web_url}/quotas/department/radiology")
        expect(page.locator(".banner-bad").filter(has_text="2 GPUs over the limit")).to_be_visible()
    structured(world, sender, state_change(FOURTH, "terminated"))
    eventually(lambda: world.used("radiology")[GPU] == used, "its end is credited")


def test_14_a_line_of_the_bill_settles_the_launch_and_leads_back_to_who_asked(world: World, chromium: Browser) -> None:
    for person in ("bauer", "lindqvist"):
        sign_in_at_the_shell(world, chromium, person)
    month = now().strftime("%Y-%m")
    done = send_bill(world, EffectiveCost="18.40")
    assert "in force" in done
    shown = world.cli("quota", "show", "radiology", person="lindqvist")
    (row,) = [line for line in shown.splitlines() if line.startswith(month)]
    assert "18.40" in row, shown
    (settled,) = settlements(world, month)
    assert (settled["name"].split("/")[-1], settled["actual"], settled["billed"]) == (
        FIRST,
        "18.400000000000",
        "19.000000000000",
    )
    decision = world.cli("decisions", "show", settled["decision"], person="lindqvist")
    assert "ec2/instances" in decision
    assert settled["asked_by"].endswith("/okafor@example.org")  # the session of AWS in which they acted

    before = settlements(world, month)
    assert "in force already" in send_bill(world, EffectiveCost="18.40")
    assert settlements(world, month) == before
    send_bill(world, EffectiveCost="17.40")
    after = settlements(world, month)
    assert [(one["actual"], one["estimate"]) for one in after] == [("17.400000000000", before[0]["estimate"])]


def test_15_spend_as_allocated_reaches_the_budget_and_what_runs_goes_on(world: World, manifests: Path) -> None:
    budgets = manifests / "budgets.yaml"
    before = budgets.read_text()
    budgets.write_text(before.replace('"40000"', '"15"').replace("reached: approval", "reached: deny"))
    world.cli("apply", "-f", str(manifests))
    said = refusal(world, "scale", "deployment/again", "--replicas=5")
    assert re.search(r"radiology comes to [0-9.,]+ EUR this month, of a budget of 15.00 EUR \(as of 20", said), said
    dry = refusal(world, "scale", "deployment/again", "--replicas=5", "--dry-run=server")
    assert "of a budget of 15.00 EUR" in dry
    (lost, *_) = world.kubernetes.running_pods("ct-training", "app=again")
    world.kubectl("delete", "pod", lost["metadata"]["name"])
    eventually(lambda: len(world.kubernetes.running_pods("ct-training", "app=again")) == 4, "the lost pod comes back")
    shown = world.cli("quota", "show", "radiology", person="lindqvist")
    assert "budget radiology: 17.40 spent, " in shown
    budgets.write_text(before)
    world.cli("apply", "-f", str(manifests))
    assert "budget" not in refusal(world, "scale", "deployment/again", "--replicas=5", "--dry-run=server")


def test_16_a_month_is_closed_by_two_people_and_a_late_line_is_a_correction(world: World, chromium: Browser) -> None:
    sign_in_at_the_shell(world, chromium, "keller")
    this = now().replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    last = (this - timedelta(days=1)).replace(day=1)
    month, current = last.strftime("%Y-%m"), this.strftime("%Y-%m")
    lines = {"ResourceId": "", "ChargePeriodStart": last.isoformat(), "SubAccountId": "111122223333"}
    lines |= {"ChargePeriodEnd": (last + timedelta(days=1)).isoformat(), "BilledCost": "100"}
    send_bill(world, start=last, **lines, EffectiveCost="90.005")
    issuer = ("--issuer", "Amazon Web Services EMEA SARL", "--currency", "EUR")
    invoice = ("billing", "invoice", "record", "EUINSE-1", *issuer, "--month", month)
    world.cli(*invoice, "--amount", "104", person="bauer")
    with pytest.raises(CommandError) as gap:
        world.cli("billing", "prepare", month, person="bauer")
    assert "differs by 4" in gap.value.error
    world.cli(*invoice, "--amount", "100.50", person="bauer")  # within the tolerance
    world.cli("billing", "prepare", month, person="bauer")
    with pytest.raises(CommandError) as own:
        world.cli("billing", "close", month, person="bauer")
    assert "somebody else must close it" in own.value.error
    assert "is closed" in world.cli("billing", "close", month, person="keller")

    csv, pdf = world.folder / "s.csv", world.folder / "s.pdf"
    files = ("--csv", str(csv), "--pdf", str(pdf))
    shown = world.cli("billing", "statement", "st-elisabeth", month, *files, person="keller")
    assert "90.00 EUR (S-" in shown
    assert "90.005000000000,90.00" in csv.read_text()
    assert pdf.read_bytes().startswith(b"%PDF")
    send_bill(world, start=last, **lines, EffectiveCost="91")
    assert world.cli("billing", "statement", "st-elisabeth", month, person="keller") == shown
    late = world.cli("billing", "statement", "information-technology", current, person="keller")
    assert re.search(rf"correction of {month} .* 1\.00\n", late), late
    with pytest.raises(CommandError) as hidden:
        world.cli("billing", "statement", "st-elisabeth", month, person="lindqvist")
    assert hidden.value.code == 5


def send_bill(world: World, start: datetime | None = None, **line: str) -> str:
    """Import an hour of the first instance, from now or another time on."""
    start = start or now().replace(minute=0, second=0, microsecond=0)
    month = start.replace(day=1, hour=0)
    following = datetime(month.year + month.month // 12, month.month % 12 + 1, 1, tzinfo=UTC)
    known = {
        "ResourceId": f"arn:aws:ec2:eu-north-1:111122223333:instance/{FIRST}",
        "BillingPeriodStart": month.isoformat(),
        "BillingPeriodEnd": following.isoformat(),
        "ChargePeriodStart": start.isoformat(),
        "ChargePeriodEnd": (start + timedelta(hours=1)).isoformat(),
        "BilledCost": "19",
    }
    file = world.folder / "bill.csv"
    file.write_bytes(bill(known | line))
    return world.cli("billing", "import", "focus", str(file), "--source", "aws-main", person="bauer")


def settlements(world: World, month: str) -> list[Json]:
    """Of what lines have come for: what is only foretold grows as time goes by."""
    told = world.cli("billing", "settlement", "radiology", month, "--output", "json", person="lindqvist")
    return [one for one in json.loads(told) if one["lines"]]
