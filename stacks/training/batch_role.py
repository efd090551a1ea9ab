"""What a job may do that answers pictures in one go.

It reads pictures, its code, a model and its list, keeps what it has answered, and writes answers and its log.
"""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from constructs import Construct

from contract.storage import BATCH_ANSWERS, BATCH_LISTS, BATCH_PARTS, CODE_ROOT, JOBS
from stacks.roles import (
    allow,
    below,
    may_list_named,
    may_read_named,
    pull_image,
    sagemaker_role,
    write_logs_and_metrics,
)


def batch_job_role(
    stack: Construct,
    name: str,
    data: s3.IBucket,
    artifacts: s3.IBucket,
    repository_arns: Sequence[str],
    read_buckets: Sequence[str],
) -> iam.Role:
    """The role of a batch's job.

    Args:
        read_buckets: of others, by name: pictures may lie there too.
    """
    read = (CODE_ROOT, JOBS, BATCH_LISTS, BATCH_PARTS)
    listed = {"StringLike": {"s3:prefix": [f"{prefix}/*" for prefix in read]}}
    statements = (
        allow("s3:GetObject", data.arn_for_objects("*")),
        allow("s3:ListBucket", data.bucket_arn),
        *may_list_named(stack, read_buckets),
        *may_read_named(stack, read_buckets),
        allow("s3:GetObject", below(artifacts, *read)),
        allow(["s3:PutObject", "s3:AbortMultipartUpload"], below(artifacts, BATCH_PARTS, BATCH_ANSWERS)),
        allow("s3:ListBucket", artifacts.bucket_arn, when=listed),
        *pull_image(repository_arns),
        *write_logs_and_metrics(stack, "/aws/sagemaker/TrainingJobs"),
    )
    description = "What jobs may do that answer pictures in one go."
    return sagemaker_role(stack, "BatchJobRole", name, description, statements)
