"""What roles may do, one statement of a policy for each right, and the roles that SageMaker takes on.

Each may do what its work needs and nothing else: no managed FullAccess policy, no resource `*` where an ARN
can be named.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from aws_cdk import Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from constructs import Construct

from stacks.names import arn, bucket_arn, role_arn
from stacks.review import REASON_NO_RESOURCE, accept


def allow(
    actions: str | Sequence[str],
    resources: str | Sequence[str],
    when: Mapping[str, Mapping[str, object]] | None = None,
) -> iam.PolicyStatement:
    """The right to one or several actions on one or several resources, under conditions by operator."""
    return iam.PolicyStatement(
        actions=[actions] if isinstance(actions, str) else list(actions),
        resources=[resources] if isinstance(resources, str) else list(resources),
        conditions=when,
    )


def may_invoke(scope: Construct, name: str) -> iam.PolicyStatement:
    """The right to invoke a function of the project; what may be asked of it is its own to decide."""
    return allow("lambda:InvokeFunction", arn(scope, "lambda", "function", name, separator=":"))


def may_pass(scope: Construct, role: str, service: str) -> iam.PolicyStatement:
    """The right to give a role of this name to a service such as `sagemaker`, and to no other."""
    passed_to = {"iam:PassedToService": f"{service}.amazonaws.com"}
    return allow("iam:PassRole", role_arn(scope, role), when={"StringEquals": passed_to})


def may_list(bucket: s3.IBucket) -> iam.PolicyStatement:
    """Without the right to list, S3 answers AccessDenied for an object that is not there, never NoSuchKey.

    A condition on the prefix would not do: reading an object carries none.
    """
    return allow("s3:ListBucket", bucket.bucket_arn)


def may_list_named(scope: Construct, buckets: Sequence[str]) -> Sequence[iam.PolicyStatement]:
    """The right to list buckets of others, given by name; no statement without any."""
    return (allow("s3:ListBucket", [bucket_arn(scope, each) for each in buckets]),) if buckets else ()


def may_read_named(scope: Construct, buckets: Sequence[str]) -> Sequence[iam.PolicyStatement]:
    """The right to read all that lies in buckets of others, given by name; no statement without any."""
    if not buckets:
        return ()
    return (allow("s3:GetObject", [f"{bucket_arn(scope, each)}/*" for each in buckets]),)


def below(bucket: s3.IBucket, *prefixes: str) -> Sequence[str]:
    """The ARNs of the objects under these prefixes, given without their slash."""
    return [bucket.arn_for_objects(f"{prefix}/*") for prefix in prefixes]


def sagemaker_role(
    scope: Construct,
    construct_id: str,
    name: str,
    description: str,
    statements: Sequence[iam.PolicyStatement],
) -> iam.Role:
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
    for statement in statements:
        role.add_to_policy(statement)
    accept(role, {"AwsSolutions-IAM5": REASON_NO_RESOURCE})
    return role


def pull_image(repository_arns: Sequence[str]) -> Sequence[iam.PolicyStatement]:
    """The rights to start a container of images in these repositories."""
    return (
        allow("ecr:GetAuthorizationToken", "*"),
        allow(
            ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
            list(dict.fromkeys(repository_arns)),
        ),
    )


def write_logs_and_metrics(scope: Construct, log_group: str) -> Sequence[iam.PolicyStatement]:
    """The rights to keep a log and to count in SageMaker's own namespaces."""
    group = arn(scope, "logs", "log-group", log_group, separator=":")
    return (
        allow(
            ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"],
            [group, f"{group}:*"],
        ),
        allow(
            "cloudwatch:PutMetricData", "*", when={"StringLike": {"cloudwatch:namespace": "/aws/sagemaker/*"}}
        ),
    )
