"""Decisions for pages: the list, and one decision explained."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, func, or_
from sqlmodel import Session, col, select

from governance.admission.asking import asks_of, labels_of
from governance.admission.tables import DecisionRow
from governance.admission.visible import may_see, visible
from governance.change.model import show_number
from governance.change.tables import ChangeRequest, Grant
from governance.errors import BadInput, Forbidden, NotFound
from governance.identity.model import Permission
from governance.policy.model import Rule
from governance.units import ResourceList, show_amount
from governance.web.formats import number
from governance.web.queries.trail import events_of
from governance.web.reader import Nodes, Reader, href_for, nodes_of
from governance.web.sentences import asked, consequence, decided, kind_title, reasons
from governance.web.urls import with_query
from governance.web.views.change import Filter
from governance.web.views.decision import DecisionLine, DecisionList, DecisionPage, QuotaFact, Reason
from governance.web.views.parts import Badge, Choice, Difference, Event, Fact
from governance.wording import SPACE, percent, resource_title, scarcest_first, things, unit_for

PAGE_SIZE = 30
SHORT_ID = 8
BADGES = {"allow": Badge("Allowed", "circle-check", "good"), "deny": Badge("Denied", "circle-x", "bad")}
_DIGEST_SHOWN = 12
_NOTHING = "–"
_CHANGE_TITLES = {
    "spec.replicas": "Replicas",
    "spec.parallelism": "Parallelism",
    "spec.completions": "Completions",
    "image": "Image",
}
_CONTAINER = re.compile(r"ontainers\[([^]]+)\]\.(.+)$")  # containers, initContainers
_DAYS = (("1", "1 day"), ("7", "7 days"), ("30", "30 days"), ("ever", "Ever"))


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a list is asked for, as it stands in the query string."""

    outcome: str = ""
    days: str = "7"
    text: str = ""
    before: str = ""  # a decision's id: older than it


def decision_list(session: Session, reader: Reader, wanted: Wanted) -> DecisionList:
    """The decisions that the reader may see, newest first."""
    nodes = nodes_of(session)
    conditions = _conditions(reader, nodes, wanted)
    count, denied = _counts(session, conditions)
    if wanted.before:
        conditions.append(col(DecisionRow.id) < _id(wanted.before))
    query = select(DecisionRow).where(*conditions).order_by(col(DecisionRow.id).desc()).limit(PAGE_SIZE + 1)
    rows = session.exec(query).all()
    filtered = bool(wanted.outcome or wanted.text or wanted.days != "7")
    within = f" in the last {dict(_DAYS)[wanted.days]}" if wanted.days in dict(_DAYS) and wanted.days != "ever" else ""
    return DecisionList(
        sentence=f"{things(count, 'decision')}{within}; {denied} of them denied."
        if count
        else f"Nothing was decided{within}.",
        filters=_filters(wanted),
        text=wanted.text,
        lines=tuple(_line(row, nodes, reader) for row in rows[:PAGE_SIZE]),
        empty_title="No decision fits" if filtered else "Nothing was decided yet",
        empty_text="Other words or a longer time may find what you look for."
        if filtered
        else "Each request that wants more than there is appears here, allowed or denied.",
        older=_older(wanted, rows[PAGE_SIZE - 1]) if len(rows) > PAGE_SIZE else "",
        filtered=filtered,
    )


def _conditions(reader: Reader, nodes: Nodes, wanted: Wanted) -> list[ColumnElement[bool]]:
    found = [visible(reader.principal, nodes.visible(reader.principal, Permission.DECISION_READ))]
    if wanted.outcome in BADGES:
        found.append(col(DecisionRow.outcome) == wanted.outcome)
    if wanted.days.isdigit() and len(wanted.days) <= 4:
        found.append(col(DecisionRow.last_seen_at) >= reader.now - timedelta(days=int(wanted.days)))
    if wanted.text:
        word = wanted.text.casefold()
        named = [one.id for one in nodes.by_id.values() if word in nodes.label(one.id) or word in one.title.casefold()]
        columns = (col(DecisionRow.name), col(DecisionRow.namespace), col(DecisionRow.actor), col(DecisionRow.scope))
        matches = [one.icontains(wanted.text, autoescape=True) for one in columns]
        found.append(or_(*matches, col(DecisionRow.project_id).in_(named)))
    return found


