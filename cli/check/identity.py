"""Whose account it is, and where."""

from __future__ import annotations

import os
from dataclasses import dataclass

from cli.check.line import Code, Line, Status
from cli.errors import BadTarget
from cli.explain import explain
from cli.target import Target

_EXPIRED = ("ExpiredToken", "ExpiredTokenException", "RequestExpired")
_CONSOLES = {"aws-cn": "console.amazonaws.cn", "aws-us-gov": "console.amazonaws-us-gov.com"}


@dataclass(frozen=True)
class Identity:
    """Who asks, and where."""

    account: str
    arn: str
    region: str
    partition: str

    @property
    def pseudo_parameters(self) -> dict[str, str]:
        """What CloudFormation's pseudo parameters stand for here."""
        return {
            "AWS::Partition": self.partition,
            "AWS::Region": self.region,
            "AWS::AccountId": self.account,
        }

    @property
    def console(self) -> str:
        """The address of AWS's console for this region."""
        return f"https://{self.region}.{_CONSOLES.get(self.partition, 'console.aws.amazon.com')}"


def whose(target: Target) -> tuple[Identity | None, Line]:
    """Who asks; None where the credentials or the region are of no use."""
    profile = os.environ.get("AWS_PROFILE") or os.environ.get("AWS_DEFAULT_PROFILE") or ""
    profile_text = f"profile {profile}" if profile else "no profile chosen (AWS_PROFILE)"
    try:
        region = target.region
        answer = target.client("sts").get_caller_identity()
    except BadTarget as error:
        return None, Line(
            Code.CREDENTIALS, Status.WRONG, profile_text, str(error), "export AWS_REGION=eu-west-1"
        )
    except Exception as error:
        why = explain(error, target)
        if why is None:
            raise
        return None, Line(Code.CREDENTIALS, Status.WRONG, profile_text, why, _renew(error, profile))
    arn = str(answer["Arn"])
    who = Identity(str(answer["Account"]), arn, region, arn.split(":")[1])
    found = f"account {who.account}, region {region}, as {arn.split(':', 5)[5]}"
    return who, Line(Code.CREDENTIALS, Status.OK, found if target.is_local else f"{found}, {profile_text}")


def _renew(error: Exception, profile: str) -> str:
    from botocore.exceptions import EndpointConnectionError, HTTPClientError

    if isinstance(error, EndpointConnectionError | HTTPClientError):
        return (
            "env | grep -i -e proxy -e AWS_ENDPOINT_URL"  # what stands between; the credentials may be fine
        )
    option = f" --profile {profile}" if profile else ""
    code = getattr(error, "response", {}).get("Error", {}).get("Code", "")
    if code in _EXPIRED or "SSO" in type(error).__name__ or "Token" in type(error).__name__:
        return f"aws sso login{option}"
    if type(error).__name__ == "ProfileNotFound":
        return "aws configure list-profiles"
    return f"aws configure{option}"
