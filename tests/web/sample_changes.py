"""Sample changes, in each state."""

from __future__ import annotations

from dataclasses import replace

from governance.web.meters import meter
from governance.web.views.change import (
    Ask,
    AskPage,
    ChangeLine,
    ChangeList,
    ChangePage,
    Denied,
    Filter,
    NodeMeters,
    ReviewForm,
)
from governance.web.views.parts import Badge, Choice, Difference, Event, Fact, Need, Problem, Somebody, Tone
from tests.web.sample_ground import GI, GPU, at, due, tick

RADIOLOGY = NodeMeters(
    "Radiology",
    "/quotas/department/radiology",
    (
        meter(GPU, used=8, held=2, adds=6, hard=12, borrowable=5),
        meter("requests.cpu", used=41000, adds=12000, hard=120000),
        meter("requests.memory", used=180 * GI, held=12 * GI, adds=96 * GI, hard=512 * GI),
    ),
)
IMAGING = NodeMeters("Imaging", "/quotas/department/imaging", (meter(GPU, used=17, held=2, kept=4, adds=6, hard=32),))
DIFFERENCES = (
    Difference("Replicas", "2", "8", "Deployment ct-train"),
    Difference("GPUs", "2", "8"),
    Difference("CPU", "4 cores", "16 cores"),
    Difference("Memory", "32 GiB", "128 GiB"),
)
FACTS = (
    Fact("Cluster", "imaging-onprem-1"),
    Fact("Namespace", "ct-training"),
    Fact("Asked by", "okafor", "kubectl scale"),
    Fact("Environment", "production"),
)
NEEDS = (
    Need("Platform", 1, True, ((Somebody("M. Lindqvist"), tick(hours=-2)),), (), "", "gpu-above-4"),
    Need("Radiology", 1, False, (), (), "3 people can, you among them", "headroom"),
)
SENTENCE = "Dr. Okafor asks for 6 more GPUs in radiology/ct-training until 30\u00a0November."
CONSEQUENCE = "Radiology would be at 94 % of its GPUs: 16 of 17, 4 of them borrowed from Imaging."
TIMELINE = (
    Event(
        tick(hours=-3, minutes=-4),
        "circle-x",
        "",
        "Denied: 6 GPUs requested, 10 used, limit 12 (rule headroom-gpu).",
        "bad",
        link_text="Decision 0192f3",
        link="/decisions/1",
    ),
    Event(
        tick(hours=-3),
        "send",
        "Dr. Okafor",
        "asked for the change. INC-22719",
        "info",
        quote="Backlog of 1,900 CT studies after the scanner outage.",
    ),
    Event(
        tick(hours=-2),
        "check",
        "M. Lindqvist",
        "approved for Platform.",
        "good",
        quote="Node pool has room until Monday.",
    ),
)
LESS = (
    Ask("less-0", "GPUs", "", "2", "8", "8"),
    Ask("less-1", "CPU", "cores", "4", "16", "16"),
    Ask("less-2", "Memory", "GiB", "32", "128", "128"),
)
REVIEW = ReviewForm(may="", less=LESS, until="2026-11-30", until_min="2026-11-23", until_max="2026-11-30")

PENDING = ChangePage(
    name="CH-1042",
    href="/changes/CH-1042",
    version=3,
    status=Badge("Pending", "clock", "caution"),
    requester="Dr. Okafor",
    needs_line="needs 1 of Radiology",
    decide_by=due(hours=3),
    sentence=SENTENCE,
    consequence=CONSEQUENCE,
    chips=(Badge("over its own limit", "alert-triangle", "caution"), Badge("production", "server", "neutral")),
    differences=DIFFERENCES,
    facts=FACTS,
    quotas=(RADIOLOGY,),
    quotas_more=(IMAGING,),
    needs=NEEDS,
    timeline=TIMELINE,
    review=REVIEW,
    live=True,
)
OWN = replace(
    PENDING,
    review=ReviewForm(may="You asked for this change, so someone else must approve it."),
    may_withdraw=True,
)
_WRONG = (
    Problem("note", "Say why: a rejection needs a note."),
    Problem("less-0", "GPUs: 9 is more than the 8 that were asked for."),
)
REFUSED_FORM = replace(
    PENDING,
    problems=_WRONG,
    review=replace(
        REVIEW,
        problems=_WRONG,
        open_terms=True,
        less=(replace(LESS[0], value="9"), *LESS[1:]),
    ),
)
APPROVED = replace(
    PENDING,
    status=Badge("Approved", "circle-check", "good"),
    needs_line="",
    decide_by=None,
    review=None,
    live=False,
    outcome="Dr. Okafor can repeat the request now, once and exactly as asked, until 30 November.",
    needs=tuple(replace(need, done=True, approved_by=((Somebody("M. Lindqvist"), tick(hours=-2)),)) for need in NEEDS),
)


