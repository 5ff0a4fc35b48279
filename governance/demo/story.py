"""The story, step by step: each says what it did, and fails if it did not."""

from __future__ import annotations

import json
import re
import shutil

from governance import clock
from governance.demo import money
from governance.demo.browser import Browser, browser
from governance.demo.cluster import Answer
from governance.demo.hospital import CLUSTER, manifests, write_freeze
from governance.demo.money import GPU
from governance.demo.stage import Stage
from governance.demo.telling import Teller, require

LEVELS = ("ct-training", "radiology", "imaging", "st-elisabeth")
REQUESTER, APPROVER = "Dr. A. Okafor", "M. Lindqvist"
REASON = "Backlog of 1,900 CT studies after the scanner outage."
_APPROVED, _OPEN = "approved", "pending"


def play(stage: Stage, tell: Teller, *, once: bool) -> None:
    """Play the whole story.

    Args:
        once: the approver's click is made here too, over HTTP, and the story never waits for a person.

    Raises:
        StepFailed: a step did not do what it says.
        httpx.HTTPError, NotFound: the service did not answer as it should.
    """
    describe(stage, tell)
    enforce(stage, tell)
    charge(stage, tell)
    denied = deny(stage, tell)
    change = ask(stage, tell, denied)
    if not approve(stage, tell, change, once=once):
        return
    granted = repeat(stage, tell, change, once=once)
    if granted is not None:
        give_back(stage, tell)
        money.launch(stage, tell)
        money.close(stage, tell)
        decision = money.settle(stage, tell)
        money.spend(stage, tell)
        freeze(stage, tell)
        explain(stage, tell, granted, change)
        money.lead_back(stage, tell, decision)


def describe(stage: Stage, tell: Teller) -> None:
    """The hospital is described in files and applied."""
    shutil.copytree(manifests(), stage.folder / "hospital")
    with tell.doing("applying the manifests"):
        said = stage.cli("apply", "-f", "hospital").rstrip().splitlines()[-1]
    require(said.startswith("Revision 1:"), "the first apply makes revision 1")
    tell.step("A hospital is described in YAML, and applied whole, as one revision.")
    tell.command("sato", "governance apply -f examples/hospital")
    tell.note(said)


def enforce(stage: Stage, tell: Teller) -> None:
    """The cluster is observed first; once all that runs is charged, it enforces."""
    tell.wait(lambda: stage.mode(CLUSTER) == "enforce", "everything that runs already is charged")
    held, used = stage.taken("ct-training", "requests.cpu")
    require((held, used) == (0, 2000), "what ran before is charged: 2 cpu of the Deployment viewer")
    tell.step("The cluster observes what runs already, charges it, then enforces.")
    tell.note(f"{CLUSTER}: Deployment viewer takes 2 cpu of CT training.")


def charge(stage: Stage, tell: Teller) -> None:
    """A Deployment within the quota is allowed and charged on every level."""
    scene = stage.recording.scenes["created"]
    answer = stage.api_server.ask(scene)
    require(answer.allowed, f"the Deployment is allowed, and the answer was: {answer.message}")
    require([stage.taken(node, GPU) for node in LEVELS] == [(2, 0)] * 4, "2 GPUs are held on every level")
    stage.cluster.tell(scene)
    tell.wait(lambda: stage.taken("ct-training", GPU) == (0, 2), "the pods run, and draw on the charge")
    require([stage.taken(node, GPU) for node in LEVELS] == [(0, 2)] * 4, "2 GPUs are used on every level")
    tell.step("A Deployment within the quota passes, charged on every level above it.")
    tell.command("okafor", "kubectl create -f ct-train.yaml")
    tell.note("GPUs used: " + ", ".join(f"{node} 2" for node in LEVELS))
    tell.command("sato", "governance quota show radiology")
    with tell.doing("reading the quota"):
        table = stage.cli("quota", "show", "radiology")
    require(re.search(rf"^{re.escape(GPU)} +12 +0 +2 +15 ", table, re.MULTILINE), "12 GPUs hard, 2 used, 15 available")
    tell.table(table, mark=GPU)
    tell.note("12 GPUs are radiology's own, 5 more it may borrow: 15 are left.")


def deny(stage: Stage, tell: Teller) -> Answer:
    """A scale beyond the quota is denied at the scale call, with all numbers and a link."""
    answer = stage.api_server.ask(stage.recording.scenes["too-much"])
    expected = f"{GPU}: requested 18, used 2, limit 17 of radiology (rule radiology)"
    require(not answer.allowed and expected in answer.message, f"a denial that says: {expected}")
    tell.step("A scale beyond the quota is denied at once: numbers, rule, and a link.")
    tell.command("okafor", "kubectl scale deployment/ct-train --replicas=20")
    tell.denial(answer.message)
    return answer


def ask(stage: Stage, tell: Teller, denied: Answer) -> str:
    """The requester opens the link and asks. Returns the change's name."""
    link = _link(denied.message)
    with browser(stage.address) as client:
        okafor = Browser(client)
        okafor.open(link)
        okafor.press(REQUESTER)
        okafor.press("Send the request", {"reason": REASON})
        change = okafor.path.removeprefix("/changes/")
    require(re.fullmatch(r"CH-\d+", change), "a change request with a number")
    require(stage.read(f"/changes/{change}")["state"] == "pending", f"{change} waits for an approval")
    tell.step(f"{REQUESTER} opens the link, signs in, gives a reason: {change}.")
    tell.note(f"“{REASON}”")
    tell.note(f"{APPROVER} is told by mail: {stage.address}/demo/mails")
    return change


