"""Endpoints: real server processes behind the API, without a server around them."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import re
import signal
import threading
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest

from local_aws.core import process
from local_aws.core.api import HttpAnswer, JsonService
from local_aws.core.errors import AccessDenied, AwsError
from local_aws.sagemaker import hosting
from local_aws.sagemaker.hosting import deployment, endpoint_records, runtime
from local_aws.sagemaker.hosting.deployment import RolledBackError, Step
from unit.hosting_support import IMAGE, ROLE, OfflineAws, offline_aws, until

SERVERLESS = {"MemorySizeInMB": 1024, "MaxConcurrency": 1}


class Loop:
    """One event loop for all requests, as in the server: connections to the processes belong to it."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()

    def run(self, request: Coroutine[Any, Any, HttpAnswer]) -> HttpAnswer:
        return asyncio.run_coroutine_threadsafe(request, self._loop).result(60)


loop = Loop()


@pytest.fixture
def aws(tmp_path: Path) -> Iterator[OfflineAws]:
    yield offline_aws(tmp_path)
    process.end()


@pytest.fixture
def svc(aws: OfflineAws) -> JsonService:
    svc = hosting.service(aws)
    for name in ("good", "better", "broken", "sick"):
        container = {"Image": IMAGE, "ModelDataUrl": f"s3://models/{name}.tar.gz"}
        request = {"ModelName": name, "ExecutionRoleArn": ROLE, "PrimaryContainer": container}
        svc.call("CreateModel", request)
        config(svc, name)
    return svc


def variant(model: str, name: str = "AllTraffic", **members: Any) -> dict[str, Any]:
    fixed = {"VariantName": name, "ModelName": model, "InstanceType": "ml.c7i.large"}
    return {**fixed, "InitialInstanceCount": 1, **members}


def config(svc: JsonService, name: str, *variants: dict[str, Any], **members: Any) -> None:
    request = {"EndpointConfigName": name, "ProductionVariants": list(variants) or [variant(name)], **members}
    svc.call("CreateEndpointConfig", request)


def describe(svc: JsonService, endpoint: str = "e") -> dict[str, Any]:
    return svc.call("DescribeEndpoint", {"EndpointName": endpoint})


def settled(svc: JsonService, endpoint: str = "e") -> dict[str, Any]:
    until(lambda: describe(svc, endpoint)["EndpointStatus"] in ("InService", "Failed"))
    return describe(svc, endpoint)


def create(svc: JsonService, name: str = "good", endpoint: str = "e") -> dict[str, Any]:
    svc.call("CreateEndpoint", {"EndpointName": endpoint, "EndpointConfigName": name})
    return settled(svc, endpoint)


def update(svc: JsonService, name: str, **members: Any) -> dict[str, Any]:
    svc.call("UpdateEndpoint", {"EndpointName": "e", "EndpointConfigName": name, **members})
    return settled(svc)


def invoke(svc: JsonService, body: bytes = b"picture", **headers: str) -> tuple[int, dict[str, str], Any]:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    answer = loop.run(svc.handle("POST", "/endpoints/e/invocations", sent, body, {}))
    return answer[0], answer[1], json.loads(answer[2])


def events(aws: OfflineAws) -> list[str]:
    kept = aws.backend.events  # type: ignore[attr-defined]
    return [detail["EndpointStatus"] for kind, detail, _ in kept if kind == "SageMaker Endpoint State Change"]


def test_an_endpoint_goes_from_creating_to_in_service_and_says_so_in_events(
    aws: OfflineAws, svc: JsonService
) -> None:
    described = create(svc)
    assert described["EndpointStatus"] == "InService"
    (summary,) = described["ProductionVariants"]
    assert (summary["CurrentInstanceCount"], summary["CurrentWeight"]) == (1, 1.0)
    until(lambda: events(aws) == ["CREATING", "IN_SERVICE"])
    assert "Plan" not in described


def test_a_model_that_does_not_load_fails_the_endpoint_and_leaves_no_process(
    aws: OfflineAws, svc: JsonService
) -> None:
    described = create(svc, "broken")
    assert described["EndpointStatus"] == "Failed"
    assert described["FailureReason"].startswith(
        "The primary container for production variant AllTraffic did not pass the ping health check. Please"
    )
    assert not list((aws.root / "endpoints" / "e").rglob("i-*"))
    lines = [line for stream in aws.logs.values() for line in stream]
    assert "cannot load this model" in lines
    assert invoke(svc)[2]["__type"] == "ValidationError"


