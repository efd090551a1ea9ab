"""CloudFormation resource types which call our services, and the custom resources CDK apps bring along.

Others come from outside: a distribution names, in the entry-point group `local_aws.cloudformation`, a
function that takes a `Stack` and a `Register`, as `install` does here.

A resource handler acts through `Stack.client`: as the service role of the stack it works for, or as root if
the stack has none, so that a permission missing from a role fails a deployment here as it does on AWS.
"""

from __future__ import annotations

from importlib.metadata import entry_points

from local_aws.cloudformation import buckets, inference_components, sagemaker, single_call
from local_aws.cloudformation.stack import Register, Stack

GROUP = "local_aws.cloudformation"


def install(stack: Stack, register: Register) -> None:
    """Register every resource type of this room, and those that installed distributions bring."""
    for room in (sagemaker, inference_components, single_call, buckets):
        room.install(stack, register)
    for extension in entry_points(group=GROUP):
        extension.load()(stack, register)
