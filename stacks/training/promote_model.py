"""promote-model: makes the approved model the champion and brings the Serving stack in line with it.

It runs when a model is approved or rejected, when the endpoint fails, when the Serving stack has settled, at
the hours of `sleep_at` and `wake_at`, and every quarter of an hour for a model that waits. classify and
idle-guard invoke it too.
"""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_

from contract.environment import PromoteEnvironment
from stacks.names import arn, model_packages_arn, served_parameter_arns
from stacks.roles import allow
from stacks.settings.serving import SERVERLESS
from stacks.training.pipeline import Pipeline


def add(pipeline: Pipeline) -> lambda_.Function:
    function = pipeline.function(
        "promote-model",
        "Makes the approved model the champion and brings the Serving stack in line with it.",
        _environment(pipeline),
        _permissions(pipeline),
        # It may look through all of SageMaker's quotas, a hundred at a time.
        timeout_seconds=180,
    )
    _add_rules(pipeline, function)
    _add_hours(pipeline, function)
    return function


def _environment(pipeline: Pipeline) -> PromoteEnvironment:
    names, serving = pipeline.context.names, pipeline.context.settings.serving
    has_instances = serving.flavour != SERVERLESS
    return PromoteEnvironment(
        project=names.project,
        model_package_group=names.model_package_group,
        champion_parameter=names.champion_parameter,
        serving_stack=names.stack("serving"),
        instance_types=serving.instances if has_instances else (),
        instance_type_parameter=names.instance_type_parameter if has_instances else "",
        min_instances=serving.min_instances if has_instances else 0,
        candidate_parameter=names.candidate_parameter if serving.shadows else "",
        notification_topic_arn=pipeline.resources.topic.topic_arn,
    )


def _permissions(pipeline: Pipeline) -> Sequence[iam.PolicyStatement]:
    names = pipeline.context.names
    return (
        allow(
            ["sagemaker:DescribeModelPackage", "sagemaker:UpdateModelPackage"],
            model_packages_arn(pipeline, names),
        ),
        # ssm:GetParameters: UpdateStack resolves the stack's parameter in the caller's name.
        allow(
            ["ssm:GetParameter", "ssm:GetParameterHistory", "ssm:GetParameters", "ssm:PutParameter"],
            served_parameter_arns(pipeline, names, shadow=pipeline.context.settings.serving.shadows),
        ),
        allow("sagemaker:DescribeEndpoint", arn(pipeline, "sagemaker", "endpoint", names.endpoint)),
        # A quota is known by its name only, which GetServiceQuota does not take. Lists know no resource.
        allow(["servicequotas:ListServiceQuotas", "servicequotas:ListAWSDefaultServiceQuotas"], "*"),
        # No iam:PassRole: a stack keeps the role it was made with.
        allow(
            [
                "cloudformation:DescribeStacks",
                "cloudformation:DescribeStackEvents",
                "cloudformation:UpdateStack",
            ],
            arn(pipeline, "cloudformation", "stack", f"{names.stack('serving')}/*"),
        ),
        pipeline.may_publish(),
    )


def _add_rules(pipeline: Pipeline, function: lambda_.Function) -> None:
    names = pipeline.context.names
    pipeline.on_event(
        "ModelApproved",
        "A model was approved, by the quality gate or by a person: make it the champion. Or the champion"
        " was rejected: go back to the one before.",
        function,
        "SageMaker Model Package State Change",
        {
            "ModelPackageGroupName": [names.model_package_group],
            "ModelApprovalStatus": ["Approved", "Rejected"],
        },
    )
    pipeline.on_event(
        "EndpointFailed",
        "The endpoint failed: keep why, before CloudFormation removes it with its reason.",
        function,
        "SageMaker Endpoint State Change",
        {
            "EndpointName": [names.endpoint],
            "EndpointStatus": ["FAILED", "Failed", "ROLLING_BACK", "RollingBack"],
        },
    )
    pipeline.on_schedule(
        "LookForWaiting",
        "Is an approved model waiting that can be brought up by now?",
        function,
        "rate(15 minutes)",
    )
    stack_arn = arn(pipeline, "cloudformation", "stack", f"{names.stack('serving')}/")
    pipeline.on_event(
        "ServingSettled",
        "The Serving stack ended an update: see that champion, registry and endpoint tell the same story.",
        function,
        "CloudFormation Stack Status Change",
        {
            "stack-id": [{"prefix": stack_arn}],
            "status-details": {"status": [{"suffix": "_COMPLETE"}, {"suffix": "_FAILED"}]},
        },
        source="aws.cloudformation",
    )


def _add_hours(pipeline: Pipeline, function: lambda_.Function) -> None:
    serving = pipeline.context.settings.serving
    for action, schedule, code in (
        ("sleep", serving.sleep_at, {"code": "scheduled"}),
        ("wake", serving.wake_at, {}),
    ):
        if schedule:
            pipeline.on_schedule(
                f"{action.capitalize()}Time",
                f"The hour at which the endpoint is to {action}.",
                function,
                schedule,
                {"action": action, "why": f"the hour of {action}_at", **code},
            )
