"""The versions of the model registry: model packages, and their approval.

A versioned package belongs to a group and gets its next number; an unversioned one stands under its own name.
Either is complete at once here (there is nothing to validate), so its life is its approval: every change of
it goes out as an event, from which deployments start.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from local_aws.core.api import JsonService, Request, Response
from local_aws.core.context import LocalAws
from local_aws.core.errors import AwsError, ValidationException
from local_aws.sagemaker import tags
from local_aws.sagemaker.registry import model_package_groups
from local_aws.sagemaker.resources import Listing

KIND = "model-package"
# What a list sorts and filters by; not part of any answer.
_NAME = "Name"
_LISTING = Listing(
    result="ModelPackageSummaryList",
    name=_NAME,
    sort_keys={"Name": _NAME},
    descending=False,
)
# How CreateModelPackage came about; kept to recognise a repeated ClientToken, shown to nobody.
_REQUEST = "OriginalRequest"
# The members UpdateModelPackage replaces as they are.
_PLAIN = (
    "ModelApprovalStatus",
    "ModelPackageRegistrationType",
    "ApprovalDescription",
    "InferenceSpecification",
    "SourceUri",
    "ModelCard",
    "ModelLifeCycle",
)


def register(svc: JsonService, aws: LocalAws) -> None:
    """Answer the operations on model packages."""
    _register_reading(svc, aws)

    @svc.operation("CreateModelPackage")
    def create(request: Request) -> Response:
        def create_and_tell() -> str:
            record = _of_token(aws, request)
            if record is None:
                record = _new(aws, request)
                arn = record["ModelPackageArn"]
                if not aws.store.create(KIND, arn, record):
                    raise AwsError("ConflictException", f"Model Package already exists: {arn}")
                tags.put(aws, arn, request.get("Tags", []))
                _announce(aws, record)
            return str(record["ModelPackageArn"])

        return {"ModelPackageArn": aws.atomically(create_and_tell)}

    @svc.operation("UpdateModelPackage")
    def update(request: Request) -> Response:
        arn = find(aws, request["ModelPackageArn"])["ModelPackageArn"]
        changed: list[str] = []

        def change(record: dict[str, Any]) -> dict[str, Any]:
            after = _updated(record, request)
            changed[:] = [key for key in after if after[key] != record.get(key)]
            changed.extend(key for key in record if key not in after)
            return {**after, "LastModifiedTime": aws.now(), "LastModifiedBy": {}}

        def change_and_tell() -> None:
            record = aws.store.update(KIND, arn, change)
            _announce(aws, {**record, "UpdatedModelPackageFields": changed})

        aws.atomically(change_and_tell)
        return {"ModelPackageArn": arn}

    @svc.operation("DeleteModelPackage")
    def delete(request: Request) -> Response:
        arn = find(aws, request["ModelPackageName"])["ModelPackageArn"]
        aws.store.delete(KIND, arn)
        tags.forget(aws, arn)
        return {}


def _register_reading(svc: JsonService, aws: LocalAws) -> None:
    @svc.operation("DescribeModelPackage")
    def describe(request: Request) -> Response:
        return find(aws, request["ModelPackageName"])

    @svc.operation("BatchDescribeModelPackage")
    def batch_describe(request: Request) -> Response:
        found: dict[str, Any] = {}
        errors: dict[str, Any] = {}
        for arn in request["ModelPackageArnList"]:
            try:
                found[arn] = find(aws, arn)
            except AwsError as error:
                errors[arn] = {"ErrorCode": error.code, "ErrorResponse": error.message}
        return {"ModelPackageSummaries": found, "BatchDescribeModelPackageErrorMap": errors}

    @svc.operation("ListModelPackages")
    def list_packages(request: Request) -> Response:
        return _LISTING.answer(
            [record for record in aws.store.list(KIND) if _listed(aws, record, request)], request
        )


def find(aws: LocalAws, name_or_arn: str) -> dict[str, Any]:
    """The stored package. Raises SageMaker's answer for one that does not exist."""
    arn = name_or_arn if name_or_arn.startswith("arn:") else aws.arn(f"model-package/{name_or_arn}")
    record = aws.store.get(KIND, arn)
    if record is None:
        raise ValidationException(f"ModelPackage {arn} does not exist.")
    return record