def approve(stage: Stage, tell: Teller, change: str, *, once: bool) -> bool:
    """The approver decides, in a browser. Returns whether it was approved."""
    link = f"{stage.address}/changes/{change}"
    if once:
        _click(stage, tell, link, change)
    else:
        tell.call(link, f"sign in as {APPROVER}, press Approve.")
    tell.wait(lambda: _state(stage, change) != _OPEN, f"{APPROVER} decides on {change}", patient=not once)
    state = _state(stage, change)
    if state != _APPROVED:
        require(not once, f"{change} is approved, and it is {state}")
        tell.step(f"{change} is {state}: the request stays denied. Start the demo again to see it pass.")
        return False
    tell.step(f"{APPROVER} approves {change}: a right for this one request, once.")
    return True


def repeat(stage: Stage, tell: Teller, change: str, *, once: bool) -> Answer | None:
    """The same request passes now; None if it was approved for less, so that it does not."""
    scene = stage.recording.scenes["granted"]
    answer = stage.api_server.ask(scene)
    if not answer.allowed and not once:
        tell.step(f"{change} was approved for less than 20 GPUs, so the request for 20 stays denied.")
        tell.denial(answer.message)
        return None
    require(answer.allowed, f"the same scale passes now, and the answer was: {answer.message}")
    stage.cluster.tell(scene)
    tell.wait(lambda: stage.taken("radiology", GPU) == (0, 20), "20 pods run")
    tell.step(f"The same scale passes now, by {change}; radiology uses 20 GPUs.")
    tell.command("okafor", "kubectl scale deployment/ct-train --replicas=20")
    tell.note("deployment.apps/ct-train scaled", "green")
    return answer


def give_back(stage: Stage, tell: Teller) -> None:
    """A decrease is never asked for; the watch credits it. The grant was used, so it is denied again."""
    stage.cluster.tell(stage.recording.scenes["back"])
    tell.wait(lambda: stage.taken("radiology", GPU) == (0, 2), "what was given back is credited")
    again = stage.api_server.ask(stage.recording.scenes["once-more"])
    require(not again.allowed and GPU in again.message, "a grant is used once")
    tell.step("What is given back is credited. The approval is used: denied again.")
    tell.command("okafor", "kubectl scale deployment/ct-train --replicas=2")
    tell.note("deployment.apps/ct-train scaled", "green")
    tell.command("okafor", "kubectl scale deployment/ct-train --replicas=20")
    tell.denial(again.message)


def freeze(stage: Stage, tell: Teller) -> None:
    """In a freeze a change within the quota is denied with the time at which it ends."""
    ends = write_freeze(stage.folder / "hospital", clock.now())
    with tell.doing("applying a freeze"):
        said = stage.cli("apply", "-f", "hospital").rstrip().splitlines()[-1]
    require(said.startswith("Revision 3:"), "the freeze makes revision 3")
    answer = stage.api_server.ask(stage.recording.scenes["frozen"])
    expected = f"changes are frozen until {ends:%Y-%m-%d %H:%M} UTC"
    require(not answer.allowed and expected in answer.message, f"a denial that says: {expected}")
    tell.step("In a freeze even one GPU more is denied, until the time it names.")
    tell.command("sato", "governance apply -f examples/hospital    # and a freeze")
    tell.note(said)
    tell.command("okafor", "kubectl scale deployment/ct-train --replicas=3")
    tell.denial(answer.message)


def explain(stage: Stage, tell: Teller, granted: Answer, change: str) -> None:
    """Any decision can be explained, also much later."""
    with tell.doing("reading the decision"):
        text = stage.cli("decisions", "show", granted.decision, "--output", "json")
    shown = json.loads(text)
    approved = [one["person"] for one in shown["approved_by"]]
    require(shown["changes"] == [change] and approved == [APPROVER], f"{change}, approved by {APPROVER}")
    require(shown["config_revision"] == 1, "revision 1, in force at that time")
    tell.step("Every decision can be explained, by page or at a shell.")
    tell.command("sato", f"governance decisions show {granted.decision}")
    tell.note(
        f"allowed by {change}, approved by {approved[0]}; configuration revision {shown['config_revision']}, "
        f"policy {shown['policy_digest'][:12]}, {len(shown['audit'])} audit events"
    )
    tell.note(f"{stage.address}/decisions/{granted.decision}")


def _click(stage: Stage, tell: Teller, link: str, change: str) -> None:
    with browser(stage.address) as client:
        lindqvist = Browser(client)
        lindqvist.open(link)
        lindqvist.press(APPROVER)
        require(lindqvist.shows(REASON), f"the page of {change} shows the reason")
        lindqvist.press("Approve")
        tell.wait(lambda: _mailed(lindqvist, change), f"a mail about {change}")


def _mailed(person: Browser, change: str) -> bool:
    person.open("/demo/mails")
    return person.shows(change)


def _state(stage: Stage, change: str) -> str:
    return str(stage.read(f"/changes/{change}")["state"])


def _link(message: str) -> str:
    found = re.search(r"http://\S+/ask/[0-9a-f-]+", message)
    require(found, "a link under which an exception can be asked for")
    return found[0] if found else ""
