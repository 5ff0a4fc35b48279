"""An event as a cloud sends it: CloudEvents 1.0 over HTTP, or EventBridge's own JSON. Bytes in, values out. Pure.

Sources: CloudEvents 1.0.2, and its HTTP binding (binary, structured and batched content mode); Amazon EventBridge
user guide, "Events" (the envelope: version, id, detail-type, source, account, time, region, resources, detail).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from urllib.parse import unquote

from cloudevents.core.exceptions import BaseCloudEventException, CloudEventValidationError
from cloudevents.core.v1.event import CloudEvent

from governance.errors import BadInput
from governance.strict_json import load, load_any
from webhooks.read import Object, at, section, text

Provider = Literal["aws", "azure"]

STRUCTURED = "application/cloudevents+json"
BATCHED = "application/cloudevents-batch+json"
DEPTH_MAX = 32
_AHEAD_MAX = timedelta(minutes=5)  # of the clocks of others
_TEXT_CHARACTERS_MAX = 1024
_ACCOUNT = re.compile(r"[0-9]{12}", re.ASCII)
_SUBSCRIPTION = re.compile(r"(?i)/subscriptions/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})(?:/.*)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a cloud. `source` and `id` name it, by whatever way it comes (CloudEvents 1.0.2, "id")."""

    source: str
    id: str
    type: str  # EventBridge: the detail-type
    at: datetime
    provider: Provider
    scope: str  # account or subscription
    region: str
    operation: str  # the provider's own id of what was done; empty where it has none
    data: Object  # EventBridge: the detail


def from_http(headers: Mapping[str, str], body: bytes) -> tuple[Event, ...]:
    """The events of a request, all or none of them.

    Args:
        headers: by their names in lower case.

    Raises:
        BadInput: what is wrong with the first bad one; in a batch the field begins with its place, `[3].source`.
    """
    media = headers.get("content-type", "").split(";")[0].strip().lower()
    if any(name.startswith("ce-") for name in headers):
        return (_of_cloud_event(_attributes(headers), load(body, "event", DEPTH_MAX)),)
    if media == BATCHED:
        members = load_any(body, "batch", DEPTH_MAX + 1)
        if not isinstance(members, list) or not all(isinstance(one, dict) for one in members):
            raise BadInput("A batch is a list of events.", remedy="See CloudEvents 1.0.2, batched content mode.")
        return tuple(_member(place, one) for place, one in enumerate(members))
    if media in {STRUCTURED, "application/json"}:
        return (from_document(load(body, "event", DEPTH_MAX)),)
    raise BadInput(
        f"{media or 'No content type'} is not how events come.",
        field="Content-Type",
        remedy=f"Send {STRUCTURED}, {BATCHED}, ce- headers, or EventBridge's own JSON.",
    )


def from_document(document: Object) -> Event:
    """A CloudEvent in structured mode, or an event as EventBridge has it. Raises BadInput."""
    if "specversion" in document or "detail-type" not in document:
        attributes = {name: value for name, value in document.items() if name not in {"data", "data_base64"}}
        return _of_cloud_event(attributes, section(document, "data"))
    return _of_eventbridge(document)


def refuse_stale(event: Event, now: datetime, age_max: timedelta) -> None:
    """Refuse what is too old to be told from a replay, or from the future. Raises BadInput."""
    if event.at < now - age_max:
        remedy = "What exists is found by the inventory; an event that waited longer is not needed any more."
        raise BadInput(f"The event is older than {age_max.days} days.", field="time", remedy=remedy)
    if event.at > now + _AHEAD_MAX:
        raise BadInput("The event is from the future.", field="time", remedy="Set the sender's clock.")


def _member(place: int, document: Object) -> Event:
    try:
        return from_document(document)
    except BadInput as error:
        field = f"[{place}].{error.field}" if error.field else f"[{place}]"
        raise type(error)(error.detail, field=field, remedy=error.remedy) from None


def _attributes(headers: Mapping[str, str]) -> dict[str, Any]:
    found = {name[3:]: unquote(value) for name, value in headers.items() if name.startswith("ce-")}
    return {**found, "datacontenttype": headers.get("content-type", "application/json")}


def _of_cloud_event(attributes: dict[str, Any], data: Object) -> Event:
    for name in ("specversion", "id", "source", "type", "time"):
        if not isinstance(attributes.get(name), str) or not attributes[name]:
            raise BadInput("The attribute is missing.", field=name, remedy="See CloudEvents 1.0.2, context attributes.")
    made = {**attributes, "time": _time(attributes["time"])}
    try:
        CloudEvent(made, dict(data))
    except CloudEventValidationError as error:
        name, found = next(iter(error.errors.items()))
        raise BadInput(f"{found[0]}.", field=name) from None
    except BaseCloudEventException as error:
        raise BadInput(str(error)) from None
    if "detail-type" in data:
        return _of_eventbridge(data, "data.")
    return _of_event_grid(made, data)


def _of_eventbridge(document: Object, where: str = "") -> Event:
    """What EventBridge says of itself counts, not the envelope around it: so an event is the same by every way."""
    account = _required(document, "account", where)
    if not _ACCOUNT.fullmatch(account):
        raise BadInput("It is not the number of an account.", field=f"{where}account")
    source = _required(document, "source", where)
    if not source.startswith("aws."):
        raise BadInput(f"{source} is not an AWS service.", field=f"{where}source", remedy="Send events of aws.* only.")
    detail = section(document, "detail")
    return Event(
        source=source,
        id=_required(document, "id", where),
        type=_required(document, "detail-type", where),
        at=_time(_required(document, "time", where), f"{where}time"),
        provider="aws",
        scope=account,
        region=_required(document, "region", where),
        operation=_short(detail, "eventID"),
        data=detail,
    )


def _of_event_grid(attributes: Mapping[str, Any], data: Object) -> Event:
    found = _SUBSCRIPTION.fullmatch(attributes["source"])
    if found is None:
        raise BadInput(
            "It is neither EventBridge nor Azure Resource Manager.",
            field="source",
            remedy="Send EventBridge's event as data, or subscribe to the events of an Azure subscription.",
        )
    return Event(
        source=attributes["source"].lower(),
        id=attributes["id"],
        type=attributes["type"],
        at=attributes["time"],
        provider="azure",
        scope=found[1].lower(),
        region="",
        operation="",
        data={**data, "subject": attributes.get("subject", "")},
    )


def _required(document: Object, name: str, where: str) -> str:
    found = _short(document, name, where)
    if not found:
        raise BadInput("It is missing.", field=f"{where}{name}", remedy="Send the event as EventBridge made it.")
    return found


def _short(document: Object, name: str, where: str = "") -> str:
    if at(document, name) is None:
        return ""
    found = text(document, name)
    if len(found) > _TEXT_CHARACTERS_MAX or not found.isprintable():
        raise BadInput(f"It is longer than {_TEXT_CHARACTERS_MAX} characters, or not printable.", field=where + name)
    return found


def _time(source: str, field: str = "time") -> datetime:
    try:
        found = datetime.fromisoformat(source)
    except ValueError:
        found = datetime.min  # noqa: DTZ901  (refused below, for it has no zone)
    if found.tzinfo is None:
        raise BadInput("It is not a time.", field=field, remedy="Write it as RFC 3339 does: 2026-11-27T09:00:00Z.")
    return found.astimezone(UTC)
