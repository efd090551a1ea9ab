"""CloudFormation resource types which call our services, and the custom resources CDK apps bring along.

A resource handler acts through `Stack.client`: as the service role of the stack it works for, or as root if
the stack has none, so that a permission missing from a role fails a deployment here as it does on AWS.
"""

from __future__ import annotations

from local_aws.cloudformation import (
    autoscaling,
    buckets,
    budgets,
    firewall,
    iam,
    inference_components,
    sagemaker,
)
from local_aws.cloudformation.stack import Register, Stack


def install(stack: Stack, register: Register) -> None:
    """Register every resource type of this room."""
    sagemaker.install(stack, register)
    inference_components.install(stack, register)
    firewall.install(stack, register)
    autoscaling.install(stack, register)
    iam.install(stack, register)
    buckets.install(stack, register)
    budgets.install(stack, register)
