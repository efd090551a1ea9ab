"""Shadow variants: they answer copies of the requests, and no client can tell."""

from __future__ import annotations

import gc
import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local_aws.core import process
from local_aws.core.api import JsonService
from local_aws.core.errors import AwsError
from local_aws.sagemaker import hosting
from local_aws.sagemaker.serving import copies
from local_aws.sagemaker.serving.router import FleetRoute, Router, Server, VariantRoute
from local_aws.sagemaker.serving.server_process import ServerProcess
from unit.hosting_support import IMAGE, ROLE, OfflineAws, offline_aws, until
from unit.test_endpoints import SERVERLESS, config, create, describe, invoke, settled, update, variant

CAPTURE = {
    "InitialSamplingPercentage": 100,
    "DestinationS3Uri": "s3://kept/captured",
    "CaptureOptions": [{"CaptureMode": "Output"}],
    "CaptureContentTypeHeader": {"JsonContentTypes": ["application/json"]},
}


@pytest.fixture
def aws(tmp_path: Path) -> Iterator[OfflineAws]:
    yield offline_aws(tmp_path)
    process.end()


@pytest.fixture
def svc(aws: OfflineAws) -> JsonService:
    """Models good, better and broken; a configuration `both` with the second as the first one's shadow."""
    svc = hosting.service(aws)
    for name in ("good", "better", "broken"):
        container = {"Image": IMAGE, "ModelDataUrl": f"s3://models/{name}.tar.gz"}
        request = {"ModelName": name, "ExecutionRoleArn": ROLE, "PrimaryContainer": container}
        svc.call("CreateModel", request)
    config(svc, "good", variant("good"))
    shadowed(svc, "both")
    return svc


def shadowed(svc: JsonService, name: str, model: str = "better", **members: Any) -> None:
    shadow = variant(model, "shadow", InitialVariantWeight=1.0, **members)
    seen = variant("good", InitialVariantWeight=1.0)
    config(svc, name, seen, ShadowProductionVariants=[shadow], DataCaptureConfig=CAPTURE)


def captured(aws: OfflineAws, name: str) -> list[dict[str, Any]]:
    """What the variant answered, by the files that lie in S3."""
    return [
        json.loads(line)
        for url, body in aws.s3.objects.items()
        if f"/e/{name}/" in url
        for line in body.splitlines()
    ]


def counted(svc: JsonService, name: str, metric: str) -> float:
    put = svc._metrics  # type: ignore[attr-defined]
    with put._lock:
        return sum(
            value * times
            for (key, what), values in put._counted.items()
            if key[1] == name and what == metric
            for value, times in values.items()
        )


def test_the_client_sees_the_production_variant_alone_and_the_shadow_a_copy(
    aws: OfflineAws, svc: JsonService
) -> None:
    described = create(svc, "both")
    (shadow,) = described["ShadowProductionVariants"]
    assert (shadow["VariantName"], shadow["CurrentInstanceCount"]) == ("shadow", 1)
    assert [each["VariantName"] for each in described["ProductionVariants"]] == ["AllTraffic"]
    for number in range(8):
        status, headers, answer = invoke(svc, b"picture", **{"x-amzn-sagemaker-inference-id": f"id-{number}"})
        assert (status, answer["model"]) == (200, "good")
        assert headers["x-Amzn-Invoked-Production-Variant"] == "AllTraffic"
    until(lambda: counted(svc, "shadow", "Invocations") == 8)
    assert counted(svc, "AllTraffic", "Invocations") == 8
    svc._capture.write()  # type: ignore[attr-defined]
    models = {
        name: {
            line["eventMetadata"]["inferenceId"]: json.loads(line["captureData"]["endpointOutput"]["data"])[
                "model"
            ]
            for line in captured(aws, name)
        }
        for name in ("AllTraffic", "shadow")
    }
    ids = {f"id-{number}" for number in range(8)}
    assert models == {"AllTraffic": dict.fromkeys(ids, "good"), "shadow": dict.fromkeys(ids, "better")}


def test_a_shadow_that_is_slow_or_dies_or_errs_changes_no_answer(svc: JsonService) -> None:
    create(svc, "both")
    # Both are asked the same, so only what the production variant survives can be asked.
    assert invoke(svc, b"status 500")[0] == 424
    until(lambda: counted(svc, "shadow", "Invocation5XXErrors") == 1)
    assert counted(svc, "AllTraffic", "Invocation5XXErrors") == 1
    (shadow,) = _servers(svc, "shadow")
    os.kill(shadow._container.pid, 9)
    until(lambda: not _route(svc, "shadow").servers)
    assert invoke(svc)[2]["model"] == "good"
    until(lambda: _route(svc, "shadow").servers)


def _route(svc: JsonService, name: str) -> VariantRoute:
    (fleet,) = svc._router._routes["e"]  # type: ignore[attr-defined]
    return next(each for each in (*fleet.variants, *fleet.shadows) if each.name == name)


