"""launch-tuning: checks a recipe and a dataset, and starts the tuning job. A person invokes it."""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_

from stacks.names import arn
from stacks.roles import allow
from stacks.training import launching
from stacks.training.pipeline import Pipeline


def add(pipeline: Pipeline) -> lambda_.Function:
    return pipeline.function(
        "launch-tuning",
        "Checks a recipe and a dataset, and starts the tuning job.",
        launching.environment(pipeline),
        _permissions(pipeline),
        memory_mb=launching.MEMORY_MB,
    )


def _permissions(pipeline: Pipeline) -> Sequence[iam.PolicyStatement]:
    jobs = arn(pipeline, "sagemaker", "hyper-parameter-tuning-job", f"{pipeline.context.names.project}-*")
    return (
        allow(
            [
                "sagemaker:CreateHyperParameterTuningJob",
                "sagemaker:DescribeHyperParameterTuningJob",
                "sagemaker:AddTags",
            ],
            jobs,
        ),
        *launching.permissions(pipeline),
    )
