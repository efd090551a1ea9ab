"""idle-guard: puts an endpoint to sleep that nobody asked anything for a while.

It runs every five minutes, where the setting `idle_minutes` asks for it.
"""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import aws_iam as iam

from contract.environment import IdleGuardEnvironment
from stacks.names import VARIANT, arn
from stacks.roles import allow, may_invoke
from stacks.training.pipeline import Pipeline


def add(pipeline: Pipeline) -> None:
    serving = pipeline.context.settings.serving
    # What has no instances of its own costs nothing idle as it is.
    if not serving.idle_minutes or not serving.has_own_instances:
        return
    function = pipeline.function(
        "idle-guard",
        "Puts an endpoint to sleep that nobody asked anything for a while.",
        _environment(pipeline),
        _permissions(pipeline),
    )
    pipeline.on_schedule("LookForIdleness", "Is anybody using the endpoint?", function, "rate(5 minutes)")


def _environment(pipeline: Pipeline) -> IdleGuardEnvironment:
    names = pipeline.context.names
    return IdleGuardEnvironment(
        endpoint_name=names.endpoint,
        variant=VARIANT,
        champion_parameter=names.champion_parameter,
        idle_minutes=pipeline.context.settings.serving.idle_minutes,
        promote_function=names.function("promote-model"),
    )


def _permissions(pipeline: Pipeline) -> Sequence[iam.PolicyStatement]:
    names = pipeline.context.names
    return (
        allow("sagemaker:DescribeEndpoint", arn(pipeline, "sagemaker", "endpoint", names.endpoint)),
        allow("cloudwatch:GetMetricStatistics", "*"),  # knows no resource
        pipeline.may_read_champion(),
        may_invoke(pipeline, names.function("promote-model")),
    )
