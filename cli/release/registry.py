"""The model registry: a package by version or ARN, and its approval."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from cli import aws, parts
from cli.errors import BadArgument
from cli.target import Target
from contract.decisions import Reason, own_words
from contract.names import DATASET_VERSION, run_of, version_of
from contract.words import did_you_mean


class NoSuchVersion(BadArgument):
    """No model of that version in this project's registry."""


def find(target: Target, which: str) -> dict[str, Any]:
    """The project's model package of a version, an ARN, or a part of the name of the run that made it.

    Raises:
        NoSuchVersion: there is none.
        Ambiguous: several runs have the part.
    """
    group = target.project
    if which.startswith("arn:"):
        match = re.fullmatch(r"arn:[^:]+:sagemaker:[^:]+:\d*:model-package/(?P<group>[^/]+)/\d+", which)
        if match is None or match["group"] != group:
            raise NoSuchVersion(f"{which} is no model of the project {group}. {_there_are(target)}")
        arn = which
    elif which.isdigit():
        arn = _arn(target, which)
    else:
        return _of_run(target, which)
    package = aws.found(target.client("sagemaker").describe_model_package, ModelPackageName=arn)
    if package is None:
        raise NoSuchVersion(f"There is no version {which}. {_there_are(target)}")
    return dict(package)


def dataset_of(package: Mapping[str, Any]) -> str:
    """The data set that a package's model was trained on; empty where it does not say."""
    found = DATASET_VERSION.fullmatch(package.get("CustomerMetadataProperties", {}).get("dataset", ""))
    return str(found["dataset"]) if found else ""


def write_approval(target: Target, arn: str, status: str, why: str) -> None:
    """Decides over a package as the AWS console does; SageMaker's event leads on from there."""
    target.client("sagemaker").update_model_package(
        ModelPackageArn=arn, ModelApprovalStatus=status, ApprovalDescription=own_words(why)
    )


def why_of(package: dict[str, Any]) -> str:
    """Why its approval is what it is."""
    return Reason.of_package(package.get("ApprovalDescription", "")).in_words or "no reason was given"


def packages(target: Target) -> Iterator[dict[str, Any]]:
    """The descriptions of the registry's models, the newest first."""
    sagemaker = target.client("sagemaker")
    request = {"ModelPackageGroupName": target.project, "SortBy": "CreationTime", "SortOrder": "Descending"}
    listed = aws.found(sagemaker.list_model_packages, **request, MaxResults=100) or {}
    for summary in listed.get("ModelPackageSummaryList", []):
        arn = summary["ModelPackageArn"]
        if package := aws.found(sagemaker.describe_model_package, ModelPackageName=arn):
            yield {"ModelPackageArn": arn, **package}


def run_of_package(package: Mapping[str, Any]) -> str:
    """The run that made a model; empty of one that says nothing."""
    return run_of(package.get("CustomerMetadataProperties", {}).get("training_job", ""))


def _of_run(target: Target, part: str) -> dict[str, Any]:
    of = {run: package for package in packages(target) if (run := run_of_package(package))}
    if found := parts.one(part, list(of), "runs with a model", f"{target.project}-"):
        return of[found]
    raise NoSuchVersion(
        f"{part!r} is no version, no ARN and no part of the name of a run with a model."
        f"{did_you_mean(part, of)} {_there_are(target)}"
    )


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
