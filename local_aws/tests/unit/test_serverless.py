"""Serverless variants: a process while somebody asks, none while nobody does, and AWS's limits."""

from __future__ import annotations

import os
import threading
from typing import Any

import pytest

from local_aws import quotas
from local_aws.core.api import JsonService
from local_aws.core.errors import AwsError
from local_aws.quotas import names
from local_aws.quotas.profiles import VARIABLE, Profile
from local_aws.sagemaker.serving import serverless
from unit.hosting_support import IMAGE, ROLE, OfflineAws, until
from unit.test_endpoints import aws, config, invoke, settled, svc
from unit.test_quotas import listed

__all__ = ["aws", "svc"]
SIZE = {"MemorySizeInMB": 2048, "MaxConcurrency": 2}


def variant(model: str = "good", **members: Any) -> dict[str, Any]:
    return {"VariantName": "AllTraffic", "ModelName": model, "ServerlessConfig": SIZE, **members}


def create(svc: JsonService, model: str = "good") -> dict[str, Any]:
    config(svc, f"{model}-serverless", variant(model))
    request = {"EndpointName": "e", "EndpointConfigName": f"{model}-serverless"}
    svc.call("CreateEndpoint", request)
    return settled(svc)


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_it_is_described_by_its_size_and_has_no_instances(svc: JsonService) -> None:
    (shown,) = create(svc)["ProductionVariants"]
    assert shown["CurrentServerlessConfig"] == SIZE
    assert "CurrentInstanceCount" not in shown


def test_an_idle_process_goes_and_the_next_request_brings_one_back(
    svc: JsonService, monkeypatch: pytest.MonkeyPatch
) -> None:
    create(svc)
    first = invoke(svc)[2]["pid"]
    monkeypatch.setattr(serverless, "IDLE_SECONDS", 0.0)
    until(lambda: gone(first), 120)
    monkeypatch.setattr(serverless, "IDLE_SECONDS", 1e6)
    status, _, answer = invoke(svc)
    assert (status, answer["model"]) == (200, "good")
    assert answer["pid"] != first
    assert invoke(svc)[2]["pid"] == answer["pid"]


def test_more_requests_at_a_time_than_it_may_answer_are_told_to_slow_down(svc: JsonService) -> None:
    create(svc)
    enough = threading.Event()

    def client() -> None:
        while not enough.is_set():
            invoke(svc, b"sleep 0.5")

    busy = [threading.Thread(target=client) for _ in range(2)]
    for thread in busy:
        thread.start()
    status, _, answer = until(lambda: (answer := invoke(svc))[0] != 200 and answer, 120)
    enough.set()
    assert status == 429
    assert "Rate exceeded" in answer["message"]
    for thread in busy:
        thread.join(60)
    assert invoke(svc)[0] == 200


def test_a_body_above_four_megabytes_is_refused(svc: JsonService) -> None:
    create(svc)
    assert invoke(svc, bytes(4 * 2**20))[0] == 200
    assert invoke(svc, bytes(4 * 2**20 + 1))[0] == 400


def test_a_model_that_does_not_load_fails_the_endpoint(svc: JsonService) -> None:
    assert create(svc, "broken")["EndpointStatus"] == "Failed"


def test_an_endpoint_of_instances_cannot_become_serverless_but_the_other_way_it_can(svc: JsonService) -> None:
    create(svc)
    svc.call("UpdateEndpoint", {"EndpointName": "e", "EndpointConfigName": "better"})
    assert settled(svc)["ProductionVariants"][0]["CurrentInstanceCount"] == 1
    with pytest.raises(AwsError, match="Cannot convert"):
        svc.call("UpdateEndpoint", {"EndpointName": "e", "EndpointConfigName": "good-serverless"})


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({"InitialInstanceCount": 1}, "cannot have InitialInstanceCount"),
        ({"ServerlessConfig": {"MemorySizeInMB": 1500, "MaxConcurrency": 1}}, "1500 is not one of"),
        ({"ServerlessConfig": {**SIZE, "ProvisionedConcurrency": 1}}, "no provisioned concurrency"),
        ({"ModelName": "isolated"}, "Network isolation"),
    ],
)
def test_what_aws_does_not_take_is_refused(
    aws: OfflineAws, svc: JsonService, members: dict[str, Any], said: str
) -> None:
    container = {"Image": IMAGE, "ModelDataUrl": "s3://models/good.tar.gz"}
    model = {"ModelName": "isolated", "ExecutionRoleArn": ROLE, "PrimaryContainer": container}
    svc.call("CreateModel", {**model, "EnableNetworkIsolation": True})
    with pytest.raises(AwsError, match=said):
        config(svc, "c", variant(**members))


def test_a_serverless_variant_stands_alone(svc: JsonService) -> None:
    two = [variant(VariantName=name, ServerlessConfig=SIZE) for name in ("a", "b")]
    with pytest.raises(AwsError, match="has one production variant"):
        svc.call("CreateEndpointConfig", {"EndpointConfigName": "c", "ProductionVariants": two})


def another(svc: JsonService, name: str, operation: str = "CreateEndpoint", **size: int) -> None:
    """An endpoint `name` of so much, without waiting for it."""
    plan = f"{name}-{len(svc.call('ListEndpointConfigs', {})['EndpointConfigs'])}"
    config(svc, plan, variant(ServerlessConfig={**SIZE, **size}))
    svc.call(operation, {"EndpointName": name, "EndpointConfigName": plan})


@pytest.fixture
def new_account(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, Profile.NEW_ACCOUNT)


@pytest.mark.usefixtures("new_account")
def test_a_new_account_has_five_serverless_endpoints(svc: JsonService) -> None:
    for number in range(5):
        another(svc, f"e{number}", MaxConcurrency=1)
    with pytest.raises(
        AwsError, match=r"serverless endpoints' is 5 .*utilization of 5 .*delta of 1 "
    ) as told:
        another(svc, "e5", MaxConcurrency=1)
    assert told.value.code == "ResourceLimitExceeded"
    assert len(svc.call("ListEndpoints", {})["Endpoints"]) == 5


@pytest.mark.usefixtures("new_account")
def test_all_serverless_endpoints_share_ten_requests_and_an_update_asks_for_what_it_adds(
    svc: JsonService,
) -> None:
    another(svc, "e", MaxConcurrency=4)
    settled(svc)
    another(svc, "other", MaxConcurrency=2)
    with pytest.raises(AwsError, match=r"across all serverless endpoints' is 10 .*of 6 .*delta of 5 "):
        another(svc, "third", MaxConcurrency=5)
    with pytest.raises(AwsError, match=r"across all serverless endpoints' is 10 .*of 6 .*delta of 5 "):
        another(svc, "e", "UpdateEndpoint", MaxConcurrency=9)
    another(svc, "e", "UpdateEndpoint", MaxConcurrency=8)


@pytest.mark.usefixtures("new_account")
def test_a_new_account_gives_a_serverless_endpoint_three_gigabytes_which_no_list_has(
    aws: OfflineAws, svc: JsonService
) -> None:
    with pytest.raises(
        AwsError, match=r"'Memory size in MB per serverless endpoint' is 3072 MBs, .*of 4096 MBs"
    ):
        another(svc, "e", MemorySizeInMB=4096)
    another(svc, "e", MemorySizeInMB=3072)
    pages = quotas.service(aws)
    for operation in ("ListServiceQuotas", "ListAWSDefaultServiceQuotas"):
        assert names.SERVERLESS_MEMORY not in listed(pages, operation)