def _servers(svc: JsonService, name: str) -> list[Any]:
    # Only the threads that watch the processes hold them.
    return [
        each
        for each in gc.get_objects()
        if isinstance(each, ServerProcess) and each.plan.name == name and each.route is _route(svc, name)
    ]


def test_a_shadow_gives_way_to_who_answers_clients(svc: JsonService) -> None:
    create(svc, "both")
    niceness = {
        name: os.getpriority(os.PRIO_PROCESS, _servers(svc, name)[0]._container.pid)
        for name in ("AllTraffic", "shadow")
    }
    assert niceness == {"AllTraffic": os.nice(0), "shadow": process.BEHIND}


def test_a_shadow_comes_and_goes_with_the_configuration_and_is_addressed_by_nobody(
    aws: OfflineAws, svc: JsonService
) -> None:
    create(svc)
    guarded = {
        "BlueGreenUpdatePolicy": {
            "TrafficRoutingConfiguration": {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": 0}
        }
    }
    kept = {"RetainAllVariantProperties": True, "DeploymentConfig": guarded}
    assert len(update(svc, "both", **kept)["ShadowProductionVariants"]) == 1
    answer = invoke(svc, **{"x-amzn-sagemaker-target-variant": "shadow"})[2]
    assert "Variant shadow not found" in answer["message"]
    assert "ShadowProductionVariants" not in update(svc, "good", **kept)
    assert not list((aws.root / "endpoints" / "e").rglob("shadow/i-*"))


def test_a_shadow_that_does_not_load_leaves_the_endpoint_as_it_was(svc: JsonService) -> None:
    create(svc)
    shadowed(svc, "ill", "broken")
    described = update(svc, "ill")
    assert (described["EndpointStatus"], described["EndpointConfigName"]) == ("InService", "good")
    assert "production variant shadow" in described["FailureReason"]
    assert invoke(svc)[2]["model"] == "good"


def test_a_shadow_is_resized_by_its_name(svc: JsonService) -> None:
    create(svc, "both")
    svc.call(
        "UpdateEndpointWeightsAndCapacities",
        {
            "EndpointName": "e",
            "DesiredWeightsAndCapacities": [{"VariantName": "shadow", "DesiredInstanceCount": 2}],
        },
    )
    described = settled(svc)
    assert described["ShadowProductionVariants"][0]["CurrentInstanceCount"] == 2
    assert described["ProductionVariants"][0]["CurrentInstanceCount"] == 1
    assert describe(svc)["EndpointStatus"] == "InService"


@pytest.mark.parametrize(
    ("seen", "shadows"),
    [
        ([variant("good"), variant("better", "b")], [variant("better", "shadow")]),
        ([variant("good")], [variant("better", "s"), variant("better", "t")]),
        ([variant("good")], [variant("better")]),
        (
            [variant("good")],
            [{"VariantName": "s", "ModelName": "better", "ServerlessConfig": SERVERLESS}],
        ),
        (
            [{"VariantName": "a", "ModelName": "good", "ServerlessConfig": SERVERLESS}],
            [variant("better", "s")],
        ),
        (
            [variant("good")],
            [{"VariantName": "s", "InstanceType": "ml.c7i.large", "InitialInstanceCount": 1}],
        ),
    ],
    ids=["two seen", "two shadows", "one name", "serverless shadow", "serverless", "components"],
)
def test_what_aws_takes_no_shadow_beside_is_refused(
    svc: JsonService, seen: list[dict[str, Any]], shadows: list[dict[str, Any]]
) -> None:
    with pytest.raises(AwsError) as refused:
        config(svc, "odd", *seen, ShadowProductionVariants=shadows)
    assert refused.value.code == "ValidationException"


@pytest.mark.parametrize(("weight", "copied"), [(1.0, 10), (0.3, 3), (0.0, 0)])
def test_the_shadows_weight_beside_the_production_variants_is_the_share_of_copies(
    weight: float, copied: int
) -> None:
    marks = iter(each / 10 for each in range(10) for _ in (0, 1))
    router = Router(lambda: 0.5)
    seen, shadow = VariantRoute("main", 1.0), VariantRoute("shadow", weight)
    for route in (seen, shadow):
        router.add(route, Server(9, "i-1"))
    router.publish("e", [FleetRoute([seen], 1.0, [shadow])])
    with router.lease("e") as lease:
        router._pick = lambda: next(marks)
        found = 0
        for _ in range(10):
            found += len(router.shadows(lease))
            next(marks)
    assert found == copied


def test_copies_that_a_slow_shadow_cannot_take_are_left_out(
    svc: JsonService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copies, "MOST_WAITING", 1)
    create(svc, "both")
    asked = [threading.Thread(target=invoke, args=(svc, b"sleep 0.3")) for _ in range(4)]
    for each in asked:
        each.start()
    for each in asked:
        each.join()
    until(lambda: counted(svc, "shadow", "Invocations") == 1)
    assert counted(svc, "AllTraffic", "Invocations") == 4
