"""The CDK's own stack in the account: there, whole, and new enough."""

from __future__ import annotations

from collections.abc import Iterator

from cli.aws import found
from cli.check.identity import Identity
from cli.check.line import Code, Line, Status
from cli.check.look import Look
from cli.deploy.cdk import BOOTSTRAP_STACK
from cli.stacks import changes, status_of
from contract.aws_errors import code_of


def check(look: Look) -> Iterator[Line]:
    target, needed = look.target, look.wanted.templates
    command = f"npx aws-cdk@2 bootstrap aws://{look.who.account}/{look.who.region}"
    status = status_of(target, BOOTSTRAP_STACK)
    if status is None:
        yield from _left_over(look)
        return
    state = f"{BOOTSTRAP_STACK} is {status}"
    if changes(status):
        wait = f"aws cloudformation describe-stacks --stack-name {BOOTSTRAP_STACK}, until it has ended"
        yield Line(Code.BOOTSTRAP, Status.WRONG, state, "somebody is changing it", wait)
        return
    if status == "UPDATE_ROLLBACK_FAILED":
        go_on = f"aws cloudformation continue-update-rollback --stack-name {BOOTSTRAP_STACK}"
        yield Line(Code.BOOTSTRAP, Status.WRONG, state, "its last update could not be taken back", go_on)
        return
    if not status.endswith("_COMPLETE") or status in ("ROLLBACK_COMPLETE", "DELETE_COMPLETE"):
        delete = f"aws cloudformation delete-stack --stack-name {BOOTSTRAP_STACK}"
        yield Line(Code.BOOTSTRAP, Status.WRONG, state, "it did not come to be", f"{delete} && {command}")
        return
    version = _version(look)
    if version is None:
        name = needed.bootstrap_parameter
        yield Line(Code.BOOTSTRAP, Status.WRONG, state, f"its parameter {name} is missing", command)
    elif version < needed.bootstrap_version:
        why = f"it is version {version}, and aws-cdk-lib needs {needed.bootstrap_version}"
        yield Line(Code.BOOTSTRAP, Status.WRONG, state, why, command)
    else:
        at_least = f"version {version} (at least {needed.bootstrap_version} is needed)"
        yield Line(Code.BOOTSTRAP, Status.OK, f"{state}, {at_least}")


def _left_over(look: Look) -> Iterator[Line]:
    """The stack's template keeps its bucket when the stack is deleted, and then cannot be made anew."""
    bucket = assets_bucket(look.who)
    none = f"no stack {BOOTSTRAP_STACK} yet"
    match _answer_about(look, bucket):
        case "404":
            yield Line(Code.BOOTSTRAP, Status.OK, f"{none}: `up` makes it")
        case "200":
            why = f"a former one left its bucket {bucket}, beside which none can be made"
            mend = f"aws s3 rb s3://{bucket} --force; what has versions is emptied in the console first"
            yield Line(Code.BOOTSTRAP, Status.WRONG, none, why, mend)
        case answer:
            why = f"S3 answers {answer} about the bucket {bucket}: if a former one left it, `up` will fail"
            yield Line(Code.BOOTSTRAP, Status.UNKNOWN, none, why)


def assets_bucket(who: Identity) -> str:
    """The bucket that the bootstrap makes, by the name it gives it."""
    return f"cdk-hnb659fds-assets-{who.account}-{who.region}"


def _answer_about(look: Look, bucket: str) -> str:
    """HTTP's status, which is all that S3 says to a HEAD.
    https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadBucket.html
    """
    from botocore.exceptions import ClientError

    try:
        look.target.client("s3").head_bucket(Bucket=bucket)
    except ClientError as error:
        return code_of(error)
    return "200"


def _version(look: Look) -> int | None:
    ssm, name = look.target.client("ssm"), look.wanted.templates.bootstrap_parameter
    answer = found(ssm.get_parameter, Name=name)
    return None if answer is None else int(answer["Parameter"]["Value"])
