"""Inference components: a model in so many copies on an endpoint that names none, and none as one of the
numbers.
"""

from __future__ import annotations

from typing import Any

import botocore.session
import pytest

from local_aws.core.api import JsonService
from local_aws.core.errors import AwsError
from local_aws.sagemaker import hosting
from local_aws.sagemaker.hosting.instance_sizes import Size, size_of
from unit.hosting_support import ROLE, OfflineAws, until
from unit.test_endpoints import aws, config, create, invoke, settled, svc

__all__ = ["aws", "svc"]
VARIANT = {
    "VariantName": "main",
    "InstanceType": "ml.c7i.large",
    "InitialInstanceCount": 1,
    "ManagedInstanceScaling": {"Status": "ENABLED", "MinInstanceCount": 0, "MaxInstanceCount": 2},
}
NEEDS = {"MinMemoryRequiredInMb": 1024, "NumberOfCpuCoresRequired": 1}
HEADER = {"x-amzn-sagemaker-inference-component": "c"}


def specification(model: str) -> dict[str, Any]:
    return {"ModelName": model, "ComputeResourceRequirements": NEEDS}


def component(svc: JsonService, model: str = "good", copies: int = 1) -> dict[str, Any]:
    """A component `c` on an endpoint `e` for components."""
    config(svc, "for-components", VARIANT, ExecutionRoleArn=ROLE)
    svc.call("CreateEndpoint", {"EndpointName": "e", "EndpointConfigName": "for-components"})
    settled(svc)
    request = {"InferenceComponentName": "c", "EndpointName": "e", "VariantName": "main"}
    runtime = {"CopyCount": copies}
    svc.call(
        "CreateInferenceComponent",
        {**request, "Specification": specification(model), "RuntimeConfig": runtime},
    )
    return at_rest(svc)


def at_rest(svc: JsonService) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        found = svc.call("DescribeInferenceComponent", {"InferenceComponentName": "c"})
        return found if found["InferenceComponentStatus"] in ("InService", "Failed") else None

    found: dict[str, Any] = until(look, 120)
    return found


def resize(svc: JsonService, copies: int) -> dict[str, Any]:
    request = {"InferenceComponentName": "c", "DesiredRuntimeConfig": {"CopyCount": copies}}
    svc.call("UpdateInferenceComponentRuntimeConfig", request)
    return at_rest(svc)


def test_a_request_reaches_the_component_it_names(svc: JsonService) -> None:
    found = component(svc)
    assert found["RuntimeConfig"] == {"DesiredCopyCount": 1, "CurrentCopyCount": 1}
    status, _, answer = invoke(svc, **HEADER)
    assert (status, answer["model"]) == (200, "good")


def test_a_request_that_names_no_component_or_another_is_refused(svc: JsonService) -> None:
    component(svc)
    status, _, answer = invoke(svc)
    assert (status, "Inference Component Name header is required" in answer["message"]) == (400, True)
    status, _, answer = invoke(svc, **{"x-amzn-sagemaker-inference-component": "other"})
    assert (status, "not found" in answer["message"]) == (400, True)


def test_without_a_copy_there_is_no_capacity_which_is_counted_and_a_copy_brings_it_back(
    aws: OfflineAws, svc: JsonService
) -> None:
    component(svc)
    assert resize(svc, 0)["RuntimeConfig"] == {"DesiredCopyCount": 0, "CurrentCopyCount": 0}
    status, _, answer = invoke(svc, **HEADER)
    assert (status, "has no capacity to process this request" in answer["message"]) == (400, True)
    metrics = svc._metrics  # type: ignore[attr-defined]
    (counted,) = (datum for datum in metrics.data() if datum["MetricName"] == "NoCapacityInvocationFailures")
    assert counted["Dimensions"] == [{"Name": "InferenceComponentName", "Value": "c"}]
    assert resize(svc, 2)["RuntimeConfig"]["CurrentCopyCount"] == 2
    assert invoke(svc, **HEADER)[0] == 200


def test_traffic_is_counted_per_component(svc: JsonService) -> None:
    component(svc)
    invoke(svc, **HEADER)
    metrics = svc._metrics  # type: ignore[attr-defined]
    metrics.sample()
    found = {
        datum["MetricName"]
        for datum in metrics.data()
        if datum["Dimensions"] == [{"Name": "InferenceComponentName", "Value": "c"}]
    }
    assert {"Invocations", "InvocationsPerCopy", "ConcurrentRequestsPerCopy", "ModelLatency"} <= found


def test_another_model_takes_over_and_one_that_does_not_load_leaves_the_old_one(svc: JsonService) -> None:
    component(svc)
    update = {"InferenceComponentName": "c", "Specification": specification("better")}
    svc.call("UpdateInferenceComponent", update)
    assert at_rest(svc)["Specification"]["ModelName"] == "better"
    assert invoke(svc, **HEADER)[2]["model"] == "better"
    svc.call("UpdateInferenceComponent", {**update, "Specification": specification("broken")})
    assert "ping health check" in at_rest(svc)["FailureReason"]
    assert invoke(svc, **HEADER)[2]["model"] == "better"


def test_a_model_that_does_not_load_fails_the_component(svc: JsonService) -> None:
    assert component(svc, "broken")["InferenceComponentStatus"] == "Failed"


