"""Gapless numbers: drawn inside the transaction that uses them, so that one that fails leaves no gap."""

from __future__ import annotations

from sqlalchemy import update
from sqlmodel import Session, col, select

from governance.db.insert import insert_into
from governance.db.tables import Counter


def lock(session: Session, name: str) -> int:
    """The last number drawn, 0 at first; nobody else draws until this transaction ends."""
    session.execute(insert_into(session, Counter).values(name=name, value=0).on_conflict_do_nothing())
    return session.exec(select(Counter.value).where(Counter.name == name).with_for_update()).one()


def draw(session: Session, name: str, count: int = 1) -> range:
    """The next numbers, from 1 on."""
    last = lock(session, name)
    session.execute(update(Counter).where(col(Counter.name) == name).values(value=last + count))
    return range(last + 1, last + count + 1)
