"""The role with which API Gateway writes logs: one per account and region, shared by every API in it."""

from __future__ import annotations

from collections.abc import Iterator

from cli.check.line import Code, Line, Status
from cli.check.look import Look

EXISTING = "existing"


def check(look: Look) -> Iterator[Line]:
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