def test_a_server_that_never_pings_well_fails_after_its_health_check_time(svc: JsonService) -> None:
    config(svc, "impatient", variant("sick"))
    store = svc._aws.store  # type: ignore[attr-defined]
    store.update(
        "endpoint-config",
        "impatient",
        lambda record: {
            **record,
            "ProductionVariants": [
                {**record["ProductionVariants"][0], "ContainerStartupHealthCheckTimeoutInSeconds": 1}
            ],
        },
    )
    assert "no 200 within 1 s" in create(svc, "impatient")["FailureReason"]


def test_an_artifact_that_is_gone_fails_the_endpoint_in_awss_words(aws: OfflineAws, svc: JsonService) -> None:
    del aws.s3.objects["s3://models/good.tar.gz"]
    assert create(svc)["FailureReason"].startswith(
        'Failed to download model data for container "container_1" from URL: "s3://models/good.tar.gz".'
    )


def test_headers_and_body_reach_the_container_and_its_answer_the_client(svc: JsonService) -> None:
    create(svc)
    status, headers, document = invoke(
        svc,
        content_type="image/png",
        accept="application/json",
        authorization="secret",
        x_amzn_sagemaker_custom_attributes="top_k=3",
        x_amzn_sagemaker_inference_id="i1",
    )
    assert status == 200
    assert headers["x-Amzn-Invoked-Production-Variant"] == "AllTraffic"
    assert headers["X-Amzn-SageMaker-Custom-Attributes"] == "echo top_k=3"
    assert document["bytes"] == 7
    assert document["headers"]["content-type"] == "image/png"
    assert document["headers"]["x-amzn-sagemaker-inference-id"] == "i1"
    assert "authorization" not in document["headers"]


@pytest.mark.parametrize(
    ("told", "kind", "code"),
    [(400, "client", "CLIENT_ERROR_FROM_MODEL"), (503, "server", "INTERNAL_FAILURE_FROM_MODEL")],
)
def test_a_containers_error_is_a_model_error_with_what_it_said(
    svc: JsonService, told: int, kind: str, code: str
) -> None:
    create(svc)
    status, headers, document = invoke(svc, b"status %d" % told)
    assert (status, headers["x-amzn-ErrorType"]) == (424, "ModelError")
    assert document["OriginalStatusCode"] == told
    assert json.loads(document["OriginalMessage"]) == {"error": {"code": "Told", "message": "as you say"}}
    assert document["Message"].startswith(f'Received {kind} error ({told}) from primary with message "')
    assert document["ErrorCode"] == code
    assert document["LogStreamArn"].endswith(":log-group:/aws/sagemaker/Endpoints/e")


def test_a_model_that_takes_too_long_is_a_model_error_of_status_0(
    svc: JsonService, monkeypatch: pytest.MonkeyPatch
) -> None:
    create(svc)
    monkeypatch.setattr(runtime, "TIMEOUT_SECONDS", 0.2)
    status, _, document = invoke(svc, b"sleep 5")
    assert (status, document["OriginalStatusCode"]) == (424, 0)
    assert document["OriginalMessage"].startswith("Your invocation timed out while waiting for a response")


def test_a_body_over_awss_limit_is_refused(svc: JsonService, monkeypatch: pytest.MonkeyPatch) -> None:
    create(svc)
    monkeypatch.setattr(runtime, "MAX_BODY", 100)
    assert invoke(svc, b"x" * 100)[0] == 200
    status, _, document = invoke(svc, b"x" * 101)
    assert (status, document["__type"]) == (400, "ValidationError")
    assert "length less than or equal to 100" in document["message"]


def test_addressing_what_is_not_there_is_refused(svc: JsonService) -> None:
    assert invoke(svc)[2]["message"] == "Endpoint e of account 000000000000 not found."
    create(svc)
    assert "Variant other not found" in invoke(svc, x_amzn_sagemaker_target_variant="other")[2]["message"]
    assert "TargetModel" in invoke(svc, x_amzn_sagemaker_target_model="m.tar.gz")[2]["message"]


