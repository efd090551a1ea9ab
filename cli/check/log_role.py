"""The role with which API Gateway writes logs: one per account and region, shared by every API in it."""

from __future__ import annotations

from collections.abc import Iterator

from cli.check.line import Code, Line, Status
from cli.check.look import Look

_ACCOUNT = "AWS::ApiGateway::Account"
EXISTING = "existing"


def check(look: Look) -> Iterator[Line]:
    answer = look.target.client("apigateway").get_account()
    role = str(answer.get("cloudwatchRoleArn") or "")
    found = (
        f"API Gateway logs as {role.rpartition('/')[2]}" if role else "API Gateway has no role to log with"
    )
    made = any(True for _ in look.wanted.templates.resources(_ACCOUNT))
    if made and role and not look.made("AWS::IAM::Role", role.rpartition("/")[2]):
        yield Line(
            Code.LOG_ROLE,
            Status.WRONG,
            found,
            "the stacks would put their own in its place for every API here, and take it away at destroy",
            f'set "account_log_role": "{EXISTING}" under api in cdk.json',
        )
    elif not made and not role and look.wanted.account_log_role == EXISTING:
        yield Line(
            Code.LOG_ROLE,
            Status.WRONG,
            found,
            f'the settings say account_log_role "{EXISTING}", and there is none',
            f"{look.who.console}/apigateway/main/settings, or leave the setting out in cdk.json",
        )
    else:
        yield Line(Code.LOG_ROLE, Status.OK, found)