def _counts(session: Session, conditions: Sequence[ColumnElement[bool]]) -> tuple[int, int]:
    query = select(DecisionRow.outcome, func.count()).where(*conditions).group_by(DecisionRow.outcome)
    found = dict(session.exec(query).all())
    return sum(found.values()), found.get("deny", 0)


def _filters(wanted: Wanted) -> tuple[Filter, ...]:
    outcomes = (("", "Any"), ("deny", "Denied"), ("allow", "Allowed"))
    return (
        Filter("outcome", "Outcome", tuple(Choice(one, title, one == wanted.outcome) for one, title in outcomes)),
        Filter("days", "Within", tuple(Choice(one, title, one == wanted.days) for one, title in _DAYS)),
    )


def _older(wanted: Wanted, last: DecisionRow) -> str:
    values = {"outcome": wanted.outcome, "days": wanted.days, "text": wanted.text, "before": str(last.id)}
    return with_query("/decisions", values)


def _line(row: DecisionRow, nodes: Nodes, reader: Reader) -> DecisionLine:
    return DecisionLine(
        href=f"/decisions/{row.id}",
        sentence=f"{asked(row)}.",
        status=BADGES[row.outcome],
        where=nodes.label(row.project_id) or row.namespace,
        who=f"by {row.actor} in {row.scope}",
        at=reader.moment(row.at),
        times=row.count,
        why=" ".join(reasons(row.violations, nodes.titles())),
    )


def _id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise BadInput("This is not a decision's id.", field="before", remedy="Take the link as it is.") from None


def find_decision(session: Session, text: str, nodes: Nodes, reader: Reader) -> DecisionRow:
    """The decision, if the reader may see it. Raises NotFound or Forbidden."""
    try:
        row = session.get(DecisionRow, UUID(text))
    except ValueError:
        row = None
    if row is None:
        raise NotFound("There is no such decision.", field="decision", remedy="Take the link from the answer again.")
    if not may_see(row, reader.principal, nodes.visible(reader.principal, Permission.DECISION_READ)):
        raise Forbidden(
            f"{reader.principal.display_name} may not see decisions of {nodes.label(row.project_id) or row.namespace}.",
            remedy="Ask an administrator for a role there.",
        )
    return row


def decision_page(session: Session, reader: Reader, text: str, rules: Mapping[str, Rule]) -> DecisionPage:
    """One decision, explained from what was stored with it. Raises NotFound or Forbidden."""
    nodes = nodes_of(session)
    row = find_decision(session, text, nodes, reader)
    labels = labels_of(session, row.path)
    asks = asks_of(row, labels | {one["node"]: "" for one in row.facts.get("quota", ()) if one["node"] not in labels})
    change = _change_of(session, row)
    denied = row.outcome == "deny"
    titles = nodes.titles()
    return DecisionPage(
        name=str(row.id)[-SHORT_ID:],
        sentence=decided(row),
        consequence=consequence(asks.quota, titles) if asks.quota else "",
        status=BADGES[row.outcome],
        at=reader.moment(row.at),
        times=row.count,
        last_seen=reader.moment(row.last_seen_at),
        differences=differences_of(asks.changes, asks.before, asks.after, row),
        request=request_facts(row, nodes, reader),
        violations=_reasons(row.violations, rules, titles),
        warnings=_reasons(row.warnings, rules, titles),
        quota=tuple(
            _quota(one, labels, nodes, reader) for one in sorted(row.facts.get("quota", ()), key=_pressed, reverse=True)
        ),
        known=_known(row, reader),
        versions=_versions(row),
        approvals=_approvals(session, row, reader),
        trail=events_of(session, "decision", str(row.id), reader),
        document=json.dumps(row.facts, indent=2, ensure_ascii=False) if row.facts else "",
        ask_href=f"/ask/{row.id}" if denied and row.askable and change is None else "",
        change_name=show_number(change.number) if change else "",
        change_href=f"/changes/{show_number(change.number)}" if change else "",
    )


