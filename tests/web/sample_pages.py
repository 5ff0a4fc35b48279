"""Sample pages other than changes."""

from __future__ import annotations

from dataclasses import replace

from governance.web.formats import number
from governance.web.meters import meter
from governance.web.views.change import Filter
from governance.web.views.decision import DecisionLine, DecisionList, DecisionPage, QuotaFact, Reason
from governance.web.views.home import DepartmentMeter, Home, Waiting
from governance.web.views.other import ErrorPage, Hit, Keys, Mail, Mails, Search, SignInChoice, SignInPage
from governance.web.views.parts import Badge, Choice, Difference, Event, Fact, Freeze, Number, Somebody, Warned
from governance.web.views.quota import ChargeLine, NodePage, QuotaRow, QuotaTree, TreeNode
from tests.web.sample_changes import CONSEQUENCE, DIFFERENCES, DONE, FACTS, LATE, LINE, LONG, RADIOLOGY
from tests.web.sample_emergencies import REVIEWS
from tests.web.sample_ground import GI, GPU, at, tick

FREEZE = Freeze(
    "Changes to production are frozen while the image archive moves.", at(days=1, hours=2), "radiology-archive"
)
WARNED = Warned(
    "imaging-onprem-1 denies nothing now.", at(hours=2), "M. Sato", "The image archive moves, and its pods come first."
)
HOME = Home(
    sentence=(
        "2 emergencies wait for your review, 1 of them overdue. 2 changes wait for you, and 1 of them is due soon."
    ),
    freezes=(FREEZE,),
    warned=(WARNED,),
    observed=("burst-cloud-1",),
    reviews=REVIEWS,
    waiting=(
        Waiting(LATE, "Pathology would be at 71 % of its memory.", 1),
        Waiting(LINE, CONSEQUENCE, 3),
    ),
    more_waiting=0,
    mine=(DONE,),
    meters=(
        DepartmentMeter(
            "Radiology", "/quotas/department/radiology", meter(GPU, used=11, held=2, hard=12, borrowable=5)
        ),
        DepartmentMeter("Pathology", "/quotas/department/pathology", meter("requests.cpu", used=91500, hard=100000)),
        DepartmentMeter(
            "Imaging", "/quotas/department/imaging", meter("requests.storage", used=61 * 1024 * GI, hard=80 * 1024 * GI)
        ),
    ),
    may_approve=True,
    may_ask=True,
)
EMPTY_HOME = Home("Nothing waits for you.", (), (), (), (), (), 0, (), (), may_approve=True, may_ask=True)

