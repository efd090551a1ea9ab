"""launch-batch: starts a job that answers all pictures below an S3 address. A person invokes it."""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_

from contract.environment import BatchEnvironment
from contract.names import batch_jobs
from contract.storage import BATCH_LISTS
from stacks.names import arn, model_packages_arn
from stacks.roles import allow, below, may_list, may_list_named, may_pass
from stacks.training import launching
from stacks.training.pipeline import Pipeline

_TIMEOUT_SECONDS = 600
"""A million keys are listed in some three minutes."""


def add(pipeline: Pipeline) -> lambda_.Function:
    shared = launching.environment(pipeline)
    own = {
        "code_prefix": pipeline.resources.batch_prefix,
        "training_role_arn": pipeline.resources.batch_role.role_arn,
        "model_packages": model_packages_arn(pipeline, pipeline.context.names).removesuffix("*"),
        "read_buckets": pipeline.context.settings.batch.read_buckets,
    }
    return pipeline.function(
        "launch-batch",
        "Starts a job that answers all pictures below an S3 address.",
        BatchEnvironment(**{**vars(shared), **own}),
        _permissions(pipeline),
        memory_mb=launching.MEMORY_MB,
        timeout_seconds=_TIMEOUT_SECONDS,
    )


def _permissions(pipeline: Pipeline) -> Sequence[iam.PolicyStatement]:
    names, resources = pipeline.context.names, pipeline.resources
    jobs = arn(pipeline, "sagemaker", "training-job", f"{batch_jobs(names.project)}*")
    return (
        allow(["sagemaker:CreateTrainingJob", "sagemaker:DescribeTrainingJob", "sagemaker:AddTags"], jobs),
        allow("sagemaker:DescribeModelPackage", model_packages_arn(pipeline, names)),
        pipeline.may_read_champion(),
        may_pass(pipeline, names.batch_role, "sagemaker"),
        allow("s3:PutObject", below(resources.artifacts, BATCH_LISTS)),
        may_list(resources.artifacts),
        may_list(resources.data),
        *may_list_named(pipeline, pipeline.context.settings.batch.read_buckets),
    )
