"""The roles that SageMaker takes on: training jobs and endpoints.

Each may do what its work needs and nothing else: no managed FullAccess policy, no resource `*` where an ARN
can be named.
"""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from constructs import Construct

from contract.storage import CAPTURED, CHECKPOINTS, CODE_ROOT, FEATURES, JOBS, TRIALS, WEIGHTS
from stacks.names import arn
from stacks.review import accept

# Actions that know no resource: AWS evaluates them against `*` alone (service authorization reference).
REASON_NO_RESOURCE = (
    "ecr:GetAuthorizationToken, cloudwatch:PutMetricData and the Describe actions of Application Auto"
    " Scaling know no resource (metrics are bound to SageMaker's namespaces by a condition). All other"
    " wildcards stand behind a fixed prefix of this project."
)


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


def grant_training(
    role: iam.Role, data: s3.IBucket, artifacts: s3.IBucket, repository_arns: Sequence[str]
) -> None:
    """What a training job does: read pictures, code and weights; keep checkpoints and what frozen
    stages compute; write its model and its log.
    """
    read = (CODE_ROOT, WEIGHTS, JOBS, TRIALS, CHECKPOINTS, FEATURES)
    written = (JOBS, TRIALS, CHECKPOINTS, FEATURES)
    for statement in (
        iam.PolicyStatement(actions=["s3:GetObject"], resources=[data.arn_for_objects("*")]),
        iam.PolicyStatement(actions=["s3:ListBucket"], resources=[data.bucket_arn]),
        iam.PolicyStatement(
            actions=["s3:GetObject"], resources=[artifacts.arn_for_objects(f"{prefix}/*") for prefix in read]
        ),
        iam.PolicyStatement(
            actions=["s3:PutObject", "s3:AbortMultipartUpload"],
            resources=[artifacts.arn_for_objects(f"{prefix}/*") for prefix in written],
        ),
        iam.PolicyStatement(
            actions=["s3:ListBucket"],
            resources=[artifacts.bucket_arn],
            conditions={"StringLike": {"s3:prefix": [f"{prefix}/*" for prefix in read]}},
        ),
        *_pull_image(repository_arns),
        *_write_logs_and_metrics(role, "/aws/sagemaker/TrainingJobs"),
    ):
        role.add_to_policy(statement)


def grant_endpoint(
    role: iam.Role,
    artifacts: s3.IBucket,
    repository_arns: Sequence[str],
    log_group: str,
    project: str,
    *,
    captures: bool,
) -> None:
    """What an endpoint does: load its model and image, write its log, watch the alarms that roll it back,
    and by setting keep its answers.
    """
    for statement in (
        iam.PolicyStatement(actions=["s3:GetObject"], resources=[artifacts.arn_for_objects(f"{JOBS}/*")]),
        *(
            [
                iam.PolicyStatement(
                    actions=["s3:PutObject"], resources=[artifacts.arn_for_objects(f"{CAPTURED}/*")]
                )
            ]
            if captures
            else []
        ),
        iam.PolicyStatement(
            actions=["s3:ListBucket"],
            resources=[artifacts.bucket_arn],
            conditions={"StringLike": {"s3:prefix": [f"{JOBS}/*"]}},
        ),
        iam.PolicyStatement(
            actions=["cloudwatch:DescribeAlarms"],
            resources=[arn(role, "cloudwatch", "alarm", f"{project}-*", separator=":")],
        ),
        *_pull_image(repository_arns),
        *_write_logs_and_metrics(role, log_group),
    ):
        role.add_to_policy(statement)


def _pull_image(repository_arns: Sequence[str]) -> Sequence[iam.PolicyStatement]:
    return (
        iam.PolicyStatement(actions=["ecr:GetAuthorizationToken"], resources=["*"]),
        iam.PolicyStatement(
            actions=["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
            resources=list(dict.fromkeys(repository_arns)),
        ),
    )


def _write_logs_and_metrics(scope: Construct, log_group: str) -> Sequence[iam.PolicyStatement]:
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