def _change_of(session: Session, row: DecisionRow) -> ChangeRequest | None:
    """The change that was used for an allow, or that answers a denial; the newest one."""
    if row.grant_id is not None:
        grant = session.get(Grant, row.grant_id)
        return session.get(ChangeRequest, grant.change_id) if grant else None
    if row.outcome == "allow":
        return None
    query = select(ChangeRequest).where(
        or_(col(ChangeRequest.decision_id) == row.id, col(ChangeRequest.open_digest) == row.digest)
    )
    return session.exec(query.order_by(col(ChangeRequest.number).desc())).first()


def differences_of(
    changes: Mapping[str, Any], before: ResourceList, after: ResourceList, row: DecisionRow | None
) -> tuple[Difference, ...]:
    """What changes, line by line: governed fields, then resources. Images are shown by the end of their digest."""
    found = []
    subject = f"{kind_title(row.kind)} {row.name}" if row else ""
    if row is not None and row.operation == "CREATE":
        found.append(Difference(kind_title(row.kind), _NOTHING, row.name or "new", row.namespace))
    else:
        found += [_field(path, _stood(row, path), value, subject) for path, value in sorted(changes.items())]
    for name in sorted(set(before) | set(after), key=scarcest_first):
        if before[name] == after[name]:
            continue
        unit = unit_for(name, (before[name], after[name]))
        values = [number(name, amount, unit) for amount in (before[name], after[name])]
        texts = [f"{one.text}{SPACE}{one.unit}" if one.unit else one.text for one in values]
        found.append(Difference(resource_title(name), *texts))
    return tuple(found)


def _field(path: str, stood: str, value: Any, subject: str) -> Difference:  # noqa: ANN401  (any JSON value)
    """A governed field: of a container it says which one, and not the whole path to it."""
    of_container = _CONTAINER.search(path)
    if of_container is None:
        return Difference(_CHANGE_TITLES.get(path, path), stood, _shown(value), subject)
    container, name = of_container.groups()
    return Difference(_CHANGE_TITLES.get(name, name), stood, _shown(value), f"{subject}, container {container}")


def _stood(row: DecisionRow | None, path: str) -> str:
    return _shown(row.changes_before[path]) if row and path in row.changes_before else _NOTHING


def _shown(value: Any) -> str:  # noqa: ANN401  (any JSON value)
    if value is None:
        return _NOTHING
    if isinstance(value, str) and "@sha256:" in value:
        image, _, digest = value.partition("@sha256:")
        return f"{image.rpartition('/')[2]}@sha256:{digest[:_DIGEST_SHOWN]}…"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else f"{text[:79]}…"


def request_facts(row: DecisionRow, nodes: Nodes, reader: Reader) -> tuple[Fact, ...]:
    """Who asked, from where, for which project."""
    project = nodes.by_id.get(row.project_id) if row.project_id else None
    found = [
        Fact("Asked by", row.actor, f"on {row.scope}"),
        Fact("Object", f"{kind_title(row.kind)} {row.name}", row.namespace),
    ]
    if project is not None:
        found.append(
            Fact("Project", nodes.label(project.id), project.environment or "", href_for(project, nodes, reader))
        )
    images = row.facts.get("request", {}).get("images", ())
    found += [Fact("Image", _shown(one), mono=True) for one in images[:5]]
    return tuple(found)


def _reasons(
    found: Sequence[Mapping[str, Any]], rules: Mapping[str, Rule], titles: Mapping[str, str]
) -> tuple[Reason, ...]:
    sentences = reasons(found, titles)
    return tuple(
        Reason(
            sentence,
            rules[one["code"]].title if one["code"] in rules else "",
            one["code"],
            rules[one["code"]].solution if one["code"] in rules else "",
        )
        for one, sentence in zip(found, sentences, strict=True)
    )


