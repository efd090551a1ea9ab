"""The model registry: a package by version or ARN, and its approval."""

from __future__ import annotations

import re
from typing import Any

from cli import aws
from cli.errors import BadArgument
from cli.target import Target
from contract.decisions import Reason, own_words
from contract.names import version_of


class NoSuchVersion(BadArgument):
    """No model of that version in this project's registry."""


def find(target: Target, which: str) -> dict[str, Any]:
    """The project's model package of a version or an ARN. Raises NoSuchVersion where there is none."""
    group = target.project
    if which.startswith("arn:"):
        match = re.fullmatch(r"arn:[^:]+:sagemaker:[^:]+:\d*:model-package/(?P<group>[^/]+)/\d+", which)
        if match is None or match["group"] != group:
            raise NoSuchVersion(f"{which} is no model of the project {group}. {_there_are(target)}")
        arn = which
    elif which.isdigit():
        arn = _arn(target, which)
    else:
        raise NoSuchVersion(f"{which!r} is neither a version nor an ARN. {_there_are(target)}")
    package = aws.found(target.client("sagemaker").describe_model_package, ModelPackageName=arn)
    if package is None:
        raise NoSuchVersion(f"There is no version {which}. {_there_are(target)}")
    return dict(package)


def write_approval(target: Target, arn: str, status: str, why: str) -> None:
    """Decides over a package as the AWS console does; SageMaker's event leads on from there."""
    target.client("sagemaker").update_model_package(
        ModelPackageArn=arn, ModelApprovalStatus=status, ApprovalDescription=own_words(why)
    )


def why_of(package: dict[str, Any]) -> str:
    """Why its approval is what it is."""
    return Reason.of_package(package.get("ApprovalDescription", "")).in_words or "no reason was given"


def _arn(target: Target, version: str) -> str:
    partition = "aws" if target.is_local else target.client("sts").get_caller_identity()["Arn"].split(":")[1]
    place = f"arn:{partition}:sagemaker:{target.region}:{target.account()}"
    return f"{place}:model-package/{target.project}/{version}"


def _there_are(target: Target) -> str:
    from botocore.exceptions import ClientError

    try:
        listed = target.client("sagemaker").list_model_packages(
            ModelPackageGroupName=target.project, SortBy="CreationTime", SortOrder="Descending", MaxResults=20
        )["ModelPackageSummaryList"]
    except ClientError:
        listed = []
    versions = [f"{version_of(each['ModelPackageArn'])} ({each['ModelApprovalStatus']})" for each in listed]
    return f"There are: {', '.join(versions) or 'none yet'}."
