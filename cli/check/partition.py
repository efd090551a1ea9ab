"""Whether this partition and region have what the stacks need."""

from __future__ import annotations

from collections.abc import Iterator

from cli.check.line import Code, Line, Status
from cli.check.look import Look

SUPPORTED = "aws"


def check(look: Look) -> Iterator[Line]:
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