def test_a_forbidden_endpoint_is_reached_by_no_other_spelling_of_its_name(svc: JsonService) -> None:
    """A path that arrives decoded is not decoded again: IAM would judge one name, the router use another."""
    create(svc)

    def forbid(operation: str, request: dict[str, Any]) -> None:
        if (operation, request["EndpointName"]) == ("InvokeEndpoint", "e"):
            raise AccessDenied("not this one")

    svc.authorise = forbid
    for name, code in (("e", "AccessDeniedException"), ("%65", "ValidationError")):
        answer = loop.run(svc.handle("POST", f"/endpoints/{name}/invocations", {}, b"x", {}))
        assert json.loads(answer[2]).get("__type") == code, name


def test_an_update_waits_for_the_requests_of_the_old_fleet(svc: JsonService) -> None:
    create(svc)
    answers: list[Any] = []
    slow = threading.Thread(target=lambda: answers.append(invoke(svc, b"sleep 2")))
    slow.start()
    router = svc._router  # type: ignore[attr-defined]
    until(lambda: router.loads() == [("e", "AllTraffic", [1])])
    assert update(svc, "better")["EndpointConfigName"] == "better"
    slow.join()
    assert (answers[0][0], answers[0][2]["model"]) == (200, "good")
    assert invoke(svc)[2]["model"] == "better"


def test_a_failing_update_leaves_the_old_fleet_serving(aws: OfflineAws, svc: JsonService) -> None:
    create(svc)
    pid = invoke(svc)[2]["pid"]
    described = update(svc, "broken")
    assert described["EndpointStatus"] == "InService"
    assert described["EndpointConfigName"] == "good"
    assert "did not pass the ping health check" in described["FailureReason"]
    assert "PendingDeploymentSummary" not in described
    assert invoke(svc)[2]["pid"] == pid
    assert "FailureReason" not in update(svc, "better")


def test_a_busy_endpoint_is_not_changed(svc: JsonService) -> None:
    svc.call("CreateEndpoint", {"EndpointName": "e", "EndpointConfigName": "sick"})
    for operation, request in (
        ("UpdateEndpoint", {"EndpointName": "e", "EndpointConfigName": "good"}),
        ("DeleteEndpoint", {"EndpointName": "e"}),
    ):
        with pytest.raises(AwsError, match='Cannot update in-progress endpoint "arn:aws:sagemaker'):
            svc.call(operation, request)


def test_an_update_keeps_the_scaled_size_only_if_told_to(svc: JsonService) -> None:
    create(svc)
    two = [{"VariantName": "AllTraffic", "DesiredInstanceCount": 2}]
    svc.call("UpdateEndpointWeightsAndCapacities", {"EndpointName": "e", "DesiredWeightsAndCapacities": two})
    assert settled(svc)["ProductionVariants"][0]["CurrentInstanceCount"] == 2
    kept = update(svc, "better", RetainAllVariantProperties=True)
    assert kept["ProductionVariants"][0]["CurrentInstanceCount"] == 2
    assert update(svc, "good")["ProductionVariants"][0]["CurrentInstanceCount"] == 1


def test_capacities_and_weights_are_real(svc: JsonService) -> None:
    config(
        svc,
        "both",
        variant("good", "a", InitialVariantWeight=1),
        variant("better", "b", InitialVariantWeight=0),
    )
    create(svc, "both")
    assert {invoke(svc)[2]["model"] for _ in range(5)} == {"good"}
    changes = [
        {"VariantName": "a", "DesiredWeight": 0, "DesiredInstanceCount": 2},
        {"VariantName": "b", "DesiredWeight": 1},
    ]
    svc.call(
        "UpdateEndpointWeightsAndCapacities", {"EndpointName": "e", "DesiredWeightsAndCapacities": changes}
    )
    settled(svc)
    assert {invoke(svc)[2]["model"] for _ in range(5)} == {"better"}
    pids = {invoke(svc, x_amzn_sagemaker_target_variant="a")[2]["pid"] for _ in range(4)}
    assert len(pids) == 2


def test_more_instances_than_the_machine_bears_are_refused_with_the_remedy(
    svc: JsonService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endpoint_records, "INSTANCE_LIMIT", 2)
    create(svc)
    config(svc, "big", variant("good", InitialInstanceCount=2))
    with pytest.raises(AwsError, match="ResourceLimitExceeded") as caught:
        svc.call("CreateEndpoint", {"EndpointName": "big", "EndpointConfigName": "big"})
    assert "is 2 Instances, with current utilization of 1 Instances and a request delta of 2" in str(
        caught.value
    )
    assert "delete an endpoint" in str(caught.value)
    assert update(svc, "better")["EndpointConfigName"] == "better"


