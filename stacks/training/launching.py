"""What the launchers share: the environment, and the way up to the job's creation."""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import aws_iam as iam

from contract.environment import LaunchEnvironment
from contract.storage import CODE_ROOT, DATASETS, RECIPES, RUNS, WEIGHTS
from stacks.roles import allow, below, may_list, may_pass
from stacks.training.pipeline import Pipeline

MEMORY_MB = 512
"""For the keys of a data set that came past `classifier upload`, and the processor that comes with memory."""
_READ = ("*/newest.json", "*/versions/*")
_WRITTEN = (*_READ, "*/shards/*")
"""Of a data set that is adopted."""


def environment(pipeline: Pipeline) -> LaunchEnvironment:
    """Where data and code lie, and on what a job runs."""
    resources, training = pipeline.resources, pipeline.context.settings.training
    return LaunchEnvironment(
        project=pipeline.context.settings.project,
        data_bucket=resources.data.bucket_name,
        artifacts_bucket=resources.artifacts.bucket_name,
        code_prefix=resources.code_prefix,
        training_image=resources.training_image.uri,
        training_image_gpu=resources.training_image_gpu.uri,
        training_role_arn=resources.training_role.role_arn,
        training_instance_types=training.instances,
        training_volume_gb=training.volume_gb,
        max_runtime_minutes=training.max_runtime_minutes,
        champion_parameter=pipeline.context.names.champion_parameter,
        notification_topic_arn=resources.topic.topic_arn,
    )


def permissions(pipeline: Pipeline) -> Sequence[iam.PolicyStatement]:
    """The rights to read recipe, code and the head of weights, to write a run's record, and those below."""
    artifacts = pipeline.resources.artifacts
    return (
        allow(
            "s3:GetObject",
            below(artifacts, RECIPES, CODE_ROOT, RUNS, WEIGHTS),
        ),
        allow("s3:PutObject", below(artifacts, RUNS)),
        *permissions_for_data(pipeline),
        pipeline.may_publish(),
    )


def permissions_for_data(pipeline: Pipeline) -> Sequence[iam.PolicyStatement]:
    """The rights to find the version of the dataset or make one of what lies there, to see which weights
    there are, and to give a job its role.
    """
    data, artifacts = pipeline.resources.data, pipeline.resources.artifacts
    return (
        may_pass(pipeline, pipeline.context.names.training_role, "sagemaker"),
        may_read_versions(pipeline),
        allow("s3:PutObject", [data.arn_for_objects(f"{DATASETS}/{each}") for each in _WRITTEN]),
        may_list(artifacts),
        may_list(data),
    )


def may_read_versions(pipeline: Pipeline) -> iam.PolicyStatement:
    """The right to read what versions of data sets are, and what they changed: no picture."""
    data = pipeline.resources.data
    return allow("s3:GetObject", [data.arn_for_objects(f"{DATASETS}/{each}") for each in _READ])
