"""Quotas for pages: the tree, and one department or project."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from sqlmodel import Session, col, select

from governance.change.model import show_number
from governance.change.tables import ChangeRequest, Grant
from governance.errors import Forbidden, NotFound
from governance.identity.model import Permission
from governance.identity.organisation import owner_of
from governance.identity.tables import Node
from governance.quota.model import LIVE
from governance.quota.show import Status
from governance.quota.tables import Allowance, Breach, Charge
from governance.units import ResourceList
from governance.web.formats import number
from governance.web.queries.meters import Ledger, fullness, ledger_of, short_list
from governance.web.reader import Nodes, Reader, href_of, nodes_of
from governance.web.sentences import kind_title
from governance.web.views.parts import Badge, Fact, Number
from governance.web.views.quota import ChargeLine, NodePage, QuotaRow, QuotaTree, TreeNode
from governance.wording import SPACE, amount_text, measured, noun, percent, phrase, resource_title, unit_for

_TREE_METERS = 2
_CHARGES_SHOWN = 50
_STATES = {
    "held": Badge("Reserved", "hourglass", "info"),
    "confirmed": Badge("Running", "circle-check", "good"),
}


def quota_tree(session: Session, reader: Reader) -> QuotaTree:
    """Everything that the reader may see, from each top down."""
    nodes = nodes_of(session)
    visible = nodes.visible(reader.principal, Permission.QUOTA_READ)
    ledger = ledger_of(session, visible)
    tops = [one for one in visible if nodes.by_id[one].parent_id not in visible and not nodes.by_id[one].retired_at]
    lines = [
        line for top in sorted(tops, key=lambda one: nodes.by_id[one].title) for line in _branch(top, 0, nodes, ledger)
    ]
    return QuotaTree(_tree_sentence(ledger, nodes), reader.moment(reader.now), tuple(lines))


def _branch(top: UUID, depth: int, nodes: Nodes, ledger: Ledger) -> list[TreeNode]:
    node = nodes.by_id[top]
    meters, more = short_list(ledger, node.id, _TREE_METERS)
    here = TreeNode(node.title, href_of(node), node.kind, depth, node.environment or "", meters, more)
    below = sorted(nodes.children.get(node.id, ()), key=lambda one: (one.kind == "department", one.title.casefold()))
    return [here, *(line for child in below for line in _branch(child.id, depth + 1, nodes, ledger))]


def _tree_sentence(ledger: Ledger, nodes: Nodes) -> str:
    rows = [(node, row) for node in ledger.standing for row in ledger.at(node) if row.hard is not None]
    if not rows:
        return "No limit is set yet."
    node, row = max(rows, key=lambda one: fullness(one[1]))
    limit, title = row.limit or 0, nodes.by_id[node].title
    if row.taken == 0:
        return "Nothing is taken yet, so every limit has room."
    name = noun(row.resource)
    if row.taken > limit:
        return f"{title} is over its limit: it takes {percent(row.taken, limit)} of its {name}."
    share = f"{percent(row.taken, limit)} of its {name} {'are' if name.endswith('s') else 'is'} taken"
    return f"{title} comes nearest to a limit: {share}."


def node_page(session: Session, reader: Reader, kind: str, name: str) -> NodePage:
    """One department or project. Raises NotFound or Forbidden."""
    nodes = nodes_of(session)
    node = _find(nodes, reader, kind, name)
    ledger = ledger_of(session, [node.id, *(child.id for child in nodes.children.get(node.id, ()))])
    charges = _charges(session, node)
    children = [line for child in nodes.children.get(node.id, ()) for line in _branch(child.id, 0, nodes, ledger)[:1]]
    rows = ledger.at(node.id)
    return NodePage(
        title=node.title,
        kind=node.kind,
        sentence=_node_sentence(node, rows, nodes),
        as_of=reader.moment(reader.now),
        path=_path(node, nodes, reader),
        meters=tuple(ledger.meters(node.id)),
        rows=tuple(_row(row) for row in rows),
        children=tuple(children),
        charges=tuple(_charge(one, nodes, reader) for one in charges[:_CHARGES_SHOWN]),
        more_charges=max(0, len(charges) - _CHARGES_SHOWN),
        allowances=_allowances(session, node, reader),
        breaches=_breaches(session, node, reader),
        facts=(*_owner(session, node, nodes), *_facts(node)),
    )


def _find(nodes: Nodes, reader: Reader, kind: str, name: str) -> Node:
    found = next((one for one in nodes.by_id.values() if (one.kind, one.name) == (kind, name)), None)
    if found is None:
        raise NotFound(f"There is no {kind} {name}.", field="name", remedy="Look through the tree of quotas.")
    if found.id not in nodes.visible(reader.principal, Permission.QUOTA_READ):
        raise Forbidden(
            f"{reader.principal.display_name} may not see the quota of {found.title}.",
            remedy="Ask an administrator for a role there.",
        )
    return found


def _path(node: Node, nodes: Nodes, reader: Reader) -> tuple[Fact, ...]:
    visible = nodes.visible(reader.principal, Permission.QUOTA_READ)
    above = tuple(reversed(nodes.path(node.id)[1:]))
    return (*(Fact("", one.title, href=href_of(one)) for one in above if one.id in visible), Fact("", node.title))


def _node_sentence(node: Node, rows: tuple[Status, ...], nodes: Nodes) -> str:
    limited = [row for row in rows if row.hard is not None]
    if not limited:
        return f"No limit is set for {node.title} itself; what it takes counts against those above it."
    row = max(limited, key=fullness)
    limit, hard = row.limit or 0, row.hard or 0
    unit = unit_for(row.resource, (row.taken, limit, hard))
    what = measured(noun(row.resource), unit)
    said = (
        f"{node.title} takes {amount_text(row.taken, unit)} of the {amount_text(limit, unit)}{SPACE}{what} that it may"
    )
    if row.borrowed:
        parent = nodes.by_id.get(node.parent_id) if node.parent_id else None
        borrows = parent is not None and row.borrowed <= (row.borrowing or 0)
        lender = f" borrowed from {parent.title}" if parent and borrows else " beyond its own limit"
        return f"{said}, {amount_text(row.borrowed, unit)} of them{lender}."
    return f"{said}."


def _row(row: Status) -> QuotaRow:
    amounts = (row.used, row.held, row.kept, row.hard or 0, row.limit or 0, row.lending or 0)
    unit = unit_for(row.resource, amounts)

    def show(amount: int | None) -> Number | None:
        return None if amount is None else Number(*_bare(number(row.resource, amount, unit)))

    return QuotaRow(
        title=resource_title(row.resource),
        resource=row.resource,
        unit=unit.label,
        used=show(row.used) or Number("0"),
        held=show(row.held) or Number("0"),
        kept=show(row.kept) or Number("0"),
        available=show(row.available),
        hard=show(row.hard),
        borrowed=show(row.borrowed or None),
        lends=show(row.lending),
        rule=row.rule,
    )


def _bare(shown: Number) -> tuple[str, str, str]:
    """Without the unit, which stands at the row's head."""
    return shown.text, "", shown.exact


