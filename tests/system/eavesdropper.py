"""Listens to the account's event bus: a rule, and a queue that gets what it matches."""

from __future__ import annotations

import json
from typing import Any

from tests.system.conftest import PROJECT, Deployment

_NAME = f"{PROJECT}-system-test-heard"


def listen(deployment: Deployment, source: str) -> None:
    """Keep every event of a source from now on."""
    events, sqs = deployment.client("events"), deployment.client("sqs")
    queue = sqs.create_queue(QueueName=_NAME)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    allowed = {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}}
    policy = {"Statement": [{**allowed, "Action": "sqs:SendMessage", "Resource": arn}]}
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": json.dumps(policy)})
    events.put_rule(Name=_NAME, EventPattern=json.dumps({"source": [source]}))
    events.put_targets(Rule=_NAME, Targets=[{"Id": "queue", "Arn": arn}])


def heard(deployment: Deployment) -> list[dict[str, Any]]:
    """What has come, up to ten; nobody listens any more."""
    events, sqs = deployment.client("events"), deployment.client("sqs")
    queue = sqs.get_queue_url(QueueName=_NAME)["QueueUrl"]
    answer = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=20, MaxNumberOfMessages=10)
    events.remove_targets(Rule=_NAME, Ids=["queue"])
    events.delete_rule(Name=_NAME)
    sqs.delete_queue(QueueUrl=queue)
    return [json.loads(message["Body"]) for message in answer.get("Messages", [])]
