"""Sample emergencies: breaking the glass, and the review afterwards."""

from __future__ import annotations

from dataclasses import replace

from governance.web.views.change import ChangePage, EmergencyPage, PostReview
from governance.web.views.home import ReviewDue
from governance.web.views.parts import Badge, Event, Problem
from tests.web.sample_changes import DENIED, LINE, PENDING, TIMELINE
from tests.web.sample_ground import due, tick

EMERGENCY = EmergencyPage(
    denied=DENIED,
    ask_href="/ask/1",
    sentence="6 more GPUs in radiology/ct-training: at once, without an approval.",
    follows=(
        Badge(
            "The request that was denied passes once, from now until the time that you choose is over. "
            "Tell okafor to repeat it: nothing is repeated for you.",
            "circle-check",
        ),
        Badge("Prof. J. Ferreira and S. Haddad are told at once, by mail: you act without asking them.", "mail"),
        Badge(
            f"One of them must review it by {due(hours=48).text}, whether it was used or not. "
            "While that review is overdue, neither you nor radiology/ct-training can do this again.",
            "clipboard-check",
        ),
        Badge("Your name, the reason and the incident stand in the audit log for good.", "file-text"),
        Badge("CH-1042, which asks for the same, is closed.", "history"),
    ),
    may="",
    may_href="",
    may_link="",
    hours_max=12,
    hours="4",
)
_WRONG = (
    Problem("incident", "Name the incident. Open one, and give its number here."),
    Problem("hours", "An emergency lasts 1 to 12 hours. Choose fewer hours."),
)
REFUSED = replace(EMERGENCY, reason="Two stroke patients wait for their scans.", hours="48", problems=_WRONG)
BLOCKED = replace(
    EMERGENCY,
    may="The review of an earlier emergency is overdue. Until it is done, this way is closed.",
    may_href="/changes/CH-1031",
    may_link="CH-1031",
)

SENTENCE = "M. Lindqvist broke the glass for 6 more GPUs in radiology/ct-training, until today 18:30."
_BROKEN = Event(
    tick(hours=-1),
    "alert-triangle",
    "M. Lindqvist",
    "acted at once, in an emergency.",
    "bad",
    quote="Two stroke patients wait for their scans.",
)
_OPEN = PostReview(
    due=due(hours=47),
    overdue=False,
    done=False,
    skipped=("Prof. J. Ferreira", "S. Haddad"),
    may="It can be reviewed as soon as it was used, or its time is over.",
)
BROKEN = replace(
    PENDING,
    status=Badge("Approved", "circle-check", "good"),
    requester="M. Lindqvist",
    needs_line="",
    decide_by=None,
    sentence=SENTENCE,
    chips=(Badge("emergency", "alert-triangle", "bad"), *PENDING.chips),
    timeline=(TIMELINE[0], _BROKEN),
    review=None,
    outcome="M. Lindqvist can repeat the request now, once and exactly as asked, until today 18:30 (in 4 h).",
    after=_OPEN,
)
TO_REVIEW: ChangePage = replace(
    BROKEN,
    status=Badge("Review due", "clipboard-check", "caution"),
    outcome="It was made in an emergency. Somebody who was skipped must review it now.",
    after=replace(_OPEN, may=""),
    live=False,
)
OVERDUE = replace(
    TO_REVIEW,
    problems=(Problem("note", "Say what you make of it. One sentence is enough."),),
    after=replace(
        _OPEN,
        due=due(hours=-3),
        overdue=True,
        may="",
        problems=(Problem("note", "Say what you make of it. One sentence is enough."),),
    ),
)
REVIEWED = replace(
    TO_REVIEW,
    status=Badge("Closed", "circle-check", "good"),
    outcome="It was made in an emergency, and has been reviewed.",
    after=replace(_OPEN, done=True, may="This change is closed, so there is nothing left to review."),
)
LATE_LINE = replace(
    LINE,
    name="CH-1031",
    href="/changes/CH-1031",
    sentence="Ines Ferreira broke the glass for 2 more GPUs in pathology/slide-archive, until 20\u00a0Nov, 18:30.",
    where="pathology/slide-archive",
    status=TO_REVIEW.status,
    due=due(hours=-3),
    due_word="review by",
    late="overdue",
    needs_line="",
)
REVIEWS = (
    ReviewDue(LATE_LINE, "The archive was full during the night. INC-22702"),
    ReviewDue(
        replace(LATE_LINE, name="CH-1050", href="/changes/CH-1050", sentence=SENTENCE, due=due(hours=47), late=""),
        "Two stroke patients wait for their scans. INC-22740",
    ),
)
