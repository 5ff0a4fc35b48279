"""AWS by boto3: the only module that knows the SDK. Credentials and addresses come as boto3 finds them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from governance.errors import Unavailable
from webhooks.cloud.machines import Machine

_CONFIG = Config(connect_timeout=5, read_timeout=30, retries={"mode": "standard", "max_attempts": 5})
Client = Any  # boto3 makes its clients at run time


class CloudUnavailable(Unavailable):
    title = "The cloud does not answer"


def client(service: str, region: str | None = None) -> Client:
    """A client of one service. Raises CloudUnavailable where nothing says which region or who asks."""
    try:
        return boto3.client(service, region_name=region, config=_CONFIG)
    except BotoCoreError as error:
        raise CloudUnavailable(f"AWS cannot be asked: {error}") from None


@dataclass(frozen=True, slots=True)
class Message:
    """A message of a queue. `receipt` is by which it is deleted."""

    body: bytes
    receipt: str


def receive(sqs: Client, queue: str, wait_s: int) -> list[Message]:
    """The next messages of a queue, at most ten; waits that long for the first. Raises CloudUnavailable."""
    try:
        told = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=wait_s)
    except (BotoCoreError, ClientError) as error:
        raise CloudUnavailable(f"The queue {queue} did not answer: {error}") from None
    return [Message(one["Body"].encode(), one["ReceiptHandle"]) for one in told.get("Messages", ())]


def delete(sqs: Client, queue: str, receipts: Sequence[str]) -> None:
    """Take messages off a queue; one that stays comes again. Raises CloudUnavailable."""
    entries = [{"Id": str(place), "ReceiptHandle": one} for place, one in enumerate(receipts)]
    try:
        if entries:
            sqs.delete_message_batch(QueueUrl=queue, Entries=entries)
    except (BotoCoreError, ClientError) as error:
        raise CloudUnavailable(f"The queue {queue} did not answer: {error}") from None


def instance_types(ec2: Client) -> dict[str, Machine]:
    """Every instance type that a region offers (EC2 DescribeInstanceTypes, every page). Raises CloudUnavailable."""
    try:
        pages = ec2.get_paginator("describe_instance_types").paginate()
        return {one.type: one for page in pages for one in map(_machine, page["InstanceTypes"])}
    except (BotoCoreError, ClientError) as error:
        raise CloudUnavailable(f"EC2 did not list its instance types: {error}") from None


def _machine(told: Mapping[str, Any]) -> Machine:
    return Machine(
        type=told["InstanceType"],
        vcpus=told["VCpuInfo"]["DefaultVCpus"],
        memory_mib=told["MemoryInfo"]["SizeInMiB"],
        gpus=sum(_gpus(told)),
        neurons=sum(one["Count"] for one in told.get("NeuronInfo", {}).get("NeuronDevices", ())),
        storage_gb=told.get("InstanceStorageInfo", {}).get("TotalSizeInGB", 0),
    )


def _gpus(told: Mapping[str, Any]) -> Iterator[int]:
    for one in told.get("GpuInfo", {}).get("Gpus", ()):
        if one["Manufacturer"] == "NVIDIA":
            yield max(one["Count"], one.get("LogicalGpuCount", 0))  # a part of one counts as one, as on a node