def test_a_process_that_dies_is_replaced_and_the_client_told(svc: JsonService) -> None:
    create(svc)
    pid = invoke(svc)[2]["pid"]
    status, _, document = invoke(svc, b"die")
    assert (status, document["OriginalStatusCode"]) == (424, 0)
    until(lambda: invoke(svc)[0] == 200)
    assert invoke(svc)[2]["pid"] != pid


def test_a_deleted_endpoint_leaves_no_process_and_no_file(aws: OfflineAws, svc: JsonService) -> None:
    create(svc)
    pid = invoke(svc)[2]["pid"]
    svc.call("DeleteEndpoint", {"EndpointName": "e"})
    until(lambda: aws.store.get("endpoint", "e") is None)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert not (aws.root / "endpoints" / "e").exists()
    with pytest.raises(AwsError, match=r'Could not find endpoint "arn:aws:sagemaker.*endpoint/e"\.'):
        describe(svc)


def test_endpoints_come_back_after_the_server_was_killed_even_without_s3(
    aws: OfflineAws, svc: JsonService, monkeypatch: pytest.MonkeyPatch
) -> None:
    create(svc)
    os.kill(invoke(svc)[2]["pid"], signal.SIGKILL)
    # A killed server does nothing more; this one, in our own process, hangs in its update instead.
    over = threading.Event()
    monkeypatch.setattr(aws.s3, "download_file", lambda *_: over.wait(60))
    svc.call("UpdateEndpoint", {"EndpointName": "e", "EndpointConfigName": "sick"})
    process.end()  # as the guardian does
    aws.s3.objects.clear()
    process.begin(aws.root / "processes")
    again = hosting.service(aws)
    again.start()
    try:
        assert describe(again)["EndpointStatus"] == "SystemUpdating"
        described = settled(again)
        assert (described["EndpointStatus"], described["EndpointConfigName"]) == ("InService", "good")
        assert "was stopped while this endpoint was updated" in described["FailureReason"]
        assert invoke(again)[2]["model"] == "good"
    finally:
        over.set()
        again.stop()


def test_an_endpoint_outlives_its_configuration_and_model(svc: JsonService) -> None:
    create(svc)
    svc.call("DeleteEndpointConfig", {"EndpointConfigName": "good"})
    svc.call("DeleteModel", {"ModelName": "good"})
    two = [{"VariantName": "AllTraffic", "DesiredInstanceCount": 2}]
    svc.call("UpdateEndpointWeightsAndCapacities", {"EndpointName": "e", "DesiredWeightsAndCapacities": two})
    assert settled(svc)["ProductionVariants"][0]["CurrentInstanceCount"] == 2


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({"AsyncInferenceConfig": {"OutputConfig": {"S3OutputPath": "s3://b"}}}, "asynchronous inference"),
        ({"ProductionVariants": [variant("good", ServerlessConfig=SERVERLESS)]}, "cannot have InstanceType"),
        ({"ProductionVariants": [variant("good"), variant("good")]}, "must be unique"),
        ({"ProductionVariants": [variant("missing")]}, "Could not find model"),
    ],
)
def test_a_configuration_that_asks_for_what_is_not_here_is_refused(
    svc: JsonService, members: dict[str, Any], said: str
) -> None:
    request = {"EndpointConfigName": "c", "ProductionVariants": [variant("good")], **members}
    with pytest.raises(AwsError, match=said):
        svc.call("CreateEndpointConfig", request)


CAPTURE = {
    "InitialSamplingPercentage": 100,
    "DestinationS3Uri": "s3://kept/answers",
    "CaptureOptions": [{"CaptureMode": "InputAndOutput"}],
    "CaptureContentTypeHeader": {"JsonContentTypes": ["application/json"]},
}


