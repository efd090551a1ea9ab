"""The account's role for API Gateway's logs: whether one is set, and one of ours if none is."""

from __future__ import annotations

import json
import time

from botocore.exceptions import ClientError

from contract.aws_errors import code_of
from functions.common import logs
from functions.common.clients import client

TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "apigateway.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
    ],
}
# API Gateway tries a new role out, which takes IAM some seconds to be known everywhere, and takes one change
# of this in 20 seconds: https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html
_NOT_YET = ("BadRequestException", "TooManyRequestsException")
TRIES, PAUSE_SECONDS = 9, 10


def ensure(name: str, policy: str) -> None:
    """Set the role of this name, with this policy, if API Gateway has none. Raises botocore's ClientError."""
    if _is_set():
        return
    role = _role(name, policy)
    for left in reversed(range(TRIES)):
        try:
            # Asked again each time: what somebody else has set meanwhile stays.
            if not _is_set():
                _set(role)
            return
        except ClientError as error:
            if code_of(error) not in _NOT_YET or not left:
                raise
            logs.info("API Gateway does not take the role yet", role=role, tries_left=left)
            time.sleep(PAUSE_SECONDS)


def _is_set() -> bool:
    role = client("apigateway").get_account().get("cloudwatchRoleArn")
    if role:
        logs.info("API Gateway has a role to log with, which is left as it is", role=role)
    return bool(role)


def _set(role: str) -> None:
    operation = {"op": "replace", "path": "/cloudwatchRoleArn", "value": role}
    client("apigateway").update_account(patchOperations=[operation])
    logs.info("API Gateway logs with the role", role=role)


def _role(name: str, policy: str) -> str:
    """The ARN of the role, made if this account has none of that name."""
    iam = client("iam")
    try:
        made = iam.create_role(
            RoleName=name,
            AssumeRolePolicyDocument=json.dumps(TRUST),
            Description="API Gateway writes the logs of every API of this account and region with it.",
        )
    except ClientError as error:
        if code_of(error) != "EntityAlreadyExists":
            raise
        made = iam.get_role(RoleName=name)
    iam.attach_role_policy(RoleName=name, PolicyArn=policy)  # a second time it changes nothing
    return str(made["Role"]["Arn"])
