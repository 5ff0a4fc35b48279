"""Events as the clouds send them; figures and names are the tests' own."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

Json = dict[str, Any]

ACCOUNT = "111122223333"
REGION = "eu-north-1"
OKAFOR = f"arn:aws:sts::{ACCOUNT}:assumed-role/research/okafor@example.org"
CT_TRAINING = {"hospital:project": "ct-training"}


def now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


def eventbridge(detail_type: str, detail: Json, *, at: datetime | None = None, **members: Any) -> Json:  # noqa: ANN401
    """The envelope that EventBridge puts around what a service tells."""
    return {
        "version": "0",
        "id": str(uuid4()),
        "detail-type": detail_type,
        "source": "aws.ec2",
        "account": ACCOUNT,
        "time": (at or now()).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": REGION,
        "resources": [],
        "detail": detail,
        **members,
    }


def run_instances(
    *instances: str,
    machine: str = "g5.xlarge",
    tags: dict[str, str] | None = None,
    disks_gb: Sequence[int] = (),
    at: datetime | None = None,
    **members: Any,  # noqa: ANN401
) -> Json:
    """A launch, as CloudTrail records the call of RunInstances and EventBridge delivers it."""
    tag_set = [{"key": key, "value": value} for key, value in (CT_TRAINING if tags is None else tags).items()]
    detail = {
        "eventVersion": "1.09",
        "userIdentity": {"type": "AssumedRole", "arn": OKAFOR, "accountId": ACCOUNT},
        "eventTime": (at or now()).isoformat(),
        "eventSource": "ec2.amazonaws.com",
        "eventName": "RunInstances",
        "awsRegion": REGION,
        "requestParameters": {
            "instanceType": machine,
            "blockDeviceMapping": {
                "items": [{"deviceName": "/dev/sda1", "ebs": {"volumeSize": size}} for size in disks_gb]
            },
            "userData": "<sensitiveDataRemoved>",
        },
        "responseElements": {
            "instancesSet": {
                "items": [
                    {
                        "instanceId": one,
                        "imageId": "ami-0f00d0f00d0f00d00",
                        "instanceType": machine,
                        "instanceState": {"code": 0, "name": "pending"},
                        "tagSet": {"items": tag_set},
                    }
                    for one in instances
                ]
            }
        },
        "requestID": str(uuid4()),
        "eventID": str(uuid4()),
        "eventType": "AwsApiCall",
    }
    return eventbridge("AWS API Call via CloudTrail", detail, at=at, **members)


def state_change(instance: str, state: str, *, at: datetime | None = None) -> Json:
    """What EC2 tells when an instance changes its state."""
    return eventbridge(
        "EC2 Instance State-change Notification",
        {"instance-id": instance, "state": state},
        at=at or now() + timedelta(minutes=1),
    )


def cloud_event(event: Json) -> Json:
    """The same in a CloudEvent, as an input transformer of EventBridge makes it."""
    return {
        "specversion": "1.0",
        "id": event["id"],
        "source": event["source"],
        "type": event["detail-type"],
        "time": event["time"],
        "datacontenttype": "application/json",
        "data": event,
    }


def event_grid(**members: Any) -> Json:  # noqa: ANN401
    """What Event Grid sends when somebody wrote a virtual machine (CloudEvents schema v1.0)."""
    subscription = "/subscriptions/0b1f6471-1bf0-4dda-aec3-cb9272f09590"
    machine = f"{subscription}/resourceGroups/RG-PACS/providers/Microsoft.Compute/virtualMachines/viewer-1"
    return {
        "specversion": "1.0",
        "id": str(uuid4()),
        "source": subscription,
        "subject": machine,
        "type": "Microsoft.Resources.ResourceWriteSuccess",
        "time": now().isoformat(),
        "data": {"resourceUri": machine, "operationName": "Microsoft.Compute/virtualMachines/write"},
        **members,
    }
