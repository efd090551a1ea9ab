"""What region and account have once for all: services, builds at a time, API Gateway's role for logs."""

from __future__ import annotations

from collections.abc import Iterator

from cli.check.line import Code, Line, Status
from cli.check.look import Look
from cli.check.quotas import Quotas

SUPPORTED = "aws"
EXISTING = "existing"
# https://docs.aws.amazon.com/codebuild/latest/userguide/build-env-ref-compute-types.html
_ENVIRONMENTS = {
    "BUILD_GENERAL1_SMALL": "Linux/Small",
    "BUILD_GENERAL1_MEDIUM": "Linux/Medium",
    "BUILD_GENERAL1_LARGE": "Linux/Large",
    "BUILD_GENERAL1_XLARGE": "Linux/XLarge",
    "BUILD_GENERAL1_2XLARGE": "Linux/2XLarge",
}


def of_partition(look: Look) -> Iterator[Line]:
    """Whether this partition and region have what the stacks need."""
    import boto3

    who, session = look.who, boto3.Session()
    found = f"partition {who.partition}, region {who.region}"
    if who.partition != SUPPORTED:
        yield Line(
            Code.PARTITION,
            Status.WRONG,
            found,
            f"supported is the partition {SUPPORTED} alone: the images are built from public.ecr.aws, and"
            " that is nowhere else (docs/first-deploy.md)",
            "use an account of that partition",
        )
        return
    missing = [
        service
        for service in ("sagemaker", "codebuild", "apigateway", "service-quotas")
        if who.region not in session.get_available_regions(service, partition_name=who.partition)
    ]
    if missing:
        yield Line(
            Code.PARTITION,
            Status.WRONG,
            found,
            f"{', '.join(missing)}: not in this region, as far as the installed botocore knows",
            "export AWS_REGION=us-east-1 (or another that has them)",
        )
        return
    for lack in look.wanted.lacks:
        yield Line(Code.PARTITION, Status.WRONG, found, lack.wrong, lack.mend)
    if not look.wanted.lacks:
        yield Line(Code.PARTITION, Status.OK, found)


def of_builds(look: Look) -> Iterator[Line]:
    """CodeBuild's builds at a time: the images are built when the training stack is deployed."""
    together = look.wanted.templates.builds_together
    if not together:
        yield Line(Code.BUILDS, Status.OK, "no image is built: the settings name images")
        return
    quotas = Quotas.read(look.target, look.who, "codebuild")
    for compute in sorted(look.wanted.templates.compute_types):
        name = f"Concurrently running builds for {_ENVIRONMENTS.get(compute, compute)} environment"
        quota = quotas.get(name)
        if quota is None:
            yield Line(Code.BUILDS, Status.UNKNOWN, f'"{name}"', "AWS lists no quota of that name")
        elif quota.value < together:
            why = (
                f"{together} images are built at a time; CodeBuild refuses the rest and the stack rolls back"
            )
            yield Line(Code.BUILDS, Status.WRONG, quota.shown, why, quotas.more(quota, together))
        else:
            yield Line(Code.BUILDS, Status.OK, f"{quota.shown}; {together} at a time are built")


def of_log_role(look: Look) -> Iterator[Line]:
    """The role with which API Gateway writes logs, shared by every API of the account in the region."""
    answer = look.target.client("apigateway").get_account()
    role = str(answer.get("cloudwatchRoleArn") or "").rpartition("/")[2]
    settings = f"{look.who.console}/apigateway/main/settings"
    if not role and look.wanted.account_log_role == EXISTING:
        yield Line(
            Code.LOG_ROLE,
            Status.WRONG,
            "API Gateway has no role to log with",
            f'the settings say account_log_role "{EXISTING}", and without one no API can log',
            f"{settings}, or leave the setting out in cdk.json",
        )
    elif not role:
        yield Line(Code.LOG_ROLE, Status.OK, "API Gateway has no role to log with yet: `up` makes one")
    elif not _exists(look, role):
        yield Line(
            Code.LOG_ROLE,
            Status.LATER,
            f"API Gateway logs as {role}",
            "there is no role of that name any more, so every API here logs nothing",
            f"{settings}: name a role that exists, or none, and `up` makes one",
        )
    else:
        yield Line(Code.LOG_ROLE, Status.OK, f"API Gateway logs as {role}, and goes on to")


def _exists(look: Look, role: str) -> bool:
    """Whether the account has the role; who may not look is not told that it has not."""
    from botocore.exceptions import ClientError

    try:
        look.target.client("iam").get_role(RoleName=role)
    except ClientError as error:
        return bool(error.response["Error"]["Code"] != "NoSuchEntity")
    return True
