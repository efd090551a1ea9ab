"""compare-shadow: looks whether a candidate has answered enough beside the champion, and how well.

It runs every quarter of an hour, where the setting `serving.shadow` asks for comparisons.
"""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import aws_iam as iam

from contract.environment import ShadowEnvironment
from contract.storage import CAPTURED, RUNS
from stacks.names import model_packages_arn, parameter_arn
from stacks.roles import allow, below, may_invoke, may_list
from stacks.training.pipeline import Pipeline


def add(pipeline: Pipeline) -> None:
    if not pipeline.context.settings.serving.shadows:
        return
    function = pipeline.function(
        "compare-shadow",
        "Compares a candidate's answers to a copy of the traffic with the champion's.",
        _environment(pipeline),
        _permissions(pipeline),
        memory_mb=512,
        timeout_seconds=300,
    )
    pipeline.on_schedule(
        "LookAtShadow", "Has the candidate answered enough beside the champion?", function, "rate(15 minutes)"
    )


def _environment(pipeline: Pipeline) -> ShadowEnvironment:
    names, shadow = pipeline.context.names, pipeline.context.settings.serving.shadow
    return ShadowEnvironment(
        artifacts_bucket=pipeline.resources.artifacts.bucket_name,
        champion_parameter=names.champion_parameter,
        candidate_parameter=names.candidate_parameter,
        endpoint_name=names.endpoint,
        capture_folder=names.capture_folder,
        shadow_folder=names.shadow_folder,
        hours=shadow.hours,
        requests=shadow.requests,
        min_agreement=shadow.min_agreement,
        max_latency_percent=shadow.max_latency_percent,
        promote_function=names.function("promote-model"),
    )


def _permissions(pipeline: Pipeline) -> Sequence[iam.PolicyStatement]:
    names, artifacts = pipeline.context.names, pipeline.resources.artifacts
    return (
        allow("sagemaker:DescribeModelPackage", model_packages_arn(pipeline, names)),
        allow("s3:GetObject", below(artifacts, CAPTURED, RUNS)),
        allow("s3:PutObject", below(artifacts, RUNS)),
        may_list(artifacts),
        pipeline.may_read_champion(),
        allow("ssm:GetParameterHistory", parameter_arn(pipeline, names.candidate_parameter)),
        allow("cloudwatch:GetMetricStatistics", "*"),  # knows no resource
        may_invoke(pipeline, names.function("promote-model")),
    )
