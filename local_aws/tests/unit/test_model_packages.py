"""The registry and models: versions, approval, idempotency, events, and what a model may be made from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from local_aws.core.api import JsonService
from local_aws.core.errors import AwsError
from local_aws.sagemaker import hosting
from unit.hosting_support import IMAGE, ROLE, OfflineAws, offline_aws


@pytest.fixture
def aws(tmp_path: Path) -> OfflineAws:
    return offline_aws(tmp_path)


@pytest.fixture
def svc(aws: OfflineAws) -> JsonService:
    svc = hosting.service(aws)
    svc.call("CreateModelPackageGroup", {"ModelPackageGroupName": "flowers"})
    return svc


def package(**members: Any) -> dict[str, Any]:
    container = {
        "Image": IMAGE,
        "ModelDataUrl": "s3://models/good.tar.gz",
        "Environment": {"COLOUR": "red", "SIZE": "1"},
    }
    specification = {
        "Containers": [container],
        "SupportedContentTypes": ["image/jpeg"],
        "SupportedResponseMIMETypes": ["application/json"],
    }
    return {"ModelPackageGroupName": "flowers", "InferenceSpecification": specification, **members}


def create(svc: JsonService, **members: Any) -> str:
    arn: str = svc.call("CreateModelPackage", package(**members))["ModelPackageArn"]
    return arn


def model(name: str, **container: Any) -> dict[str, Any]:
    return {"ModelName": name, "ExecutionRoleArn": ROLE, "PrimaryContainer": container}


def test_versions_count_up_and_a_deleted_number_is_not_given_again(svc: JsonService) -> None:
    first, second = create(svc), create(svc)
    assert first.endswith(":model-package/flowers/1")
    svc.call("DeleteModelPackage", {"ModelPackageName": second})
    assert create(svc).endswith("/3")


def test_a_package_waits_for_approval_unless_told_otherwise(svc: JsonService) -> None:
    described = svc.call("DescribeModelPackage", {"ModelPackageName": create(svc)})
    assert described["ModelApprovalStatus"] == "PendingManualApproval"
    assert described["ModelPackageStatus"] == "Completed"
    assert "ModelPackageName" not in described
    assert "OriginalRequest" not in described


def test_a_repeated_client_token_makes_no_second_package(aws: OfflineAws, svc: JsonService) -> None:
    first = create(svc, ClientToken="job-1", ModelApprovalStatus="Approved")
    before = len(aws.backend.events)  # type: ignore[attr-defined]
    assert create(svc, ClientToken="job-1", ModelApprovalStatus="Approved") == first
    assert len(aws.backend.events) == before  # type: ignore[attr-defined]
    assert create(svc, ClientToken="job-2").endswith("/2")


def test_a_client_token_of_another_request_is_a_conflict(svc: JsonService) -> None:
    create(svc, ClientToken="job-1")
    with pytest.raises(AwsError, match="ConflictException: ClientToken job-1") as caught:
        create(svc, ClientToken="job-1", ModelPackageDescription="another")
    assert caught.value.status == 400


def test_creation_and_every_change_go_out_as_events(aws: OfflineAws, svc: JsonService) -> None:
    arn = create(svc, CustomerMetadataProperties={"run": "r1"})
    svc.call("UpdateModelPackage", {"ModelPackageArn": arn, "ModelApprovalStatus": "Approved"})
    svc.call(
        "UpdateModelPackage",
        {"ModelPackageArn": arn, "ModelApprovalStatus": "Approved", "CustomerMetadataProperties": {"n": "1"}},
    )
    events = [event for event in aws.backend.events if event[0] == "SageMaker Model Package State Change"]  # type: ignore[attr-defined]
    statuses = [event[1]["ModelApprovalStatus"] for event in events]
    assert statuses == ["PendingManualApproval", "Approved", "Approved"]
    assert [event[1].get("UpdatedModelPackageFields") for event in events] == [
        None,
        ["ModelApprovalStatus"],
        ["CustomerMetadataProperties"],
    ]
    assert all(event[2] == (arn,) for event in events)
    assert events[0][1]["CreationTime"].endswith("Z")
    assert events[2][1]["CustomerMetadataProperties"] == {"run": "r1", "n": "1"}


def test_customer_metadata_is_merged_and_removed_by_key(svc: JsonService) -> None:
    arn = create(svc, CustomerMetadataProperties={"run": "r1", "verdict": "good"})
    changes = {
        "CustomerMetadataProperties": {"verdict": "better"},
        "CustomerMetadataPropertiesToRemove": ["run"],
    }
    svc.call("UpdateModelPackage", {"ModelPackageArn": arn, **changes})
    described = svc.call("DescribeModelPackage", {"ModelPackageName": arn})
    assert described["CustomerMetadataProperties"] == {"verdict": "better"}


def test_a_group_with_packages_is_not_deleted(svc: JsonService) -> None:
    arn = create(svc)
    with pytest.raises(AwsError, match="ConflictException"):
        svc.call("DeleteModelPackageGroup", {"ModelPackageGroupName": "flowers"})
    svc.call("DeleteModelPackage", {"ModelPackageName": arn})
    svc.call("DeleteModelPackageGroup", {"ModelPackageGroupName": "flowers"})
    with pytest.raises(AwsError, match="does not exist"):
        svc.call("DescribeModelPackageGroup", {"ModelPackageGroupName": "flowers"})


def test_a_list_shows_one_groups_packages_filtered_by_approval_in_pages(svc: JsonService) -> None:
    svc.call("CreateModelPackageGroup", {"ModelPackageGroupName": "trees"})
    approved = [create(svc, ModelApprovalStatus="Approved") for _ in range(3)]
    create(svc)
    create(svc, ModelPackageGroupName="trees", ModelApprovalStatus="Approved")
    request = {"ModelPackageGroupName": "flowers", "ModelApprovalStatus": "Approved", "MaxResults": 2}
    first = svc.call("ListModelPackages", request)
    rest = svc.call("ListModelPackages", {**request, "NextToken": first["NextToken"]})
    found = [*first["ModelPackageSummaryList"], *rest["ModelPackageSummaryList"]]
    assert [summary["ModelPackageArn"] for summary in found] == approved
    assert "NextToken" not in rest


def test_a_batch_description_names_what_is_missing(svc: JsonService) -> None:
    arn = create(svc)
    answer = svc.call("BatchDescribeModelPackage", {"ModelPackageArnList": [arn, f"{arn}9"]})
    assert answer["ModelPackageSummaries"][arn]["ModelPackageVersion"] == 1
    assert answer["BatchDescribeModelPackageErrorMap"][f"{arn}9"]["ErrorCode"] == "ValidationException"


@pytest.mark.parametrize("status", ["PendingManualApproval", "Rejected"])
def test_no_model_is_made_from_a_package_that_is_not_approved(svc: JsonService, status: str) -> None:
    arn = create(svc, ModelApprovalStatus=status)
    with pytest.raises(AwsError, match=f"ModelApprovalStatus is {status}"):
        svc.call("CreateModel", model("m", ModelPackageName=arn))
    assert svc.call("ListModels", {})["Models"] == []


def test_a_model_of_a_package_has_its_image_data_and_environment_and_may_override_the_latter(
    aws: OfflineAws, svc: JsonService
) -> None:
    arn = create(svc, ModelApprovalStatus="Approved")
    svc.call("CreateModel", model("m", ModelPackageName=arn, Environment={"COLOUR": "blue"}))
    stored = aws.store.get("model", "m")
    assert stored is not None
    assert stored["ResolvedContainer"] == {
        "image": IMAGE,
        "model_data_url": "s3://models/good.tar.gz",
        "archive": True,
        "environment": {"COLOUR": "blue", "SIZE": "1"},
    }
    assert "ResolvedContainer" not in svc.call("DescribeModel", {"ModelName": "m"})


@pytest.mark.parametrize(
    ("container", "said"),
    [
        ({"Image": IMAGE, "ModelDataUrl": "s3://models/none.tar.gz"}, "Could not access model data"),
        ({"Image": "elsewhere:1"}, "was not built here"),
        ({"ModelDataUrl": "s3://models/good.tar.gz"}, "Either Image or ModelPackageName"),
        ({"Image": IMAGE, "Mode": "MultiModel"}, "SingleModel only"),
    ],
)
def test_a_model_that_could_never_serve_is_refused(
    svc: JsonService, container: dict[str, str], said: str
) -> None:
    with pytest.raises(AwsError, match=said):
        svc.call("CreateModel", model("m", **container))


def test_names_are_taken_once_and_missing_ones_are_answered_in_awss_words(svc: JsonService) -> None:
    svc.call("CreateModel", model("m", Image=IMAGE))
    with pytest.raises(AwsError, match='Cannot create already existing model "arn:aws:sagemaker'):
        svc.call("CreateModel", model("m", Image=IMAGE))
    svc.call("DeleteModel", {"ModelName": "m"})
    with pytest.raises(AwsError, match=r'ValidationException: Could not find model "arn:.*:model/m"\.'):
        svc.call("DescribeModel", {"ModelName": "m"})
