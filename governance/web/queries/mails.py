"""The mails of the demo, out of the outbox."""

from __future__ import annotations

from uuid import UUID

from sqlmodel import Session, col, select

from governance.errors import NotFound
from governance.notify.email import plain
from governance.notify.tables import OutboxMessage
from governance.notify.texts import render
from governance.web.reader import Reader
from governance.web.views.other import Mail, Mails
from governance.web.views.parts import Badge
from governance.wording import things

_SHOWN = 100
_KEPT = Badge("Kept here", "mail", "neutral")
_SENT = Badge("Sent", "circle-check", "good")


def mails(session: Session, reader: Reader, public_url: str) -> Mails:
    """The mails, newest first."""
    query = select(OutboxMessage).where(OutboxMessage.channel == "email").order_by(col(OutboxMessage.id).desc())
    found = tuple(_mail(row, reader, public_url) for row in session.exec(query.limit(_SHOWN)))
    said = f"{things(len(found), 'mail')} {'was' if len(found) == 1 else 'were'} written." if found else ""
    return Mails(said or "No mail was written yet.", found)


def mail(session: Session, reader: Reader, mail_id: str, public_url: str) -> Mails:
    """One mail, opened. Raises NotFound."""
    try:
        row = session.get(OutboxMessage, UUID(mail_id))
    except ValueError:
        row = None
    if row is None or row.channel != "email":
        raise NotFound("There is no such mail.", remedy="Look in the list of mails.")
    opened = _mail(row, reader, public_url)
    return Mails("One mail of the demo, as it was written.", (), opened)


def _mail(row: OutboxMessage, reader: Reader, public_url: str) -> Mail:
    text = render(row.topic, row.payload, public_url)
    return Mail(
        href=f"/demo/mails/{row.id}",
        receiver=row.receiver,
        subject=text.subject,
        at=reader.moment(row.created_at),
        status=_SENT if row.delivered_at else _KEPT,
        body=plain(text),
    )
