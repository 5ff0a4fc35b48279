"""Mail by a real SMTP server on loopback."""

from __future__ import annotations

from datetime import UTC, datetime
from email.message import EmailMessage
from typing import Any
from uuid import UUID

import pytest
from aiosmtpd.controller import Controller

from governance.notify.email import compose, email_channel
from governance.notify.outbox import DeliveryFailed, Outgoing
from governance.settings import Mail
from tests.parts import smtp
from tests.parts.process import free_port

ID = UUID("01a209f3-dc5e-739c-88bd-87d105b5e08a")
PAYLOAD: dict[str, Any] = {
    "change": "CH-1042",
    "path": "/changes/CH-1042",
    "asked_by": "Dr. Okafor",
    "what": "6 more GPUs in radiology/ct-training",
    "reason": "Backlog of <b>1,900</b> CT studies.",
    "reference": "INC-22719",
    "quota": [{"node": "Radiology", "resource": "requests.nvidia.com/gpu", "increase": 6, "used": 10, "limit": 17}],
    "needs": [{"group": "platform", "minimum": 1}],
    "valid_until": "2026-11-30T16:00:00+00:00",
    "decide_by": "2026-11-23T16:30:00+00:00",
    "time_zone": "Europe/Stockholm",
}


def outgoing(receiver: str = "lindqvist@hospital.example", **payload: Any) -> Outgoing:  # noqa: ANN401
    at = datetime(2026, 11, 23, 10, 44, tzinfo=UTC)
    return Outgoing(ID, at, receiver, "change.submitted", "CH-1042", PAYLOAD | payload, 1)


def part(mail: EmailMessage, kind: str) -> str:
    body = mail.get_body((kind,))
    assert body is not None
    return str(body.get_content())


def test_a_mail_says_what_is_asked_and_what_it_does_and_links_to_the_change() -> None:
    with smtp.start() as server:
        deliver = email_channel(Mail(host="127.0.0.1", port=server.port), "https://governance.hospital.example/")
        deliver(outgoing())
        deliver(outgoing())
        first, second = server.messages
    assert first["To"] == "lindqvist@hospital.example"
    assert first["Subject"] == "CH-1042: Dr. Okafor asks for 6 more GPUs in radiology/ct-training"
    text = part(first, "plain")
    assert "until Mon 30 November 2026, 17:00 (Europe/Stockholm)." in text
    assert "Radiology would be at 94\u00a0% of its GPUs: 16 of 17\u00a0GPUs." in text
    assert "https://governance.hospital.example/changes/CH-1042" in text
    assert first["Message-ID"] == second["Message-ID"] == f"<{ID}@localhost>"


def test_values_are_escaped_in_html() -> None:
    text = part(compose(outgoing(), "g@hospital.example", "https://x.example"), "html")
    assert "&lt;b&gt;1,900&lt;/b&gt;" in text
    assert "<b>" not in text


def test_a_subject_with_line_breaks_cannot_add_a_header() -> None:
    mail = compose(outgoing(what="GPUs\r\nBcc: everybody@hospital.example"), "g@hospital.example", "https://x.example")
    assert mail["Bcc"] is None
    assert "\n" not in mail["Subject"]


def test_a_receiver_with_line_breaks_is_given_up() -> None:
    with pytest.raises(DeliveryFailed) as failed:
        compose(outgoing("x@y.example\nBcc: z@y.example"), "g@hospital.example", "https://x.example")
    assert failed.value.for_good


def test_a_server_that_is_not_there_is_tried_again() -> None:
    deliver = email_channel(Mail(host="127.0.0.1", port=free_port()), "https://x.example")
    with pytest.raises(DeliveryFailed, match="does not answer") as failed:
        deliver(outgoing())
    assert not failed.value.for_good


@pytest.mark.parametrize(("answer", "for_good"), [("550 no such mailbox", True), ("450 try later", False)])
def test_a_receiver_that_the_server_refuses_is_given_up_if_the_server_says_for_good(
    answer: str, for_good: bool
) -> None:
    class Refusing:
        async def handle_RCPT(self, *_arguments: object) -> str:  # noqa: N802  (aiosmtpd's hook)
            return answer

    port = free_port()
    controller = Controller(Refusing(), hostname="127.0.0.1", port=port)
    controller.start()
    try:
        with pytest.raises(DeliveryFailed, match=f"refused the receiver .{answer[:3]}.") as failed:
            email_channel(Mail(host="127.0.0.1", port=port), "https://x.example")(outgoing())
    finally:
        controller.stop()
    assert failed.value.for_good is for_good
