"""Mail to whoever subscribed to the project's topic: what happened, why, and the command to go on.

`once` keeps a repeated event from sending a second mail: the first to write the marker sends.
"""

from __future__ import annotations

import json
import re
from typing import Any

from botocore.exceptions import ClientError

from contract import objects
from contract.aws_errors import code_of
from contract.environment import Notified
from functions.common import logs
from functions.common.clients import client

_SUBJECT_LENGTH = 100


def send(env: Notified, subject: str, *paragraphs: str) -> None:
    """Log the message and publish it, if there is a topic.

    SNS takes subjects of printable ASCII, at most 100 characters.
    """
    subject, text = f"[{env.project}] {subject}", "\n\n".join(paragraphs)
    logs.warning(subject, notification=text)
    if env.notification_topic_arn:
        line = re.sub(r"[^ -~]", "?", subject)[:_SUBJECT_LENGTH]
        client("sns").publish(TopicArn=env.notification_topic_arn, Subject=line, Message=text)


def once(bucket: str, key: str, event_id: str) -> bool:
    """Whether this event is the one to tell of what `key` names.

    The marker holds the event's id, so Lambda's retry of the same event, whose first try may have died
    before the mail was sent, may send it; another event of the same change may not.
    """
    body = json.dumps({"event": event_id}).encode()
    try:
        client("s3").put_object(
            Bucket=bucket, Key=key, Body=body, ContentType="application/json", IfNoneMatch="*"
        )
    except ClientError as error:
        if code_of(error) not in ("PreconditionFailed", "ConditionalRequestConflict"):
            raise
        return objects.read(client("s3"), bucket, key, 1024) == body
    return True


def invoke_command(function: str, payload: dict[str, Any]) -> str:
    """The AWS CLI line that invokes a function with this payload and prints its answer."""
    text = json.dumps(payload).replace("'", "'\\''")
    return (
        f"aws lambda invoke --function-name {function} --cli-binary-format raw-in-base64-out "
        f"--payload '{text}' /dev/stdout"
    )


def approve_command(package: str) -> str:
    """The AWS CLI line that approves a model package, given by its ARN."""
    return (
        f"aws sagemaker update-model-package --model-package-arn {package} --model-approval-status Approved"
    )
