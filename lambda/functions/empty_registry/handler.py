"""empty-registry: a custom resource that deletes every version of the model package group when the stack
goes.
"""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from functions.common import custom_resource, logs, sentences
from functions.common.clients import client


def handler(event: dict[str, Any], context: Any) -> None:
    """Act on CloudFormation's Create, Update (nothing) or Delete (all versions), and answer it.

    The physical id is the group's name: with another group, CloudFormation has the old one emptied.
    """
    logs.start("empty-registry", context)
    group = custom_resource.property_of(event, "ModelPackageGroupName")
    if event["RequestType"] == "Delete":
        group = event["PhysicalResourceId"]
        custom_resource.answer(event, group, lambda: _empty(group))
    else:
        custom_resource.answer(event, group, lambda: None)


def _empty(group: str) -> None:
    sagemaker = client("sagemaker")
    packages: list[str] = []
    try:
        for page in sagemaker.get_paginator("list_model_packages").paginate(ModelPackageGroupName=group):
            packages += [each["ModelPackageArn"] for each in page["ModelPackageSummaryList"]]
    except ClientError as error:
        if sentences.missing(error):
            return
        raise
    for arn in packages:
        sagemaker.delete_model_package(ModelPackageName=arn)
    logs.info("deleted all versions", group=group, versions=len(packages))