DENIED = Badge("Denied", "circle-x", "bad")
ALLOWED = Badge("Allowed", "circle-check", "good")
DECISION_LINE = DecisionLine(
    href="/decisions/0192f3a7",
    sentence="okafor asked to scale Deployment ct-train to 8 replicas.",
    status=DENIED,
    where="radiology/ct-training",
    who="okafor",
    at=at(hours=-3),
    times=14,
    why="GPUs: 6 requested, 10 used, limit 12 of radiology.",
)
DECISIONS = DecisionList(
    sentence="214 requests were decided in the last 7 days; 9 were denied.",
    filters=(
        Filter("outcome", "Outcome", (Choice("", "Any"), Choice("deny", "Denied"), Choice("allow", "Allowed"))),
        Filter("days", "Within", (Choice("7", "7 days", chosen=True), Choice("30", "30 days"), Choice("ever", "Ever"))),
    ),
    text="",
    lines=(
        DECISION_LINE,
        replace(
            DECISION_LINE,
            href="/decisions/2",
            sentence="ferreira asked to create Deployment slide-index.",
            status=ALLOWED,
            times=1,
            why="",
            where="pathology/slide-archive",
            who="ferreira",
        ),
    ),
    empty_title="",
    empty_text="",
    older="",
    filtered=False,
)
DECISION = DecisionPage(
    name="0192f3a7",
    sentence="okafor asked to scale Deployment ct-train to 8 replicas, and it was denied.",
    consequence="Radiology may take 12 GPUs and had 10 of them in use.",
    status=DENIED,
    at=at(hours=-3),
    times=14,
    last_seen=at(minutes=-20),
    differences=DIFFERENCES,
    request=FACTS,
    violations=(
        Reason(
            "GPUs: 6 requested, 10 used, limit 12 of radiology (rule headroom-gpu).",
            "No request may take more than the quota leaves",
            "headroom",
            "Ask for less, free what is not needed, or ask for an exception.",
        ),
    ),
    warnings=(Reason("Images are named by tag, not by digest.", "Images should be pinned", "image-pinned", ""),),
    quota=(
        QuotaFact(
            "radiology",
            "/quotas/department/radiology",
            "GPUs",
            number(GPU, 6),
            number(GPU, 10),
            number(GPU, 12),
            "133 %",
            over=True,
        ),
        QuotaFact(
            "imaging",
            "/quotas/department/imaging",
            "GPUs",
            number(GPU, 6),
            number(GPU, 23),
            number(GPU, 32),
            "91 %",
            over=False,
        ),
        QuotaFact("hospital", "", "GPUs", number(GPU, 6), number(GPU, 40), None, "", over=False),
    ),
    known=(
        Fact("Project", "ct-training", "radiology"),
        Fact("Environment", "production"),
        Fact("Cluster", "imaging-onprem-1", "location=on-premises"),
        Fact("Freeze", "none in force"),
        Fact("Rules evaluated", "approval, freeze, headroom, placement"),
    ),
    versions=(
        Fact("Policy", "9f1c2ab84d07", "SHA-256 of the rules", mono=True),
        Fact("Configuration", "revision 12"),
        Fact("Decision", "0192f3a7-1b2c-7d3e-8f40-5a6b7c8d9e0f", mono=True),
        Fact("Request", "6f0c2a1e-90ab-4cde-8f01-23456789abcd", "the cluster’s uid of the review", mono=True),
    ),
    approvals=(),
    trail=(Event(tick(hours=-3), "circle-x", "okafor", "admission.deny", "bad"),),
    document='{\n  "version": 1,\n  "increase": {\n    "requests.nvidia.com/gpu": 6\n  }\n}',
    ask_href="/ask/0192f3a7",
    change_name="",
    change_href="",
)
ALLOWED_DECISION = replace(
    DECISION,
    sentence="okafor scaled Deployment ct-train to 8 replicas.",
    consequence="The approval of CH-1042 was used for it.",
    status=ALLOWED,
    violations=(),
    warnings=(),
    times=1,
    ask_href="",
    change_name="CH-1042",
    change_href="/changes/CH-1042",
    approvals=(
        Event(tick(hours=-2), "check", "M. Lindqvist", "approved for Platform.", "good", quote="Node pool has room."),
    ),
)

UNKNOWN_DECISION = replace(
    DECISION,
    sentence="okafor asked to create Deployment ct-train, and it was denied.",
    consequence="",
    differences=(Difference("Deployment", "–", "ct-train", "ct-training"),),
    violations=(
        Reason("The namespace ct-training is neither bound to a project nor exempt.", "", "unbound-namespace", ""),
    ),
    warnings=(),
    times=1,
    quota=(),
    known=(Fact("Nothing", "it was denied before policy was asked"),),
    trail=(),
    document="",
    ask_href="",
)
LONG_DECISION = replace(
    DECISION,
    sentence=(
        "system:serviceaccount:interventionelle-neuroradiologie:wiederaufbereitung asked to scale StatefulSet "
        "rekonstruktion-der-gefäßbäume-mit-iterativer-verfeinerung to 128\u00a0replicas, and it was denied."
    ),
    differences=LONG.differences,
    quota=tuple(
        replace(one, node=f"Universitätsklinik für Gefäß- und Hämostaseologie, {one.node}") for one in DECISION.quota
    ),
)

