"""Auto scaling of inference components: down to no copy by target tracking, and back by an alarm's step."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from local_aws.autoscaling.metrics import RaisedAlarm, of_policy, step_of
from local_aws.core.errors import AwsError
from unit.hosting_support import offline_aws
from unit.test_autoscaling import MINUTE, Shop

COPIES = {
    "ServiceNamespace": "sagemaker",
    "ResourceId": "inference-component/shop",
    "ScalableDimension": "sagemaker:inference-component:DesiredCopyCount",
}
IN_HAND = {"PredefinedMetricType": "SageMakerInferenceComponentConcurrentRequestsPerCopyHighResolution"}
STEPS = {
    "AdjustmentType": "ChangeInCapacity",
    "Cooldown": 60,
    "StepAdjustments": [{"MetricIntervalLowerBound": 0, "ScalingAdjustment": 1}],
}


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shop:
    return Shop(offline_aws(tmp_path), monkeypatch)


def wake(shop: Shop, **configuration: Any) -> dict[str, Any]:
    return shop.call(
        "PutScalingPolicy",
        **COPIES,
        PolicyName="wake",
        PolicyType="StepScaling",
        StepScalingPolicyConfiguration={**STEPS, **configuration},
    )


def test_an_idle_component_goes_to_zero_and_an_alarm_brings_one_copy_back(shop: Shop) -> None:
    shop.call("RegisterScalableTarget", **COPIES, MinCapacity=0, MaxCapacity=3)
    shop.track(**COPIES, PredefinedMetricSpecification=IN_HAND, TargetValue=2.0)
    wake(shop)
    shop.metrics.value = 0.0
    shop.scaler.tick()
    assert shop.variants.asked == [0]
    shop.variants.done()
    shop.scaler.tick()
    shop.scaler.tick()
    assert shop.variants.asked == [0], "target tracking cannot leave zero"
    shop.metrics.value = None  # nobody is asked, nothing is measured
    shop.metrics.alarm = RaisedAlarm("asleep", 2.0)
    shop.scaler.tick()
    assert shop.variants.asked == [0, 1]
    assert "monitor alarm asleep in state ALARM triggered policy wake" in shop.activities()[0]["Cause"]
    shop.variants.done()
    shop.scaler.tick()
    shop.scaler.tick()
    assert shop.variants.asked == [0, 1], "the step cools down"
    shop.clock.time += 2 * MINUTE
    shop.scaler.tick()
    assert shop.variants.asked == [0, 1, 2]


def test_a_step_policy_has_no_alarm_of_its_own_and_is_removed_like_any_other(shop: Shop) -> None:
    shop.call("RegisterScalableTarget", **COPIES, MinCapacity=0, MaxCapacity=3)
    assert wake(shop)["Alarms"] == []
    assert shop.alarms == {}
    shop.call("DeleteScalingPolicy", **COPIES, PolicyName="wake")
    shop.metrics.alarm = RaisedAlarm("asleep", 2.0)
    shop.scaler.tick()
    assert shop.variants.asked == []


def test_a_step_is_the_one_whose_interval_holds_the_value() -> None:
    steps = {
        "StepAdjustments": [
            {"MetricIntervalLowerBound": 0, "MetricIntervalUpperBound": 10, "ScalingAdjustment": 1},
            {"MetricIntervalLowerBound": 10, "ScalingAdjustment": 3},
        ]
    }
    assert [step_of(steps, above) for above in (0, 9.9, 10, 1e6)] == [1, 1, 3, 3]


def test_what_cannot_be_is_refused(shop: Shop) -> None:
    shop.call("RegisterScalableTarget", **COPIES, MinCapacity=0, MaxCapacity=3)
    with pytest.raises(AwsError, match="ChangeInCapacity"):
        wake(shop, AdjustmentType="ExactCapacity")
    with pytest.raises(AwsError, match="Unsupported service namespace"):
        shop.call(
            "RegisterScalableTarget",
            **{**COPIES, "ResourceId": "endpoint/e/variant/v"},
            MinCapacity=0,
            MaxCapacity=1,
        )
    with pytest.raises(AwsError, match="not available for inference-component/shop"):
        shop.track(
            **COPIES,
            PredefinedMetricSpecification={"PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"},
        )


def test_a_components_metric_is_that_of_its_name() -> None:
    metric = of_policy("inference-component/shop", {"PredefinedMetricSpecification": IN_HAND})
    assert metric.name == "ConcurrentRequestsPerCopy"
    assert metric.dimensions == [{"Name": "InferenceComponentName", "Value": "shop"}]
    assert metric.high.period == 10
