"""api-log-role: a custom resource that gives API Gateway a role to log with, only if it has none.

The role is one per account and region, for every API in it. CloudFormation's own resource for it
(AWS::ApiGateway::Account) puts ours in the place of another's and takes logging from all of them when the
stack goes (https://github.com/aws/aws-cdk/issues/10878). This one leaves what it finds, and leaves behind
what it made: other APIs may log with it by then.
"""

from __future__ import annotations

import json
import time
from typing import Any

from common import custom_resource, logs
from common.clients import client, error_code

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


def handler(event: dict[str, Any], context: Any) -> None:
    """Act on CloudFormation's Create, Update or Delete, and answer it.

    The physical id is the role's name. A Delete removes nothing.
    """
    logs.start("api-log-role", context)
    name = custom_resource.property_of(event, "RoleName")
    policy = custom_resource.property_of(event, "PolicyArn")
    if event["RequestType"] == "Delete":
        custom_resource.answer(event, event["PhysicalResourceId"], lambda: None)
    else:
        custom_resource.answer(event, name, lambda: _ensure(name, policy))


def _ensure(name: str, policy: str) -> None:
    if _is_set():
        return
    role = _role(name, policy)
    for left in reversed(range(TRIES)):
        try:
            # Asked again each time: what somebody else has set meanwhile stays.
            if not _is_set():
                _set(role)
            return
        except client("apigateway").exceptions.ClientError as error:
            if error_code(error) not in _NOT_YET or not left:
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
    except iam.exceptions.ClientError as error:
        if error_code(error) != "EntityAlreadyExists":
            raise
        made = iam.get_role(RoleName=name)
    iam.attach_role_policy(RoleName=name, PolicyArn=policy)  # a second time it changes nothing
    return str(made["Role"]["Arn"])
