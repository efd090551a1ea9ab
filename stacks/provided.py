"""The Lambdas that CDK constructs bring along (bucket emptying, bucket deployment, image builds).

They are other people's code with other people's roles; what is ours to add is a log group that ends with the
stack instead of one that Lambda makes at first use and nobody ever removes.
"""

from __future__ import annotations

from aws_cdk import CfnResource, Stack
from constructs import Construct

from stacks.context import Context
from stacks.functions import PythonFunction
from stacks.review import accept

_REASONS = {
    "AwsSolutions-IAM4": "The role of a function that a CDK construct brings; it uses the managed policy for"
    " writing logs only.",
    "AwsSolutions-IAM5": "The role of a function that a CDK construct brings: the objects of one bucket of"
    " this stack, and of the bucket in which CDK keeps its assets.",
    "AwsSolutions-L1": "The runtime is chosen by the construct and follows the version of CDK.",
}


def adopt_provided_functions(stack: Stack, context: Context) -> None:
    """Give every function in `stack` that is not one of ours a log group; call it when all else is made."""
    for construct in stack.node.find_all():
        scope = construct.node.scope
        if (
            not isinstance(construct, CfnResource)
            or not isinstance(scope, Construct)
            or construct.cfn_resource_type != "AWS::Lambda::Function"
            or any(isinstance(parent, PythonFunction) for parent in construct.node.scopes)
        ):
            continue
        group = context.log_group(scope, "Logs")
        construct.add_property_override("LoggingConfig.LogGroup", group.log_group_name)
        accept(scope, _REASONS)
