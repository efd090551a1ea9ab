"""AWS::IAM::RolePolicy: one inline policy of a role that may belong to another stack.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-iam-rolepolicy.html
"""

from __future__ import annotations

import json

from local_aws.cloudformation.stack import Properties, Provisioned, Register, Stack

_IDENTITY = ("PolicyName", "RoleName")


def install(stack: Stack, register: Register) -> None:
    """Register the type."""

    def put(properties: Properties) -> Provisioned:
        names = {name: properties[name] for name in _IDENTITY}
        document = properties.get("PolicyDocument", {})
        text = document if isinstance(document, str) else json.dumps(document)
        stack.client("iam").put_role_policy(**names, PolicyDocument=text)
        return "|".join(names.values()), {}

    def create(logical_id: str, properties: Properties, stack_name: str) -> Provisioned:
        return put(properties)

    def update(physical_id: str, old: Properties, new: Properties, stack_name: str) -> Provisioned:
        return put(new)

    def delete(physical_id: str, properties: Properties) -> None:
        client = stack.client("iam")
        try:
            client.delete_role_policy(**{name: properties[name] for name in _IDENTITY})
        except client.exceptions.NoSuchEntityException:
            return  # the role went first, and took the policy with it

    handler = {"create": create, "update": update, "delete": delete}
    register("AWS::IAM::RolePolicy", handler, _IDENTITY)
