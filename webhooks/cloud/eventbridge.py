"""From an event of EventBridge to what happened. Pure.

Sources: AWS CloudTrail user guide, "CloudTrail record contents"; EC2 API reference, RunInstances (the record holds the
request and the response of the call); EC2 user guide, "Monitor instance state changes".
"""

from __future__ import annotations

from collections.abc import Iterator

from governance.errors import BadInput
from webhooks.cloud.event import Event
from webhooks.cloud.happening import INSTANCE, Ended, Happening, Launched, arn_of_instance
from webhooks.read import Object, items, optional_whole, section, text

_CALL = "AWS API Call via CloudTrail"
_STATE = "EC2 Instance State-change Notification"
_ENDED = frozenset({"shutting-down", "terminated"})


def happenings(event: Event) -> tuple[Happening, ...]:
    """What an event says; empty for one that changes nothing that is charged. Raises BadInput that names a field."""
    if event.source != "aws.ec2":
        return ()
    if event.type == _STATE:
        ended = text(event.data, "state") in _ENDED
        return (Ended(event.scope, INSTANCE, _instance(event.data, "instance-id"), event.at),) if ended else ()
    if event.type != _CALL or text(event.data, "errorCode"):
        return ()
    match text(event.data, "eventName"):
        case "RunInstances":
            return tuple(_launched(event))
        case "TerminateInstances":
            uids = (_instance(one, "instanceId") for one in items(event.data, "responseElements.instancesSet.items"))
            return tuple(Ended(event.scope, INSTANCE, uid, event.at) for uid in uids)
        case _:
            return ()


def _launched(event: Event) -> Iterator[Launched]:
    asked = section(event.data, "requestParameters")
    disks = sum(optional_whole(one, "ebs.volumeSize") or 0 for one in items(asked, "blockDeviceMapping.items"))
    for one in items(event.data, "responseElements.instancesSet.items"):
        uid = _instance(one, "instanceId")
        yield Launched(
            provider="aws",
            scope=event.scope,
            kind=INSTANCE,
            uid=uid,
            name=uid,
            resource_id=arn_of_instance(event.region, event.scope, uid),
            machine=_required(one, "instanceType"),
            image=text(one, "imageId"),
            disks_gb=disks,
            region=event.region,
            actor=_actor(event.data),
            at=event.at,
            event=event.id,
            tags={text(tag, "key"): text(tag, "value") for tag in items(one, "tagSet.items")},
        )


def _actor(detail: Object) -> str:
    """Who called: a user, a role's session, or a service on somebody's behalf (record contents, userIdentity)."""
    who = section(detail, "userIdentity")
    return text(who, "arn") or text(who, "invokedBy") or text(who, "principalId") or "unknown"


def _instance(source: Object, name: str) -> str:
    found = _required(source, name)
    if not found.startswith("i-") or not found[2:].isalnum() or not found.isascii():
        raise BadInput("It is not the id of an instance.", field=name)
    return found


def _required(source: Object, name: str) -> str:
    found = text(source, name)
    if not found:
        raise BadInput("It is missing.", field=name, remedy="Send the event as EventBridge made it.")
    return found
