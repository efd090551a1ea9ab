"""What the roles of training jobs and of endpoints share, which SageMaker takes on.

Each may do what its work needs and nothing else: no managed FullAccess policy, no resource `*` where an ARN
can be named.
"""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import Stack
from aws_cdk import aws_iam as iam
from constructs import Construct

from stacks.names import arn
from stacks.review import REASON_NO_RESOURCE, accept


def sagemaker_role(scope: Construct, construct_id: str, name: str, description: str) -> iam.Role:
    """A role for SageMaker, which it can take on only for this account's own jobs."""
    role = iam.Role(
        scope,
        construct_id,
        role_name=name,
        description=description,
        assumed_by=iam.ServicePrincipal(
            "sagemaker.amazonaws.com",
            conditions={"StringEquals": {"aws:SourceAccount": Stack.of(scope).account}},
        ),
    )
    accept(role, {"AwsSolutions-IAM5": REASON_NO_RESOURCE})
    return role


def pull_image(repository_arns: Sequence[str]) -> Sequence[iam.PolicyStatement]:
    """The rights to start a container of images in these repositories."""
    return (
        iam.PolicyStatement(actions=["ecr:GetAuthorizationToken"], resources=["*"]),
        iam.PolicyStatement(
            actions=["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
            resources=list(dict.fromkeys(repository_arns)),
        ),
    )


def write_logs_and_metrics(scope: Construct, log_group: str) -> Sequence[iam.PolicyStatement]:
    """The rights to keep a log and to count in SageMaker's own namespaces."""
    group = arn(scope, "logs", "log-group", log_group, separator=":")
    return (
        iam.PolicyStatement(
            actions=[
                "logs:CreateLogGroup",
                "logs:CreateLogStream",
                "logs:DescribeLogStreams",
                "logs:PutLogEvents",
            ],
            resources=[group, f"{group}:*"],
        ),
        iam.PolicyStatement(
            actions=["cloudwatch:PutMetricData"],
            resources=["*"],
            conditions={"StringLike": {"cloudwatch:namespace": "/aws/sagemaker/*"}},
        ),
    )
