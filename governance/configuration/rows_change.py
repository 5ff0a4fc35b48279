"""Approval rules and freeze calendars become rows of the change room."""

from __future__ import annotations

from sqlmodel import select

from governance.change.freezes import remove_calendar, set_calendar
from governance.change.tables import ApprovalRule as ApprovalRuleRow
from governance.configuration.specs import ApprovalRule, FreezeCalendar, amounts
from governance.configuration.writing import Writing, node_ids


def write(writing: Writing) -> None:
    """Make rules and calendars as wanted."""
    _write_rules(writing)
    _write_calendars(writing)


def _write_rules(writing: Writing) -> None:
    session, nodes = writing.session, node_ids(writing.session)
    rows = {one.name: one for one in session.exec(select(ApprovalRuleRow))}
    wanted = writing.wanted.specs(ApprovalRule)
    for name, rule in wanted.items():
        row = rows.get(name) or ApprovalRuleRow(name=name, node_id=nodes[rule.at])
        row.node_id = nodes[rule.at]
        row.when = {
            "environments": rule.when.environments,
            "kinds": rule.when.kinds,
            "above": amounts(rule.when.above),
            "overrun": rule.when.overrun,
        }
        row.require = [
            {"group": one.group, "minimum": one.minimum, "deny_minimum": one.deny_minimum} for one in rule.require
        ]
        session.add(row)
    for name in rows.keys() - wanted.keys():
        session.delete(rows[name])
    session.flush()


def _write_calendars(writing: Writing) -> None:
    """Only what changed: a calendar that stands as it was keeps the windows that decisions were made in."""
    nodes, wanted = node_ids(writing.session), writing.wanted.specs(FreezeCalendar)
    for one in writing.plan.differences:
        if one.kind != "FreezeCalendar":
            continue
        if one.action == "delete":
            remove_calendar(writing.session, one.name, writing.now)
            continue
        spec = wanted[one.name]
        text = spec.calendar or ""
        set_calendar(writing.session, one.name, nodes[spec.at], spec.environments, text, spec.time_zone, writing.now)