def test_answers_are_captured_as_the_configuration_that_serves_asks(
    aws: OfflineAws, svc: JsonService
) -> None:
    config(svc, "watched", variant("good"), DataCaptureConfig=CAPTURE)
    assert "DataCaptureConfig" not in create(svc)
    invoke(svc, b"before")
    shown = update(svc, "watched")["DataCaptureConfig"]
    assert (shown["CaptureStatus"], shown["CurrentSamplingPercentage"]) == ("Started", 100)
    invoke(svc, b"picture", content_type="image/png")
    assert invoke(svc, b"status 400")[0] == 424
    svc.stop()
    (url,) = (url for url in aws.s3.objects if url.startswith("s3://kept"))
    assert re.fullmatch(r"s3://kept/answers/e/AllTraffic/\d{4}/\d\d/\d\d/\d\d/[-\da-f]+\.jsonl", url)
    captured = json.loads(aws.s3.objects[url])["captureData"]
    assert captured["endpointInput"]["data"] == base64.b64encode(b"picture").decode()
    assert json.loads(captured["endpointOutput"]["data"])["model"] == "good"
    assert "DataCaptureConfig" not in update(svc, "better")


@pytest.mark.parametrize(
    "config_variant",
    [
        {"VariantName": "v", "ModelName": "good", "ServerlessConfig": SERVERLESS},
        {"VariantName": "v", "InstanceType": "ml.c7i.large", "InitialInstanceCount": 1},
    ],
    ids=["serverless", "for components"],
)
def test_what_cannot_be_captured_here_is_refused(svc: JsonService, config_variant: dict[str, Any]) -> None:
    with pytest.raises(AwsError, match="leave DataCaptureConfig out"):
        config(svc, "c", config_variant, DataCaptureConfig=CAPTURE, ExecutionRoleArn=ROLE)
    config(svc, "d", variant("good"), DataCaptureConfig={**CAPTURE, "EnableCapture": False})


def test_traffic_is_counted_per_variant(aws: OfflineAws, svc: JsonService) -> None:
    create(svc)
    for body in (b"a", b"b", b"status 400"):
        invoke(svc, body)
    metrics = svc._metrics  # type: ignore[attr-defined]
    metrics.sample()
    metrics.publish()
    put = {datum["MetricName"]: datum for datum in aws.cloudwatch.put if len(datum["Dimensions"]) == 2}
    assert (put["Invocations"]["Values"], put["Invocations"]["Counts"]) == ([1.0], [3.0])
    errors = put["Invocation4XXErrors"]
    assert (errors["Values"], errors["Counts"]) == ([0.0, 1.0], [2.0, 1.0])
    assert put["ModelLatency"]["Unit"] == "Microseconds"
    assert put["ConcurrentRequestsPerModel"]["Values"] == [0.0]
    assert put["Invocations"]["Namespace"] == "AWS/SageMaker"
    dimensions = [{"Name": "EndpointName", "Value": "e"}, {"Name": "VariantName", "Value": "AllTraffic"}]
    assert put["Invocations"]["Dimensions"] == dimensions
    aws.cloudwatch.put.clear()
    metrics.publish()
    (idle,) = aws.cloudwatch.put
    assert (idle["MetricName"], idle["Values"]) == ("InvocationsPerInstance", [0.0])


def test_a_new_fleet_s_traffic_is_counted_apart_from_the_old_one_s(aws: OfflineAws, svc: JsonService) -> None:
    create(svc)
    invoke(svc, b"status 500")
    update(svc, "better")
    invoke(svc, b"a")
    svc._metrics.publish()  # type: ignore[attr-defined]
    errors = {
        datum["Dimensions"][-1]["Value"]: (datum["Values"], datum["Counts"])
        for datum in aws.cloudwatch.put
        if datum["MetricName"] == "Invocation5XXErrors"
    }
    assert errors == {
        "AllTraffic": ([0.0, 1.0], [1.0, 1.0]),
        "good": ([1.0], [1.0]),
        "better": ([0.0], [1.0]),
    }


def policy(kind: str, **sizes: Any) -> dict[str, Any]:
    routing = {"Type": kind, "WaitIntervalInSeconds": 60, **sizes}
    return {"BlueGreenUpdatePolicy": {"TrafficRoutingConfiguration": routing, "TerminationWaitInSeconds": 5}}


@pytest.mark.parametrize(
    ("config", "way"),
    [
        (None, [Step(1.0, 0.0)]),
        (policy("ALL_AT_ONCE"), [Step(1.0, 5.0)]),
        (
            policy("CANARY", CanarySize={"Type": "CAPACITY_PERCENT", "Value": 10}),
            [Step(0.1, 60.0), Step(1.0, 5.0)],
        ),
        (
            policy("CANARY", CanarySize={"Type": "INSTANCE_COUNT", "Value": 1}),
            [Step(0.25, 60.0), Step(1.0, 5.0)],
        ),
        (
            policy("LINEAR", LinearStepSize={"Type": "CAPACITY_PERCENT", "Value": 40}),
            [Step(0.4, 60.0), Step(0.8, 60.0), Step(1.0, 5.0)],
        ),
    ],
)
def test_traffic_moves_as_the_policy_says(config: dict[str, Any] | None, way: list[Step]) -> None:
    assert list(deployment.steps(config, 4)) == way