GPUS = RADIOLOGY.meters[0]
TREE = QuotaTree(
    sentence="Radiology comes nearest to a limit: 94 % of its GPUs are taken.",
    as_of=at(minutes=-0.5),
    nodes=(
        TreeNode(
            "St. Elisabeth Hospitals",
            "/quotas/department/hospital",
            "department",
            0,
            "",
            (meter("requests.cpu", used=420000, held=20000, hard=960000),),
            3,
        ),
        TreeNode(
            "Imaging",
            "/quotas/department/imaging",
            "department",
            1,
            "",
            (meter(GPU, used=17, held=2, kept=4, hard=32),),
            0,
        ),
        TreeNode(
            "Radiology",
            "/quotas/department/radiology",
            "department",
            2,
            "",
            (
                meter(GPU, used=14, held=2, hard=12, borrowable=5),
                meter("requests.memory", used=180 * GI, held=12 * GI, hard=512 * GI),
            ),
            1,
        ),
        TreeNode("ct-training", "/quotas/project/ct-training", "project", 3, "production", (), 0),
        TreeNode(
            "interventional-neuroradiology-and-angiography-simulation",
            "/quotas/project/x",
            "project",
            3,
            "staging",
            (meter(GPU, used=0, hard=2),),
            0,
        ),
    ),
)
_LONG_TITLES = (
    "Universitätsklinikum Südwürttemberg und Überörtliche Fürsorge",
    "Zentrum für Radiologie, Nuklearmedizin und Strahlentherapie",
    "Département d’imagerie médicale et de médecine nucléaire",
    "Klinik für Interventionelle Neuroradiologie",
    "Équipe de recherche en angiographie cérébrale",
    "Arbeitsgruppe Gefäßrekonstruktion",
    "Projektgruppe Schädelbasis",
)
DEEP_TREE = QuotaTree(
    sentence="Arbeitsgruppe Gefäßrekonstruktion comes nearest to a limit: 100 % of its GPUs are taken.",
    as_of=at(minutes=-0.5),
    nodes=(
        *(
            TreeNode(title, f"/quotas/department/d{depth}", "department", depth, "", (GPUS,), depth)
            for depth, title in enumerate(_LONG_TITLES)
        ),
        *(
            TreeNode(f"gefäß-rekonstruktion-{n:02}", f"/quotas/project/p{n}", "project", 7, "production", (GPUS,), 0)
            for n in range(12)
        ),
    ),
)

NODE = NodePage(
    title="Radiology",
    kind="department",
    sentence="Radiology takes 16 of the 17 GPUs that it may, 4 of them borrowed from Imaging.",
    as_of=at(minutes=-0.5),
    path=(
        Fact("", "St. Elisabeth Hospitals", href="/quotas/department/hospital"),
        Fact("", "Imaging", href="/quotas/department/imaging"),
        Fact("", "Radiology"),
    ),
    meters=(
        meter(GPU, used=14, held=2, hard=12, borrowable=5),
        meter("requests.cpu", used=41500, held=12000, kept=20000, hard=120000),
        meter("requests.memory", used=180 * GI, held=12 * GI, hard=512 * GI),
        meter("services.loadbalancers", used=3, hard=2),
        meter("count/jobs.batch", used=7),
    ),
    rows=(
        QuotaRow(
            "GPUs",
            GPU,
            "",
            number(GPU, 14),
            number(GPU, 2),
            number(GPU, 0),
            number(GPU, 1),
            number(GPU, 12),
            number(GPU, 4),
            number(GPU, 0),
            "radiology",
        ),
        QuotaRow(
            "CPU",
            "requests.cpu",
            "cores",
            Number("41.5"),
            Number("12.0"),
            Number("20.0"),
            Number("46.5"),
            Number("120.0"),
            None,
            None,
            "radiology",
        ),
        QuotaRow("Jobs", "count/jobs.batch", "", Number("7"), Number("0"), Number("0"), None, None, None, None, ""),
    ),
    children=TREE.nodes[3:],
    charges=(
        ChargeLine(
            "ct-training/ct-train",
            "Deployment",
            "ct-training",
            Badge("Running", "circle-check", "good"),
            ("8 GPUs", "16 cores of CPU", "128 GiB of memory"),
            tick(days=-4),
            "/decisions/1",
        ),
        ChargeLine(
            "ct-training/ct-eval",
            "Job",
            "ct-training",
            Badge("Reserved", "hourglass", "info"),
            ("2 GPUs",),
            tick(minutes=-3),
            "/decisions/2",
        ),
    ),
    more_charges=12,
    allowances=(Fact("4 GPUs", "CH-1042", "for ct-training/ct-train until 30 November", href="/changes/CH-1042"),),
    breaches=(
        Fact("1 load balancer over the limit", "since yesterday 16:20.", "It was there before the limit was lowered."),
    ),
    facts=(Fact("Currency", "EUR"), Fact("Cost centre", "4711")),
)
EMPTY_NODE = replace(
    NODE,
    title="ct-eval",
    kind="project",
    sentence="Nothing is taken by ct-eval.",
    meters=(),
    rows=(),
    children=(),
    charges=(),
    more_charges=0,
    allowances=(),
    breaches=(),
)