def _pressed(one: Mapping[str, Any]) -> tuple[bool, int]:
    """What is pressed hardest first, what has no limit last."""
    limit = one["limit"]
    return limit is not None, (one["used"] + one["increase"]) * 1_000_000 // max(limit or 1, 1)


def _quota(one: Mapping[str, Any], labels: Mapping[str, str], nodes: Nodes, reader: Reader) -> QuotaFact:
    name, limit, after = one["resource"], one["limit"], one["used"] + one["increase"]
    unit = unit_for(name, (one["used"], one["increase"], limit or 0))
    node = nodes.by_id.get(UUID(labels[one["node"]])) if one["node"] in labels else None
    return QuotaFact(
        node=node.title if node else one["node"],
        href=href_for(node, nodes, reader) if node else "",
        resource=resource_title(name),
        increase=number(name, one["increase"], unit),
        used=number(name, one["used"], unit),
        limit=None if limit is None else number(name, limit, unit),
        after="–" if limit is None else percent(after, limit),
        over=limit is not None and one["increase"] > 0 and after > limit,
    )


def _known(row: DecisionRow, reader: Reader) -> tuple[Fact, ...]:
    facts = row.facts
    if not facts:
        return (Fact("Nothing", "it was denied before policy was asked"),)
    project, cluster = facts["project"], facts["cluster"]
    labels = ", ".join(f"{name}={value}" for name, value in sorted(cluster["labels"].items()))
    marks = ", ".join(f"{name}={value}" for name, value in sorted(project["labels"].items()))
    found = [
        Fact("Project", f"{project['department']}/{project['name']}", marks),
        Fact("Environment", project["environment"] or "none is named"),
        Fact("Cluster", cluster["name"], labels),
        *(Fact("Freeze", one["summary"], f"until {_until(one, reader)}") for one in facts["freezes"]),
        *(Fact("Approval rule", one["name"], f"at {one['node']}") for one in facts["approval_rules"]),
        *(Fact(f"Checkpoint {one['type']}", one["image"], _passed(one)) for one in facts.get("checkpoints", ())),
        *(Fact("Budget", one["name"], _spent(one)) for one in facts.get("budgets", ())),
    ]
    if not facts["freezes"]:
        found.append(Fact("Freeze", "none in force"))
    if facts["grant"]:
        found.append(Fact("Approval", facts["grant"]["change"], "used", f"/changes/{facts['grant']['change']}"))
    return tuple(found)


def _passed(asked: Mapping[str, Any]) -> str:
    """How a checkpoint that was asked for stood."""
    results = {"pass": "passed", "fail": "failed", None: "none for its digest" if asked["digest"] else "has no digest"}
    return f"{results[asked['result']]}, asked for at {asked['node']}"


def _spent(budget: Mapping[str, Any]) -> str:
    amounts = (show_amount("credits", budget[name]) for name in ("exposure", "budget"))
    return f"{' of '.join(amounts)} {budget['currency']} by the end of the month, at {budget['node']}"


def _until(freeze: Mapping[str, Any], reader: Reader) -> str:
    return reader.deadline(datetime.fromtimestamp(freeze["ends_at_s"], UTC)).text


def _versions(row: DecisionRow) -> tuple[Fact, ...]:
    return (
        Fact("Policy", row.policy_digest[:_DIGEST_SHOWN], "SHA-256 of the rules in force", mono=True),
        Fact("Configuration", f"revision {row.config_revision}"),
        Fact("Decision", str(row.id), mono=True),
        Fact("Request", row.request_uid, "the id that the cluster gave it", mono=True),
        Fact("Digest", f"{row.digest[:_DIGEST_SHOWN]}…", "of what was asked; an approval is bound to it", mono=True),
    )


def _approvals(session: Session, row: DecisionRow, reader: Reader) -> tuple[Event, ...]:
    change = _change_of(session, row) if row.grant_id else None
    if change is None:
        return ()
    said = events_of(session, "change", show_number(change.number), reader)
    return tuple(one for one in said if one.icon == "check")
