"""api-log-role: a custom resource that gives API Gateway a role to log with, only if it has none.

The role is one per account and region, for every API in it. CloudFormation's own resource for it
(AWS::ApiGateway::Account) puts ours in the place of another's and takes logging from all of them when the
stack goes (https://github.com/aws/aws-cdk/issues/10878). This one leaves what it finds, and leaves behind
what it made: other APIs may log with it by then.
"""

from __future__ import annotations

from typing import Any

from functions.api_log_role import role
from functions.common import custom_resource, logs


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
        custom_resource.answer(event, name, lambda: role.ensure(name, policy))
