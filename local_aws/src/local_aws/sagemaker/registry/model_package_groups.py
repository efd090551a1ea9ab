"""Model package groups: the families of the model registry, each numbering its versions from 1."""

from __future__ import annotations

from typing import Any

from local_aws.core.api import JsonService, Request, Response
from local_aws.core.context import LocalAws
from local_aws.core.errors import AwsError, ValidationException
from local_aws.sagemaker import tags
from local_aws.sagemaker.listing import Listing

KIND = "model-package-group"
# The number of the newest version ever made: the number of a deleted version is not given again.
_LATEST = "LatestVersion"
_LISTING = Listing(
    result="ModelPackageGroupSummaryList",
    name="ModelPackageGroupName",
    sort_keys={"Name": "ModelPackageGroupName"},
    descending=False,
)


def register(svc: JsonService, aws: LocalAws) -> None:
    """Answer the operations on model package groups."""

    @svc.operation("CreateModelPackageGroup")
    def create(request: Request) -> Response:
        name = request["ModelPackageGroupName"]
        arn = aws.arn(f"model-package-group/{name}")
        record = {
            **{key: value for key, value in request.items() if key != "Tags"},
            "ModelPackageGroupArn": arn,
            "ModelPackageGroupStatus": "Completed",
            "CreationTime": aws.now(),
            "CreatedBy": {},
            _LATEST: 0,
        }
        with aws.store.transaction():
            if not aws.store.create(KIND, name, record):
                raise ValidationException(f"Model Package Group already exists: {arn}")
            tags.put(aws, arn, request.get("Tags", []))
        return {"ModelPackageGroupArn": arn}

    @svc.operation("DescribeModelPackageGroup")
    def describe(request: Request) -> Response:
        return find(aws, request["ModelPackageGroupName"])

    @svc.operation("ListModelPackageGroups")
    def list_groups(request: Request) -> Response:
        return _LISTING.answer(aws.store.list(KIND), request)

    @svc.operation("DeleteModelPackageGroup")
    def delete(request: Request) -> Response:
        with aws.store.transaction():
            group = find(aws, request["ModelPackageGroupName"])
            name, arn = group["ModelPackageGroupName"], group["ModelPackageGroupArn"]
            packages = [p for p in aws.store.list("model-package") if p.get("ModelPackageGroupName") == name]
            if packages:
                raise AwsError(
                    "ConflictException",
                    f"Model Package Group {arn} cannot be deleted: it contains {len(packages)} model "
                    "package(s). "
                    "Delete them first.",
                )
            aws.store.delete(KIND, name)
        tags.forget(aws, arn)
        return {}


def find(aws: LocalAws, name_or_arn: str) -> dict[str, Any]:
    """The stored group. Raises SageMaker's answer for one that does not exist."""
    name = name_or_arn.rpartition("/")[2]
    record = aws.store.get(KIND, name)
    if record is None:
        raise ValidationException(
            f"ModelPackageGroup {aws.arn(f'model-package-group/{name}')} does not exist."
        )
    return record


def next_version(aws: LocalAws, name_or_arn: str) -> tuple[dict[str, Any], int]:
    """The group, and the number its next package has; the number is taken by this call."""
    name = find(aws, name_or_arn)["ModelPackageGroupName"]
    group = aws.store.update(KIND, name, lambda record: {**record, _LATEST: record[_LATEST] + 1})
    return group, group[_LATEST]
