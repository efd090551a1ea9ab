"""What an endpoint's containers may do.

They load their model and image, write a log, watch the alarms that roll them back, and by setting keep their
answers.
"""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from constructs import Construct

from contract.storage import CAPTURED, JOBS
from stacks.context import Context
from stacks.names import alarm_arn
from stacks.roles import allow, below, pull_image, sagemaker_role, write_logs_and_metrics


def endpoint_role(
    stack: Construct, context: Context, artifacts: s3.IBucket, repository_arns: Sequence[str]
) -> iam.Role:
    names, settings = context.names, context.settings
    captures = settings.drift.capture_percent > 0 or settings.serving.shadows
    log_group = names.serving_logs(components=settings.serving.scale_to_zero)
    statements = (
        allow("s3:GetObject", below(artifacts, JOBS)),
        *([allow("s3:PutObject", below(artifacts, CAPTURED))] if captures else []),
        allow("s3:ListBucket", artifacts.bucket_arn, when={"StringLike": {"s3:prefix": [f"{JOBS}/*"]}}),
        allow("cloudwatch:DescribeAlarms", alarm_arn(stack, f"{names.project}-*")),
        *pull_image(repository_arns),
        *write_logs_and_metrics(stack, log_group),
    )
    description = "What the endpoint's containers may do."
    return sagemaker_role(stack, "EndpointRole", names.endpoint_role, description, statements)
