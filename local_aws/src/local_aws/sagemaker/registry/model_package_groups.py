"""Model package groups: the families of the model registry, each numbering its versions from 1."""

from __future__ import annotations

from typing import Any

from local_aws.core.api import JsonService, Request, Response
from local_aws.core.context import LocalAws
from local_aws.core.errors import AwsError, ValidationException
from local_aws.sagemaker.resources import Listing, Resources

# The number of the newest version ever made: the number of a deleted version is not given again.
_LATEST = "LatestVersion"
_GROUPS = Resources(
    kind="model-package-group",
    prefix="ModelPackageGroup",
    listing=Listing.of("ModelPackageGroup", "ModelPackageGroupSummaryList", descending=False),
    missing=lambda _name, arn: ValidationException(f"ModelPackageGroup {arn} does not exist."),
    taken=lambda _name, arn: ValidationException(f"Model Package Group already exists: {arn}"),
)


def register(svc: JsonService, aws: LocalAws) -> None:
    """Answer the operations on model package groups."""
    _GROUPS.register(svc, aws)

    @svc.operation("CreateModelPackageGroup")
    def create(request: Request) -> Response:
        arn = aws.arn(f"model-package-group/{request['ModelPackageGroupName']}")
        record = {
            **{key: value for key, value in request.items() if key != "Tags"},
            "ModelPackageGroupArn": arn,
            "ModelPackageGroupStatus": "Completed",
            "CreationTime": aws.now(),
            "CreatedBy": {},
            _LATEST: 0,
        }
        _GROUPS.create(aws, record, request)
        return {"ModelPackageGroupArn": arn}

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
            _GROUPS.delete(aws, group)
        return {}


def find(aws: LocalAws, name_or_arn: str) -> dict[str, Any]:
    """The stored group. Raises SageMaker's answer for one that does not exist."""
    return _GROUPS.find(aws, name_or_arn.rpartition("/")[2])


def next_version(aws: LocalAws, name_or_arn: str) -> tuple[dict[str, Any], int]:
    """The group, and the number its next package has; the number is taken by this call."""
    name = find(aws, name_or_arn)["ModelPackageGroupName"]
    group = aws.store.update(_GROUPS.kind, name, lambda record: {**record, _LATEST: record[_LATEST] + 1})
    return group, group[_LATEST]
