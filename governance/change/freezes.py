"""Freezes: calendar windows in which changes are refused, and the approval rules beside them. Policy reads both.

A calendar is expanded a horizon ahead when it is applied, and further by `extend_calendars`, so that an admission
reads rows and computes no recurrence.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Engine, Select, delete, select
from sqlmodel import Session, col

from governance.change.ical import expand
from governance.change.tables import ApprovalRule, Freeze, FreezeCalendar
from governance.db.elements import among, keys_in
from governance.db.session import transaction

HORIZON = timedelta(days=400)
_EXTEND_WITHIN = timedelta(days=370)


def freezes_select(path: ColumnElement[Any], now: datetime | ColumnElement[Any]) -> Select[*tuple[Any, ...]]:
    """The freezes that hold at an instant on a path.

    Args:
        path: SQL that yields a JSON list of node ids.
        now: the database's time (`database_now()`), or an instant.
    """
    return (
        select(col(Freeze.calendar), col(Freeze.summary), col(Freeze.environments), col(Freeze.ends_at))
        .where(among(col(Freeze.node_id), keys_in(path)), col(Freeze.starts_at) <= now, col(Freeze.ends_at) > now)
        .order_by(col(Freeze.ends_at), col(Freeze.id))
    )


def rules_select(path: ColumnElement[Any]) -> Select[*tuple[Any, ...]]:
    """The approval rules on a path, given as for `freezes_select`."""
    return (
        select(col(ApprovalRule.name), col(ApprovalRule.node_id), col(ApprovalRule.when), col(ApprovalRule.require))
        .where(among(col(ApprovalRule.node_id), keys_in(path)))
        .order_by(col(ApprovalRule.name))
    )


def freezes_between(session: Session, nodes: Sequence[UUID], start: datetime, end: datetime) -> list[Freeze]:
    """The freezes at any of these nodes that touch [start, end), in order of time: for banners and calendars."""
    query = (
        select(Freeze)
        .where(col(Freeze.node_id).in_(nodes), col(Freeze.starts_at) < end, col(Freeze.ends_at) > start)
        .order_by(col(Freeze.starts_at), col(Freeze.id))
    )
    return list(session.scalars(query))


def set_calendar(
    session: Session,
    name: str,
    node_id: UUID,
    environments: Sequence[str],
    text: str,
    time_zone: str,
    now: datetime,
) -> int:
    """Make this the calendar of that name: it holds at the node and below, from now on. What is past stays.

    Args:
        environments: empty: all.
        text: iCalendar.
        time_zone: of whole days and floating times.

    Returns:
        how many windows lie ahead, within the horizon.

    Raises:
        BadInput: the text is not a calendar that can be expanded; see `ical.expand`.
    """
    until = now + HORIZON
    windows = expand(text, time_zone, now, until)
    session.merge(
        FreezeCalendar(
            name=name,
            node_id=node_id,
            environments=list(environments),
            text=text,
            time_zone=time_zone,
            expanded_until=until,
        )
    )
    _forget_what_is_ahead(session, name, now)
    for window in windows:
        session.add(
            Freeze(
                calendar=name,
                summary=window.summary or name,
                node_id=node_id,
                environments=list(environments),
                starts_at=window.starts_at,
                ends_at=window.ends_at,
            )
        )
    session.flush()
    return len(windows)


def remove_calendar(session: Session, name: str, now: datetime) -> None:
    """End a calendar: it holds no longer. What is past stays."""
    session.exec(delete(FreezeCalendar).where(col(FreezeCalendar.name) == name))
    _forget_what_is_ahead(session, name, now)


def extend_calendars(engine: Engine, now: datetime) -> int:
    """Expand every calendar whose horizon has come near; run daily. Returns how many were expanded."""
    with transaction(engine) as session:
        query = select(FreezeCalendar).where(col(FreezeCalendar.expanded_until) < now + _EXTEND_WITHIN)
        due = list(session.scalars(query.with_for_update(skip_locked=True)))
        for one in due:
            set_calendar(session, one.name, one.node_id, one.environments, one.text, one.time_zone, now)
        return len(due)


def _forget_what_is_ahead(session: Session, name: str, now: datetime) -> None:
    session.exec(delete(Freeze).where(col(Freeze.calendar) == name, col(Freeze.ends_at) > now))