def test_a_component_comes_back_after_a_restart_and_goes_when_it_is_deleted(
    aws: OfflineAws, svc: JsonService
) -> None:
    component(svc)
    again = hosting.service(aws)
    again.start()
    until(lambda: invoke(again, **HEADER)[0] == 200, 120)
    at_rest(again)
    again.call("DeleteInferenceComponent", {"InferenceComponentName": "c"})
    until(lambda: not again.call("ListInferenceComponents", {})["InferenceComponents"], 120)
    with pytest.raises(AwsError, match="Could not find inference component"):
        again.call("DescribeInferenceComponent", {"InferenceComponentName": "c"})


def test_an_endpoint_is_deleted_after_its_components(svc: JsonService) -> None:
    component(svc)
    with pytest.raises(AwsError, match="delete c first"):
        svc.call("DeleteEndpoint", {"EndpointName": "e"})
    at_rest(svc)
    svc.call("DeleteInferenceComponent", {"InferenceComponentName": "c"})
    until(lambda: not svc.call("ListInferenceComponents", {})["InferenceComponents"], 120)
    svc.call("DeleteEndpoint", {"EndpointName": "e"})


def test_a_component_needs_an_endpoint_that_is_meant_for_components(svc: JsonService) -> None:
    create(svc)
    request = {"InferenceComponentName": "c", "EndpointName": "e", "Specification": specification("good")}
    with pytest.raises(AwsError, match="without a ModelName"):
        svc.call("CreateInferenceComponent", request)
    with pytest.raises(AwsError, match="ExecutionRoleArn"):
        config(svc, "without-role", VARIANT)


def needing(svc: JsonService, name: str, copies: int = 1, **needs: float) -> None:
    """A component on the endpoint `e`, whose variant has two instances of 2 cores and 4 GB at most."""
    wanted = {"ModelName": "good", "ComputeResourceRequirements": {"MinMemoryRequiredInMb": 128, **needs}}
    request = {"InferenceComponentName": name, "EndpointName": "e", "RuntimeConfig": {"CopyCount": copies}}
    svc.call("CreateInferenceComponent", {**request, "Specification": wanted})


def for_components(svc: JsonService) -> None:
    config(svc, "for-components", VARIANT, ExecutionRoleArn=ROLE)
    svc.call("CreateEndpoint", {"EndpointName": "e", "EndpointConfigName": "for-components"})
    settled(svc)


@pytest.mark.parametrize(
    ("needs", "told"),
    [
        ({"NumberOfCpuCoresRequired": 2.5}, "2.5 CPU cores of 2"),
        ({"MinMemoryRequiredInMb": 4097}, "4097 MB of memory of 4096"),
        ({"NumberOfAcceleratorDevicesRequired": 1}, "1 accelerators of 0"),
    ],
)
def test_a_copy_that_no_instance_can_hold_is_refused(
    svc: JsonService, needs: dict[str, float], told: str
) -> None:
    for_components(svc)
    with pytest.raises(AwsError, match=f"ml.c7i.large: {told}") as refused:
        needing(svc, "c", **needs)
    assert refused.value.code == "ValidationException"
    assert svc.call("ListInferenceComponents", {})["InferenceComponents"] == []


def test_a_component_is_made_with_a_copy(svc: JsonService) -> None:
    for_components(svc)
    with pytest.raises(AwsError, match="copy count an integer larger than 0"):
        needing(svc, "c", copies=0)


def test_copies_for_which_there_may_be_no_instances_fail_the_component(svc: JsonService) -> None:
    for_components(svc)
    needing(svc, "big", copies=2, NumberOfCpuCoresRequired=1.5)
    needing(svc, "c", NumberOfCpuCoresRequired=1)
    failed = at_rest(svc)
    assert failed["InferenceComponentStatus"] == "Failed"
    assert "no room" in failed["FailureReason"]
    needing(svc, "small", NumberOfCpuCoresRequired=0.5)
    state = lambda: svc.call("DescribeInferenceComponent", {"InferenceComponentName": "small"})  # noqa: E731
    until(lambda: state()["InferenceComponentStatus"] == "InService", 120)


def test_more_copies_than_there_is_room_for_leave_it_at_those_it_has(svc: JsonService) -> None:
    component(svc)
    found = resize(svc, 5)
    assert found["RuntimeConfig"] == {"DesiredCopyCount": 1, "CurrentCopyCount": 1}
    assert "no room" in found["FailureReason"]
    bigger = {
        **specification("good"),
        "ComputeResourceRequirements": {**NEEDS, "NumberOfCpuCoresRequired": 3},
    }
    with pytest.raises(AwsError, match="3 CPU cores of 2"):
        svc.call("UpdateInferenceComponent", {"InferenceComponentName": "c", "Specification": bigger})


def test_what_an_instance_has_is_known_of_nearly_every_type() -> None:
    model = botocore.session.get_session().get_service_model("sagemaker")
    types = model.shape_for("ProductionVariantInstanceType").enum
    unknown = {each.split(".")[1] for each in types if size_of(each) is None}
    assert unknown <= {"g7", "g7e", "trn2", "p6-b200", "p6-b300", "p6e-gb200"}
    assert size_of("ml.g5.12xlarge") == Size(48, 192 * 1024, 4)
    assert size_of("ml.c4.large") == Size(2, 3840, 0)