@pytest.mark.parametrize(
    "config",
    [
        policy("CANARY", CanarySize={"Type": "INSTANCE_COUNT", "Value": 1}),  # all of a fleet of one
        policy("LINEAR", LinearStepSize={"Type": "CAPACITY_PERCENT", "Value": 5}),
        policy("CANARY"),
        policy("CANARY", CanarySize={"Type": "CAPACITY_PERCENT", "Value": 51}),
        policy("LINEAR", LinearStepSize={"Type": "CAPACITY_PERCENT", "Value": 51}),
    ],
)
def test_a_step_of_a_size_aws_refuses_is_refused(config: dict[str, Any]) -> None:
    with pytest.raises(AwsError, match=r"ValidationException: (CanarySize|LinearStepSize) must be"):
        deployment.steps(config, 1)


def test_a_canary_is_a_part_of_the_instances_that_the_update_keeps(svc: JsonService) -> None:
    create(svc)
    config(svc, "two", variant("better", InitialInstanceCount=2))
    canary = policy("CANARY", CanarySize={"Type": "INSTANCE_COUNT", "Value": 1})
    request = {"EndpointName": "e", "EndpointConfigName": "two", "DeploymentConfig": canary}
    with pytest.raises(AwsError, match=r"50% of the 1 instance"):
        svc.call("UpdateEndpoint", {**request, "RetainAllVariantProperties": True})
    assert describe(svc)["EndpointStatus"] == "InService"


def test_a_rolling_update_is_refused_before_anything_starts(svc: JsonService) -> None:
    create(svc)
    rolling = {
        "RollingUpdatePolicy": {
            "MaximumBatchSize": {"Type": "INSTANCE_COUNT", "Value": 1},
            "WaitIntervalInSeconds": 0,
        }
    }
    request = {"EndpointName": "e", "EndpointConfigName": "better", "DeploymentConfig": rolling}
    with pytest.raises(AwsError, match="no rolling deployments"):
        svc.call("UpdateEndpoint", request)
    assert describe(svc)["EndpointStatus"] == "InService"


def test_the_alarms_are_watched_at_every_step() -> None:
    shares: list[float] = []
    waited: list[float] = []
    raised = iter([[], [], ["too-many-errors"]])
    with pytest.raises(RolledBackError, match="too-many-errors"):
        deployment.shift(
            [Step(0.1, 2.0), Step(1.0, 5.0)],
            set_share=shares.append,
            raised=lambda: next(raised),
            wait=waited.append,
        )
    assert shares == [0.1, 1.0]
    assert waited == [1.0, 1.0, 1.0]


def test_an_alarm_during_the_canary_rolls_the_endpoint_back(aws: OfflineAws, svc: JsonService) -> None:
    create(svc)
    aws.cloudwatch.raised.append("errors")
    config = policy("CANARY", CanarySize={"Type": "CAPACITY_PERCENT", "Value": 50})
    config["AutoRollbackConfiguration"] = {"Alarms": [{"AlarmName": "errors"}]}
    described = update(svc, "better", DeploymentConfig=config)
    assert described["EndpointConfigName"] == "good"
    assert "errors" in described["FailureReason"]
    assert {invoke(svc)[2]["model"] for _ in range(10)} == {"good"}
    until(lambda: events(aws)[-2:] == ["ROLLING_BACK", "IN_SERVICE"])


def test_lists_filter_sort_and_tags_follow_the_endpoint(aws: OfflineAws, svc: JsonService) -> None:
    create(svc, "broken", "bad")
    create(svc, "good", "fine")
    names = [found["EndpointName"] for found in svc.call("ListEndpoints", {"SortBy": "Name"})["Endpoints"]]
    assert names == ["fine", "bad"]
    failed = svc.call("ListEndpoints", {"StatusEquals": "Failed"})["Endpoints"]
    assert [found["EndpointName"] for found in failed] == ["bad"]
    assert svc.call("ListEndpoints", {"NameContains": "FIN"})["Endpoints"][0]["EndpointName"] == "fine"
