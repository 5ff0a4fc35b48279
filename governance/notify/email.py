"""Mail: one message to one person, as plain text and simple HTML, by SMTP (RFC 5321, RFC 5322)."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr

from markupsafe import escape

from governance.notify.outbox import Channel, DeliveryFailed, Outgoing
from governance.notify.texts import Text, render
from governance.settings import Mail

TIMEOUT_S = 10


def email_channel(mail: Mail, public_url: str) -> Channel:
    """The channel that delivers mail by the configured server."""

    def deliver(message: Outgoing) -> None:
        _send(mail, compose(message, mail.sender, public_url))

    return deliver


def compose(message: Outgoing, sender: str, public_url: str) -> EmailMessage:
    """The mail. Its Message-ID comes from the outbox, so that a mail program recognises a duplicate as one.

    Raises DeliveryFailed for an address that cannot stand in a header.
    """
    text = render(message.topic, message.payload, public_url)
    domain = parseaddr(sender)[1].rpartition("@")[2] or "localhost"
    mail = EmailMessage(policy=SMTP)
    try:
        mail["From"] = sender
        mail["To"] = message.receiver
    except ValueError as error:
        raise DeliveryFailed(f"not an address: {error}", for_good=True) from error
    mail["Subject"] = text.subject
    mail["Date"] = format_datetime(message.created_at)
    mail["Message-ID"] = f"<{message.id}@{domain}>"
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody's holiday notice should answer
    mail["X-Governance-Subject"] = message.subject_id
    mail.set_content(plain(text))
    mail.add_alternative(html(text), subtype="html")
    return mail


def plain(text: Text) -> str:
    """The plain part."""
    return "\n\n".join([*text.paragraphs, f"{text.act}:\n{text.link}"]) + "\n"


def html(text: Text) -> str:
    """The HTML part: the same words. Every value is escaped."""
    paragraphs = "".join(f"<p>{escape(paragraph)}</p>\n" for paragraph in text.paragraphs)
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(text.subject)}</title></head>\n'
        f'<body style="font-family: sans-serif; max-width: 40em; line-height: 1.5">\n{paragraphs}'
        f'<p><a href="{escape(text.link)}">{escape(text.act)}</a></p>\n</body></html>\n'
    )


@contextmanager
def connected(mail: Mail) -> Iterator[smtplib.SMTP]:
    """The configured server, greeted, and signed in to. Raises OSError or smtplib.SMTPException."""
    with smtplib.SMTP(mail.host, mail.port, timeout=TIMEOUT_S) as server:
        if mail.starttls:
            server.starttls(context=ssl.create_default_context())
        if mail.username:
            server.login(mail.username, mail.password.get_secret_value() if mail.password else "")
        yield server


def _send(mail: Mail, message: EmailMessage) -> None:
    try:
        with connected(mail) as server:
            server.send_message(message)
    except smtplib.SMTPRecipientsRefused as error:
        code, _ = next(iter(error.recipients.values()))
        raise DeliveryFailed(f"the mail server refused the receiver ({code})", for_good=code >= 500) from error
    except smtplib.SMTPResponseException as error:
        raise DeliveryFailed(f"the mail server answered {error.smtp_code}") from error
    except (OSError, smtplib.SMTPException) as error:
        raise DeliveryFailed(f"the mail server does not answer ({type(error).__name__})") from error
