"""An EC2 launch, as CloudTrail records the call and EventBridge forwards it in a CloudEvent."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import uuid4

_ACCOUNT, _REGION = "111122223333", "eu-north-1"
_WHO = f"arn:aws:sts::{_ACCOUNT}:assumed-role/research/okafor@st-elisabeth.example"


def launch_of(instance: str, machine: str, at: datetime) -> dict[str, Any]:
    """The CloudEvent that tells of one instance, tagged as ct-training's."""
    tags = [{"key": "hospital:project", "value": "ct-training"}]
    one = {
        "instanceId": instance,
        "imageId": "ami-0f00d0f00d0f00d00",
        "instanceType": machine,
        "instanceState": {"code": 0, "name": "pending"},
        "tagSet": {"items": tags},
    }
    time = f"{at:%Y-%m-%dT%H:%M:%SZ}"
    detail = {
        "eventVersion": "1.09",
        "eventType": "AwsApiCall",
        "eventSource": "ec2.amazonaws.com",
        "eventName": "RunInstances",
        "eventTime": time,
        "eventID": str(uuid4()),
        "requestID": str(uuid4()),
        "awsRegion": _REGION,
        "userIdentity": {"type": "AssumedRole", "arn": _WHO, "accountId": _ACCOUNT},
        "requestParameters": {"instanceType": machine, "blockDeviceMapping": {"items": []}},
        "responseElements": {"instancesSet": {"items": [one]}},
    }
    event = {
        "version": "0",
        "id": str(uuid4()),
        "detail-type": "AWS API Call via CloudTrail",
        "source": "aws.ec2",
        "account": _ACCOUNT,
        "time": time,
        "region": _REGION,
        "resources": [],
        "detail": detail,
    }
    return {
        "specversion": "1.0",
        "id": event["id"],
        "source": event["source"],
        "type": event["detail-type"],
        "time": time,
        "datacontenttype": "application/json",
        "data": event,
    }
