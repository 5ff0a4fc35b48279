"""From a decision to what can be asked for: the denial as the change room takes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlmodel import Session, col, select

from governance.admission.sentences import sentence
from governance.admission.tables import DecisionRow
from governance.change.model import Asks, Denial, QuotaRow
from governance.errors import BadInput, NotFound
from governance.identity.tables import Node
from governance.policy.model import Finding, Need
from governance.units import ResourceList
from governance.wording import is_gpu, listed, phrase, scarcest_first

_NAMED = 2  # more resources than these are not named in a sentence; where GPUs rise, they alone are


def decision_of(session: Session, decision_id: UUID) -> DecisionRow:
    """The decision. Raises NotFound."""
    row = session.get(DecisionRow, decision_id)
    if row is None:
        raise NotFound("There is no such decision.", field="decision", remedy="Take the link from the answer again.")
    return row


def denial_of(session: Session, row: DecisionRow) -> Denial:
    """The denial that a change request would answer, exactly as it was decided.

    Raises:
        BadInput: the request was allowed, no project pays for it, or the organisation changed since.
    """
    if row.outcome != "deny" or row.project_id is None:
        raise BadInput(
            "This decision refused nothing that a project could be granted.",
            field="decision",
            remedy="Ask for what was denied only.",
        )
    return Denial(
        decision_id=row.id,
        digest=row.digest,
        subject=row.subject,
        target=f"{row.scope}/{row.kind}/{row.namespace}/{row.request['name']}",
        actor=row.actor,
        actor_id=row.person_id,
        project_id=row.project_id,
        path=tuple(row.path),
        asks=asks_of(row, labels_of(session, row.path)),
        approvals=tuple(Need(**one) for one in row.approvals),
        violations=tuple(dict.fromkeys(one["code"] for one in row.violations)),
        askable=row.askable,
    )


def labels_of(session: Session, path: Sequence[str]) -> dict[str, str]:
    """The nodes of a path by the name under which policy knew them (`admission.document`): name to id."""
    rows = session.exec(select(Node).where(col(Node.id).in_([UUID(one) for one in path]))).all()
    by_id = {str(one.id): one for one in rows}
    found = {by_id[one].name: one for one in path if one in by_id}
    if len(path) > 1 and path[0] in by_id and path[1] in by_id:
        found[f"{by_id[path[1]].name}/{by_id[path[0]].name}"] = path[0]
    return found


def asks_of(row: DecisionRow, labels: Mapping[str, str]) -> Asks:
    """What was asked for, and how the quota stood at that moment."""
    increase = ResourceList(row.facts.get("increase", {}))
    after = ResourceList(row.request.get("footprint", {}))
    before = (after - increase).positive()
    return Asks(
        what=what_is_asked(row, increase),
        before=before,
        after=after,
        quota=tuple(
            QuotaRow(
                node_id=_node_id(labels, one["node"]),
                node=one["node"],
                resource=one["resource"],
                increase=one["increase"],
                used=one["used"],
                limit=one["limit"],
                rule=one["rule"],
            )
            for one in row.facts.get("quota", ())
        ),
        images=tuple(row.facts.get("request", {}).get("images", ())),
        changes=row.request.get("changes", {}),
        denied_because=tuple(violation_sentences(row.violations)),
    )


def _node_id(labels: Mapping[str, str], label: str) -> str:
    if label not in labels:
        raise BadInput(
            f"{label} is called otherwise since this was denied, or is gone.",
            field="decision",
            remedy="Repeat the request; the new answer holds a new link.",
        )
    return labels[label]


def what_is_asked(row: DecisionRow, increase: ResourceList) -> str:
    """`6 more GPUs and 12 more cores of CPU in radiology/ct-training`: what rises, in the words of a sentence."""
    rising = [name for name in sorted(increase, key=scarcest_first) if not name.startswith(("count/", "limits."))]
    named = [name for name in rising if is_gpu(name)] or rising[:_NAMED]
    what = listed(phrase(name, increase[name], more=True) for name in named) or f"a change of {row.name}"
    return f"{what} in {where(row)}"


def where(row: DecisionRow) -> str:
    """`radiology/ct-training`: the department and the project that pay; the namespace where none does."""
    project: Mapping[str, Any] = row.facts.get("project", {})
    if not project:
        return row.namespace
    return f"{project['department']}/{project['name']}" if project["department"] else str(project["name"])


def violation_sentences(found: Sequence[Mapping[str, Any]]) -> list[str]:
    """Violations or warnings as they are stored, in words."""
    return [sentence(Finding(one["code"], {name: one[name] for name in one if name != "code"})) for one in found]
