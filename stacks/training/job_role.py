"""What a training job may do.

It reads pictures, code and weights, keeps checkpoints and what frozen stages compute, and writes its model,
or what the doctor finds, and its log.
"""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from constructs import Construct

from contract.storage import CHECKPOINTS, CODE_ROOT, DOCTOR, FEATURES, JOBS, TRIALS, WEIGHTS
from stacks.roles import allow, below, pull_image, sagemaker_role, write_logs_and_metrics


def training_job_role(
    stack: Construct, name: str, data: s3.IBucket, artifacts: s3.IBucket, repository_arns: Sequence[str]
) -> iam.Role:
    read = (CODE_ROOT, WEIGHTS, JOBS, TRIALS, CHECKPOINTS, FEATURES)
    written = (JOBS, TRIALS, CHECKPOINTS, FEATURES, DOCTOR)
    listed = {"StringLike": {"s3:prefix": [f"{prefix}/*" for prefix in read]}}
    statements = (
        allow("s3:GetObject", data.arn_for_objects("*")),
        allow("s3:ListBucket", data.bucket_arn),
        allow("s3:GetObject", below(artifacts, *read)),
        allow(["s3:PutObject", "s3:AbortMultipartUpload"], below(artifacts, *written)),
        allow("s3:ListBucket", artifacts.bucket_arn, when=listed),
        *pull_image(repository_arns),
        *write_logs_and_metrics(stack, "/aws/sagemaker/TrainingJobs"),
    )
    description = "What training jobs and tuning trials may do."
    return sagemaker_role(stack, "TrainingJobRole", name, description, statements)
