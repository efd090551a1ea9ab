"""The CDK's own stack in the account: there, whole, and new enough."""

from __future__ import annotations

from collections.abc import Iterator

from cli.check.line import Code, Line, Status
from cli.check.look import Look
from cli.deploy.cdk import BOOTSTRAP_STACK
from cli.stacks import status_of


def check(look: Look) -> Iterator[Line]:
    target, needed = look.target, look.wanted.templates
    command = f"npx aws-cdk@2 bootstrap aws://{look.who.account}/{look.who.region}"
    status = status_of(target, BOOTSTRAP_STACK)
    if status is None:
        yield Line(Code.BOOTSTRAP, Status.OK, f"no stack {BOOTSTRAP_STACK} yet: `up` makes it")
        return
    found = f"{BOOTSTRAP_STACK} is {status}"
    if not status.endswith("_COMPLETE") or status in ("ROLLBACK_COMPLETE", "DELETE_COMPLETE"):
        delete = f"aws cloudformation delete-stack --stack-name {BOOTSTRAP_STACK}"
        yield Line(Code.BOOTSTRAP, Status.WRONG, found, "it did not come to be", f"{delete} && {command}")
        return
    version = _version(look)
    if version is None:
        name = needed.bootstrap_parameter
        yield Line(Code.BOOTSTRAP, Status.WRONG, found, f"its parameter {name} is missing", command)
    elif version < needed.bootstrap_version:
        why = f"it is version {version}, and aws-cdk-lib needs {needed.bootstrap_version}"
        yield Line(Code.BOOTSTRAP, Status.WRONG, found, why, command)
    else:
        at_least = f"version {version} (at least {needed.bootstrap_version} is needed)"
        yield Line(Code.BOOTSTRAP, Status.OK, f"{found}, {at_least}")


def _version(look: Look) -> int | None:
    from botocore.exceptions import ClientError

    try:
        answer = look.target.client("ssm").get_parameter(Name=look.wanted.templates.bootstrap_parameter)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ParameterNotFound":
            raise
        return None
    return int(answer["Parameter"]["Value"])