def _new(aws: LocalAws, request: Request) -> dict[str, Any]:
    """The record of a new package, versioned or not; takes the next number of its group."""
    group_name, name = request.get("ModelPackageGroupName"), request.get("ModelPackageName")
    if group_name and name:
        raise ValidationException(
            "Both ModelPackageName and ModelPackageGroupName are provided in the input. "
            "Cannot determine which one to use."
        )
    record = {key: value for key, value in request.items() if key not in ("Tags", "ClientToken")}
    if group_name:
        group, version = model_package_groups.next_version(aws, group_name)
        record["ModelPackageGroupName"] = group["ModelPackageGroupName"]
        record["ModelPackageVersion"] = version
        record.setdefault("ModelApprovalStatus", "PendingManualApproval")
        arn = aws.arn(f"model-package/{group['ModelPackageGroupName']}/{version}")
    elif name:
        if "ModelApprovalStatus" in request:
            raise ValidationException("ModelApprovalStatus can only be given for a package of a group.")
        arn = aws.arn(f"model-package/{name}")
    else:
        raise ValidationException("Missing ARN: give ModelPackageGroupName (versioned) or ModelPackageName.")
    _must_run(request)
    return {
        **record,
        # A versioned package has no ModelPackageName in AWS's answers, only its group's name and its number.
        _NAME: record["ModelPackageGroupName"] if group_name else name,
        "ModelPackageArn": arn,
        "ModelPackageStatus": "Completed",
        "ModelPackageStatusDetails": {"ValidationStatuses": [], "ImageScanStatuses": []},
        "CertifyForMarketplace": request.get("CertifyForMarketplace", False),
        "CreationTime": aws.now(),
        "CreatedBy": {},
        _REQUEST: _comparable(request),
    }


def _must_run(request: Request) -> None:
    if "InferenceSpecification" not in request and "SourceAlgorithmSpecification" not in request:
        raise ValidationException(
            "Either InferenceSpecification or SourceAlgorithmSpecification must be specified."
        )
    for container in request.get("InferenceSpecification", {}).get("Containers", []):
        if "Image" not in container:
            raise ValidationException("Every container of an InferenceSpecification needs an Image.")


def _of_token(aws: LocalAws, request: Request) -> dict[str, Any] | None:
    """The package that the same ClientToken made. ConflictException if it came with another request."""
    token = request.get("ClientToken")
    for record in aws.store.list(KIND) if token else ():
        if record[_REQUEST].get("ClientToken") != token:
            continue
        if record[_REQUEST] != _comparable(request):
            raise AwsError(
                "ConflictException",
                f"ClientToken {token} was used with other parameters for {record['ModelPackageArn']}; "
                "use a new token for another package.",
            )
        return record
    return None


def _comparable(request: Request) -> dict[str, Any]:
    return {key: value for key, value in request.items() if key != "Tags"}


def _updated(record: dict[str, Any], request: Request) -> dict[str, Any]:
    after = {**record, **{key: request[key] for key in _PLAIN if key in request}}
    metadata = {
        **record.get("CustomerMetadataProperties", {}),
        **request.get("CustomerMetadataProperties", {}),
    }
    for key in request.get("CustomerMetadataPropertiesToRemove", []):
        metadata.pop(key, None)
    if metadata or "CustomerMetadataProperties" in record:
        after["CustomerMetadataProperties"] = metadata
    if more := request.get("AdditionalInferenceSpecificationsToAdd"):
        after["AdditionalInferenceSpecifications"] = [
            *record.get("AdditionalInferenceSpecifications", []),
            *more,
        ]
    return after


def _listed(aws: LocalAws, record: Mapping[str, Any], request: Request) -> bool:
    """ListModelPackages without a group shows the unversioned packages, as AWS does."""
    wanted = request.get("ModelPackageType", "Unversioned")
    if group := request.get("ModelPackageGroupName"):
        name = model_package_groups.find(aws, group)["ModelPackageGroupName"]
        if record.get("ModelPackageGroupName") != name:
            return False
    elif wanted != "Both" and (wanted == "Versioned") != ("ModelPackageVersion" in record):
        return False
    approval = request.get("ModelApprovalStatus")
    return approval is None or record.get("ModelApprovalStatus") == approval


def _announce(aws: LocalAws, record: Mapping[str, Any]) -> None:
    """The event of every creation and change, shaped as in
    https://docs.aws.amazon.com/sagemaker/latest/dg/automating-sagemaker-with-eventbridge.html#eventbridge-model-package
    """
    left_out = (_REQUEST, _NAME, "CreatedBy", "LastModifiedBy")
    detail = {key: value for key, value in record.items() if key not in left_out}
    for key in ("CreationTime", "LastModifiedTime"):
        if key in detail:
            detail[key] = detail[key].strftime("%Y-%m-%dT%H:%M:%SZ")
    aws.emit("SageMaker Model Package State Change", detail, [record["ModelPackageArn"]])
