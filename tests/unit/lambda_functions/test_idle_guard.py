"""idle-guard: an endpoint without requests is put to sleep, and no other."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.response import StreamingBody

from functions.idle_guard.handler import handler
from tests.unit.lambda_functions.fakes import Context, Fake, World, package_arn


class FakeCloudWatch(Fake):
    service = "cloudwatch"

    def __init__(self) -> None:
        super().__init__()
        self.requests = 0.0
        self.on = {"GetMetricStatistics": self._statistics}

    def _statistics(self, params: dict[str, Any]) -> dict[str, Any]:
        assert params["MetricName"] == "Invocations"
        assert params["EndTime"] - params["StartTime"] == timedelta(minutes=62)
        points = [{"Sum": self.requests, "Timestamp": params["StartTime"]}] if self.requests else []
        return {"Label": "Invocations", "Datapoints": points}


class FakeLambda(Fake):
    service = "lambda"

    def __init__(self) -> None:
        super().__init__()
        self.answer_more: dict[str, Any] = {}
        self.on = {"Invoke": self._invoke}

    def _invoke(self, _: dict[str, Any]) -> dict[str, Any]:
        body = b'{"statusCode": 200}'
        return {
            "StatusCode": 200,
            "Payload": StreamingBody(io.BytesIO(body), len(body)),
            **self.answer_more,
        }


@pytest.fixture
def promote(world: World) -> FakeLambda:
    """A champion that serves since long ago, and nobody who asks it anything."""
    world.ssm._put({"Name": "/demo/champion", "Value": package_arn(3), "Overwrite": True})
    endpoint(world)
    world.others["cloudwatch"] = FakeCloudWatch()
    world.others["lambda"] = promote = FakeLambda()
    return promote


def endpoint(world: World, status: str = "InService", minutes: float = 63) -> None:
    changed = datetime.now(UTC) - timedelta(minutes=minutes)
    world.sagemaker.on["DescribeEndpoint"] = lambda _: {
        "EndpointStatus": status,
        "LastModifiedTime": changed,
    }


def test_an_hour_without_a_request_is_the_end_of_the_day(world: World, promote: FakeLambda) -> None:
    handler({}, Context())
    (call,) = promote.called("Invoke")
    assert call["FunctionName"] == "demo-promote-model"
    assert json.loads(call["Payload"]) == {
        "action": "sleep",
        "code": "idle",
        "why": "no request for 60 minutes",
        "model": package_arn(3),
    }


def test_one_request_keeps_it_awake(world: World, promote: FakeLambda) -> None:
    world.others["cloudwatch"].requests = 1.0  # type: ignore[attr-defined]
    assert handler({}, Context())["saw"] == "1 requests"
    assert not promote.called("Invoke")


@pytest.mark.parametrize(("status", "minutes"), [("Updating", 600), ("Creating", 600), ("InService", 59)])
def test_an_endpoint_that_is_or_was_just_changed_is_left_alone(
    world: World, promote: FakeLambda, status: str, minutes: float
) -> None:
    endpoint(world, status, minutes)
    handler({}, Context())
    assert not promote.called("Invoke")


def test_without_an_endpoint_there_is_nothing_to_do(world: World, promote: FakeLambda) -> None:
    world.sagemaker.on["DescribeEndpoint"] = world.sagemaker._describe_endpoint
    assert handler({}, Context())["saw"] == "there is no endpoint"


def test_a_promote_model_that_fails_is_a_failure_here_so_that_somebody_hears_of_it(
    world: World, promote: FakeLambda
) -> None:
    promote.answer_more = {"FunctionError": "Unhandled"}
    with pytest.raises(RuntimeError, match="demo-promote-model failed"):
        handler({}, Context())
