"""Each page in each state, made by hand: for rendering tests, browser tests and screenshots."""

from __future__ import annotations

from dataclasses import dataclass, replace

from governance.web.views.parts import Problem
from governance.web.views.shell import Shell
from tests.web import sample_changes as changes
from tests.web import sample_emergencies as emergencies
from tests.web import sample_pages as pages
from tests.web.sample_ground import NOBODY, shell

_OTHERS = (
    "In an emergency M. Lindqvist or Prof. J. Ferreira can let it through at once, without an approval. "
    "You cannot: ask one of them."
)


@dataclass(frozen=True, slots=True)
class Sample:
    """A page in a state."""

    name: str
    template: str
    shell: Shell
    view: object


def all_samples() -> tuple[Sample, ...]:
    """Every sample; names are file names of screenshots and paths of the gallery."""
    return (*_changes(), *_home(), *_decisions(), *_quotas(), *_others())


def _changes() -> tuple[Sample, ...]:
    here, asked = shell("/changes"), changes.ASK
    no_reason = replace(asked, problems=(Problem("reason", "Say why you need it."),))
    return (
        Sample("change-pending", "change.html", here, changes.PENDING),
        Sample("change-own", "change.html", here, changes.OWN),
        Sample("change-form-problems", "change.html", here, changes.REFUSED_FORM),
        Sample("change-approved", "change.html", shell("/changes", "You approved CH-1042."), changes.APPROVED),
        Sample("change-rejected", "change.html", here, changes.REJECTED),
        Sample("change-used", "change.html", here, changes.USED),
        Sample("change-expired", "change.html", here, changes.EXPIRED),
        Sample("change-revoked", "change.html", here, changes.REVOKED),
        Sample("change-to-revoke", "change.html", here, changes.REVOCABLE),
        Sample("change-questioned", "change.html", here, changes.QUESTIONED),
        Sample("change-long-names", "change.html", here, changes.LONG),
        Sample("changes", "changes.html", here, changes.CHANGES),
        Sample("changes-empty", "changes.html", here, changes.NO_CHANGES),
        Sample("change-emergency", "change.html", here, emergencies.BROKEN),
        Sample("change-emergency-review", "change.html", here, emergencies.TO_REVIEW),
        Sample("change-emergency-overdue", "change.html", here, emergencies.OVERDUE),
        Sample("change-emergency-reviewed", "change.html", here, emergencies.REVIEWED),
        Sample("emergency", "emergency.html", here, emergencies.EMERGENCY),
        Sample("emergency-problems", "emergency.html", here, emergencies.REFUSED),
        Sample("emergency-blocked", "emergency.html", here, emergencies.BLOCKED),
        Sample("ask", "ask.html", here, asked),
        Sample("ask-urgent-by-others", "ask.html", here, replace(asked, urgent=_OTHERS, urgent_href="")),
        Sample("ask-problems", "ask.html", here, no_reason),
        Sample("ask-existing", "ask.html", here, replace(asked, existing="CH-1042", existing_href="/changes/CH-1042")),
    )


def _home() -> tuple[Sample, ...]:
    return (
        Sample("home", "home.html", shell("/"), pages.HOME),
        Sample("home-empty", "home.html", shell("/"), pages.EMPTY_HOME),
    )


def _decisions() -> tuple[Sample, ...]:
    here = shell("/decisions")
    return (
        Sample("decisions", "decisions.html", here, pages.DECISIONS),
        Sample("decision-denied", "decision.html", here, pages.DECISION),
        Sample("decision-allowed", "decision.html", here, pages.ALLOWED_DECISION),
        Sample("decision-unknown", "decision.html", here, pages.UNKNOWN_DECISION),
        Sample("decision-long-names", "decision.html", here, pages.LONG_DECISION),
    )


def _quotas() -> tuple[Sample, ...]:
    here = shell("/quotas")
    return (
        Sample("quotas", "quotas.html", here, pages.TREE),
        Sample("quotas-deep", "quotas.html", here, pages.DEEP_TREE),
        Sample("quotas-empty", "quotas.html", here, replace(pages.TREE, sentence="Nothing is limited yet.", nodes=())),
        Sample("quota", "quota.html", here, pages.NODE),
        Sample("quota-empty", "quota.html", here, pages.EMPTY_NODE),
    )


def _others() -> tuple[Sample, ...]:
    here, mails = shell(""), shell("/demo/mails")
    return (
        Sample("sign-in", "sign_in.html", NOBODY, pages.SIGN_IN),
        Sample("sign-in-demo", "sign_in.html", NOBODY, pages.DEMO_SIGN_IN),
        *(Sample(f"error-{one.status}", "error.html", here, one) for one in pages.ERRORS),
        Sample("error-nobody", "error.html", NOBODY, pages.ERRORS[0]),
        Sample("search", "search.html", here, pages.SEARCH),
        Sample("search-nothing", "search.html", here, pages.NO_HITS),
        Sample("mails", "mails.html", mails, pages.MAILS),
        Sample("mails-empty", "mails.html", mails, pages.NO_MAILS),
        Sample("mail", "mails.html", mails, pages.OPEN_MAIL),
        Sample("keys", "keys.html", here, pages.KEYS),
    )
