"""AWS::WAFv2::WebACLAssociation: written down, so that a stack with a firewall deploys.

Nothing is filtered: what reaches a local API comes from this machine.
"""

from __future__ import annotations

from local_aws.cloudformation.stack import Properties, Provisioned, Register, Stack


def install(stack: Stack, register: Register) -> None:
    """Register the type."""

    def create(logical_id: str, properties: Properties, stack_name: str) -> Provisioned:
        acl, resource = properties["WebACLArn"], properties["ResourceArn"]
        stack.client("wafv2").associate_web_acl(WebACLArn=acl, ResourceArn=resource)
        return f"{acl}|{resource}", {}

    def delete(physical_id: str, properties: Properties) -> None:
        stack.client("wafv2").disassociate_web_acl(ResourceArn=physical_id.rpartition("|")[2])

    handler = {"create": create, "delete": delete}
    register("AWS::WAFv2::WebACLAssociation", handler, ("WebACLArn", "ResourceArn"))
