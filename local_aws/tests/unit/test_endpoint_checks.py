"""What UpdateEndpoint refuses, as AWS documents it, for what the endpoint is now."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from local_aws import autoscaling
from local_aws.autoscaling import targets
from local_aws.core.context import LocalAws
from local_aws.core.errors import AwsError
from local_aws.sagemaker.hosting import deployment, endpoint_checks
from local_aws.sagemaker.hosting.endpoint_records import PLAN
from local_aws.sagemaker.serving.plans import VariantPlan
from local_aws.sagemaker.serving.serverless import Serverless
from unit.hosting_support import offline_aws

TYPE, OTHER_TYPE = "ml.c7i.large", "ml.g6.xlarge"
ALL_AT_ONCE = {
    "BlueGreenUpdatePolicy": {
        "TrafficRoutingConfiguration": {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": 0}
    }
}


@pytest.fixture
def aws(tmp_path: Path) -> LocalAws:
    return offline_aws(tmp_path)


def plan(instance_type: str = TYPE, name: str = "main", **members: Any) -> VariantPlan:
    fixed = {"container": None, "role_arn": None, "instance_count": 1, "weight": 1.0}
    return VariantPlan(
        **{
            "name": name,
            "instance_type": instance_type,
            "health_check_seconds": 480.0,
            **fixed,
            **members,
        }
    )


def endpoint(*plans: VariantPlan) -> dict[str, Any]:
    return {"EndpointName": "e", "EndpointArn": "arn:e", PLAN: [each.dump() for each in plans]}


def scaled(aws: LocalAws, monkeypatch: pytest.MonkeyPatch) -> autoscaling.JsonService:
    """Application Auto Scaling with the endpoint's variant registered."""
    svc = autoscaling.service(aws)
    monkeypatch.setattr(autoscaling.Variants, "instance_type", lambda *_: TYPE)
    monkeypatch.setattr(autoscaling.Variants, "read", lambda *_: autoscaling.variants.State(1, True, ""))
    svc.call(
        "RegisterScalableTarget", {**targets.of_variant("e", "main"), "MinCapacity": 1, "MaxCapacity": 2}
    )
    return svc


@pytest.mark.parametrize("after", [[plan(OTHER_TYPE)], [plan(name="other")]], ids=["type", "removal"])
def test_a_variant_that_auto_scaling_looks_after_keeps_its_type_and_stays(
    aws: LocalAws, monkeypatch: pytest.MonkeyPatch, after: list[VariantPlan]
) -> None:
    svc = scaled(aws, monkeypatch)
    with pytest.raises(AwsError, match=r'"\[main\]" must be deregistered'):
        endpoint_checks.check_update(aws, endpoint(plan()), after, None)
    svc.call("DeregisterScalableTarget", targets.of_variant("e", "main"))
    endpoint_checks.check_update(aws, endpoint(plan()), after, None)


def test_a_scaled_variant_may_get_another_model(aws: LocalAws, monkeypatch: pytest.MonkeyPatch) -> None:
    scaled(aws, monkeypatch)
    endpoint_checks.check_update(aws, endpoint(plan()), [plan(config="another")], ALL_AT_ONCE)


def test_instances_become_no_serverless_variant_and_a_serverless_one_may_get_instances(
    aws: LocalAws,
) -> None:
    serverless = plan("serverless", serverless=Serverless(memory_mb=1024, max_concurrency=1))
    with pytest.raises(AwsError, match="Cannot convert"):
        endpoint_checks.check_update(aws, endpoint(plan()), [serverless], None)
    endpoint_checks.check_update(aws, endpoint(serverless), [plan()], None)


def test_a_guarded_update_keeps_the_names_of_the_variants(aws: LocalAws) -> None:
    with pytest.raises(AwsError, match="same variant names"):
        endpoint_checks.check_update(aws, endpoint(plan()), [plan(name="other")], ALL_AT_ONCE)
    endpoint_checks.check_update(aws, endpoint(plan()), [plan(name="other")], None)


def test_a_deployment_has_to_be_given_more_time_than_it_waits() -> None:
    def policy(seconds: int) -> dict[str, Any]:
        routing = {
            "Type": "CANARY",
            "WaitIntervalInSeconds": 500,
            "CanarySize": {"Type": "INSTANCE_COUNT", "Value": 1},
        }
        times = {"TerminationWaitInSeconds": 100, "MaximumExecutionTimeoutInSeconds": seconds}
        return {"BlueGreenUpdatePolicy": {"TrafficRoutingConfiguration": routing, **times}}

    assert [step.seconds for step in deployment.steps(policy(601), 2)] == [500, 100]
    with pytest.raises(AwsError, match="MaximumExecutionTimeoutInSeconds must be larger"):
        deployment.steps(policy(600), 2)


def test_a_deployment_that_is_overdue_goes_back() -> None:
    shares: list[float] = []
    with pytest.raises(deployment.RolledBackError, match="MaximumExecutionTimeoutInSeconds"):
        deployment.shift(
            [deployment.Step(0.5, 1), deployment.Step(1.0, 0)],
            set_share=shares.append,
            raised=list,
            wait=lambda seconds: None,
            overdue=lambda: len(shares) == 1,
        )
    assert shares == [0.5]


def test_of_two_update_policies_none_is_taken() -> None:
    with pytest.raises(AwsError, match="Only one update policy"):
        deployment.steps({**ALL_AT_ONCE, "RollingUpdatePolicy": {}}, 2)
