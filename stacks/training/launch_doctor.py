"""launch-doctor: starts a job that says what is wrong with a data set's pictures. A person invokes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_

from contract.names import doctor_jobs
from stacks.names import arn
from stacks.roles import allow
from stacks.training import launching
from stacks.training.pipeline import Pipeline


def add(pipeline: Pipeline) -> lambda_.Function:
    return pipeline.function(
        "launch-doctor",
        "Starts a job that says what is wrong with the pictures of a dataset.",
        replace(launching.environment(pipeline), code_prefix=pipeline.resources.doctor_prefix),
        _permissions(pipeline),
        memory_mb=launching.MEMORY_MB,
    )


def _permissions(pipeline: Pipeline) -> Sequence[iam.PolicyStatement]:
    jobs = arn(pipeline, "sagemaker", "training-job", f"{doctor_jobs(pipeline.context.names.project)}*")
    return (
        allow(["sagemaker:CreateTrainingJob", "sagemaker:DescribeTrainingJob", "sagemaker:AddTags"], jobs),
        *launching.permissions_for_data(pipeline),
    )