def _charges(session: Session, node: Node) -> list[Charge]:
    """The live charges at or below the node, newest first."""
    query = select(Charge).where(col(Charge.state).in_(LIVE)).order_by(col(Charge.updated_at).desc())
    return [one for one in session.exec(query) if str(node.id) in one.path and any(one.level.values())]


def _charge(row: Charge, nodes: Nodes, reader: Reader) -> ChargeLine:
    level: Mapping[str, int] = ResourceList(row.level)
    named = [name for name in sorted(level) if not name.startswith(("count/", "limits."))]
    waiting = row.state == "confirmed" and row.level != row.confirmed
    return ChargeLine(
        title=row.native_id,
        kind=f"{kind_title(row.kind)} on {row.scope}",
        project=nodes.label(row.project_id),
        state=Badge("Changing", "progress", "info") if waiting else _STATES[row.state],
        amounts=tuple(phrase(name, level[name]) for name in named),
        since=reader.clock(row.created_at),
        decision_href=f"/decisions/{row.decision_id}" if row.decision_id else "",
    )


def _allowances(session: Session, node: Node, reader: Reader) -> tuple[Fact, ...]:
    query = (
        select(Allowance, ChangeRequest.number, Charge.native_id)
        .join(Grant, col(Grant.id) == col(Allowance.grant_id))
        .join(ChangeRequest, col(ChangeRequest.id) == col(Grant.change_id))
        .join(Charge, col(Charge.id) == col(Allowance.charge_id))
        .where(Allowance.node_id == node.id, col(Allowance.ended_at).is_(None), Allowance.until > reader.now)
        .order_by(col(Allowance.until))
    )
    return tuple(
        Fact(
            phrase(row.resource, row.amount),
            show_number(change),
            f"for {native_id} until {reader.deadline(row.until).text}",
            f"/changes/{show_number(change)}",
        )
        for row, change, native_id in session.exec(query)
    )


def _breaches(session: Session, node: Node, reader: Reader) -> tuple[Fact, ...]:
    query = select(Breach).where(Breach.node_id == node.id, col(Breach.closed_at).is_(None))
    return tuple(
        Fact(
            f"{phrase(row.resource, row.over)} over the limit",
            f"since {reader.clock(row.opened_at).text}.",
            "What exists is recorded and keeps running; increases are refused.",
        )
        for row in session.exec(query.order_by(col(Breach.opened_at)))
    )


def _owner(session: Session, node: Node, nodes: Nodes) -> tuple[Fact, ...]:
    found = owner_of(session, nodes.path(node.id))
    if found is None:
        return (Fact("Owner", "nobody", "so only whoever asked is told when an allowance ends."),)
    person, at = found
    return (Fact("Owner", person.display_name, "" if at.id == node.id else f"who owns {at.title}"),)


def _facts(node: Node) -> tuple[Fact, ...]:
    found = [Fact("Name", node.name, mono=True), Fact("Currency", node.currency)]
    optional = (
        ("Environment", node.environment),
        ("Cost centre", node.cost_centre),
        ("Legal entity", node.legal_entity),
    )
    found += [Fact(title, value) for title, value in optional if value]
    found += [Fact("Label", f"{name}={value}", mono=True) for name, value in sorted(node.labels.items())]
    return tuple(found)