SIGN_IN = SignInPage("/sign-in/start?next=/", "/sign-in/demo", "/", ())
DEMO_SIGN_IN = replace(
    SIGN_IN,
    people=(
        SignInChoice("okafor", Somebody("Dr. Chidi Okafor"), "requester"),
        SignInChoice("lindqvist", Somebody("M. Lindqvist"), "approver"),
        SignInChoice("ferreira", Somebody("Ines Ferreira"), "requester, finance"),
    ),
)


def error(status: int, icon: str, sentence: str, detail: str, remedy: str, *fields: str, again: str = "") -> ErrorPage:
    return ErrorPage(status, icon, sentence, detail, remedy, "0192f3a7-1b2c-7d3e", fields, again, again and "/changes")


ERRORS = (
    error(
        403,
        "lock",
        "You may not do this.",
        "M. Lindqvist may not see changes of Pathology.",
        "Ask an administrator for a role there.",
    ),
    error(
        404,
        "search",
        "There is nothing here.",
        "There is no change CH-9999.",
        "Search for it, or look through the list.",
    ),
    error(
        409,
        "history",
        "Somebody else was faster.",
        "CH-1042 was decided while you looked at it.",
        "Open it again and see how it stands.",
        again="Back to the form",
    ),
    error(
        410,
        "hourglass",
        "This is over.",
        "The time to ask for this change has passed.",
        "Repeat your request; the answer holds a new link.",
    ),
    error(
        422,
        "alert-triangle",
        "Something in this does not fit.",
        "2 fields are wrong.",
        "Correct them and send again.",
        "until: not a date",
        "note: too long",
        again="Back to the form",
    ),
    error(
        500,
        "server-off",
        "Something went wrong on our side.",
        "Nothing was half written.",
        "Try again in a moment; if it stays, tell whoever runs this service the number below.",
        again="Try again",
    ),
    error(
        503,
        "server-off",
        "A part of this service does not answer.",
        "The database does not answer.",
        "Try again in a moment. What runs keeps running.",
        again="Try again",
    ),
)
SEARCH = Search(
    "okafor",
    "3 things were found for “okafor”.",
    (
        (
            "Changes",
            (
                Hit(
                    "Dr. Okafor asks for 6 more GPUs in radiology/ct-training.",
                    "/changes/CH-1042",
                    "CH-1042",
                    LINE.status,
                ),
            ),
        ),
        ("Decisions", (Hit("okafor asked to scale Deployment ct-train.", "/decisions/1", "today 11:26", DENIED),)),
        ("People", (Hit("Dr. Chidi Okafor", "", "okafor, requester in Radiology"),)),
    ),
)
NO_HITS = Search("xylophone", "Nothing was found for “xylophone”.", ())
MAIL = Mail(
    "/demo/mails/1",
    "m.lindqvist@hospital.example",
    "CH-1042: Dr. Okafor asks for 6 more GPUs",
    at(hours=-3),
    Badge("Not sent (demo)", "mail", "neutral"),
    "Dr. Okafor asks for 6 more GPUs in radiology/ct-training until 30 November.\n\nhttp://127.0.0.1:8080/changes/CH-1042\n",
)
MAILS = Mails("1 mail would have been sent.", (MAIL,))
OPEN_MAIL = Mails("One mail of the demo, as it was written.", (), MAIL)
NO_MAILS = Mails("No mail would have been sent yet.", ())
KEYS = Keys()