def ended(word: str, icon: str, tone: Tone, outcome: str) -> ChangePage:
    """The change in a state in which nobody decides any more."""
    return replace(APPROVED, status=Badge(word, icon, tone), outcome=outcome)


REJECTED = replace(
    ended("Rejected", "circle-x", "bad", "It was rejected. The request stays denied; another one can be asked for."),
    needs=(
        NEEDS[0],
        replace(NEEDS[1], rejected_by=((Somebody("Prof. J. Ferreira"), tick(hours=-1)),), who_can=""),
    ),
    timeline=(
        *TIMELINE,
        Event(tick(hours=-1), "x", "Prof. J. Ferreira", "rejected.", "bad", quote="The studies can wait for Monday."),
    ),
)
USED = ended("Closed", "circle-check", "good", "The approval was used, and what was asked for is there.")
EXPIRED = ended("Expired", "hourglass", "neutral", "Its time ran out. Repeat the request to ask again.")
REVOKED = ended("Revoked", "circle-x", "bad", "The approval was taken back before it was used.")
REVOCABLE = replace(APPROVED, may_revoke=True)
QUESTIONED = replace(
    OWN,
    timeline=(
        *TIMELINE,
        Event(tick(hours=-1), "message-question", "S. Haddad", "asked:", "info", quote="Für wie viele Studien?"),
    ),
    may_answer=True,
)
LONG = replace(
    PENDING,
    sentence=(
        "Prof. Dr. Anastasia Konstantinopoulou-Wolkenstein asks for 1,024 GiB more memory in "
        "interventional-neuroradiology-and-angiography/thrombectomy-simulation-and-reconstruction until 30 November."
    ),
    differences=(
        Difference(
            "StatefulSet reconstruction-of-volumetric-angiograms-with-iterative-refinement",
            "2",
            "128",
            "interventional-neuroradiology-and-angiography/thrombectomy-simulation",
        ),
        Difference(
            "image",
            "registry.example/reconstruction@sha256:9f1c",
            "registry.example/reconstruction@sha256:" + "a1" * 32,
        ),
        Difference("Memory", "1,024 GiB", "131,072 GiB", "Gefäßrekonstruktion, Überwachungsstation"),
    ),
)
DENIED = Denied(
    decision="0192f3a7",
    decision_href="/decisions/1",
    status=Badge("Denied", "circle-x", "bad"),
    consequence="Radiology would take 18 of 17\u00a0GPUs: 1 more than it may.",
    differences=DIFFERENCES,
    facts=FACTS,
    quotas=(RADIOLOGY,),
    quotas_more=(IMAGING,),
    reasons=("Radiology may take 17\u00a0GPUs and has 10; 8 more were requested.",),
)
ASK = AskPage(
    denied=DENIED,
    sentence="You asked for 6 more GPUs in radiology/ct-training, and it was denied.",
    needs=tuple(replace(need, done=False, approved_by=(), who_can="3 people can") for need in NEEDS),
    may="",
    existing="",
    existing_href="",
    urgent="In an emergency you can let it through at once, without an approval, and answer for it in a review.",
    urgent_href="/ask/1/emergency",
    until="2026-11-30",
    until_min="2026-11-23",
    until_max="2027-02-21",
)


LINE = ChangeLine(
    name="CH-1042",
    href="/changes/CH-1042",
    sentence=SENTENCE,
    status=PENDING.status,
    where="radiology/ct-training",
    who="Dr. Okafor",
    at=at(hours=-3),
    due=due(hours=3),
    needs_line="needs 1 of Radiology",
)
LATE = replace(
    LINE,
    name="CH-1038",
    href="/changes/CH-1038",
    sentence="Ines Ferreira asks for 64 GiB more memory in pathology/slide-archive until 2\u00a0December.",
    where="pathology/slide-archive",
    due=due(hours=1),
    at=at(days=-3),
    late="due soon",
)
DONE = replace(
    LINE,
    name="CH-1029",
    href="/changes/CH-1029",
    sentence="Ines Ferreira asks for 4 more cores of CPU in pathology/slide-archive until 20\u00a0November.",
    status=Badge("Closed", "circle-check", "good"),
    at=at(days=-9),
    due=None,
    needs_line="",
)
FILTERS = (
    Filter(
        "show", "Show", (Choice("", "All"), Choice("waiting", "Waiting for me", chosen=True), Choice("mine", "Mine"))
    ),
    Filter("state", "State", (Choice("", "Any"), Choice("pending", "Pending"), Choice("approved", "Approved"))),
)
CHANGES = ChangeList(
    sentence="3 changes; 2 wait for you, and 1 of them is due soon.",
    filters=FILTERS,
    text="",
    lines=(LATE, LINE, DONE),
    empty_title="",
    empty_text="",
    older="/changes?before=CH-1029",
    filtered=True,
)
NO_CHANGES = replace(
    CHANGES,
    sentence="No change fits these filters.",
    lines=(),
    empty_title="Nothing fits",
    empty_text="Other states or words may find what you look for.",
    older="",
)
