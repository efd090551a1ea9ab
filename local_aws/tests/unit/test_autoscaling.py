"""Application Auto Scaling: the decision alone, and the loop with a clock and metrics turned by hand."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local_aws import autoscaling
from local_aws.autoscaling.decision import Decision, Past, Points, Tracking, Window, decide
from local_aws.autoscaling.metrics import CloudWatchMetrics, Metric, RaisedAlarm, of_policy
from local_aws.autoscaling.scaler import Scaler
from local_aws.autoscaling.targets import forget, of_variant
from local_aws.autoscaling.variants import ScalingFailedError, State, Variants
from local_aws.core.api import JsonService
from local_aws.core.errors import AwsError
from unit.hosting_support import OfflineAws, offline_aws

START = datetime(2026, 11, 20, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
TARGET = {
    "ServiceNamespace": "sagemaker",
    "ResourceId": "endpoint/shop/variant/AllTraffic",
    "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
}
INVOCATIONS = {"PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"}


def tracking(
    high: Points, low: Points = (), target: float = 100, name: str = "p", **members: Any
) -> Tracking:
    fixed: dict[str, Any] = {
        "out_cooldown": timedelta(minutes=5),
        "in_cooldown": timedelta(minutes=5),
        "may_scale_in": True,
    }
    return Tracking(name=name, target=target, high=high, low=low or [target] * 15, **{**fixed, **members})


def size(
    policies: Tracking | Sequence[Tracking],
    now_at: int,
    bounds: tuple[int, int] = (1, 10),
    past: Past | None = None,
    now: datetime = START,
) -> int | None:
    policies = [policies] if isinstance(policies, Tracking) else policies
    decision = decide(policies, now_at, bounds, past or Past(), now)
    return None if decision is None else decision.capacity


@pytest.mark.parametrize(
    ("high", "now_at", "wanted"),
    [
        ([150, 150, 150], 2, 3),  # proportional: 2 * 150 / 100
        ([150, 150, 101], 2, 3),  # by the newest value, rounded up
        ([400, 400, 400], 4, 10),  # no further than the maximum
        ([150, 100, 150], 2, None),  # one period not above the target
        ([150, None, 150], 2, None),  # one period without data
        ([300, 300, 300], 10, None),  # at the maximum already
    ],
)
def test_scaling_out_is_proportional_and_needs_every_period(
    high: Points, now_at: int, wanted: int | None
) -> None:
    assert size(tracking(high), now_at) == wanted


@pytest.mark.parametrize(
    ("low", "now_at", "wanted"),
    [
        ([0.0] * 15, 4, 1),  # no traffic: to the minimum
        ([0.0] * 14 + [70.0], 4, 3),  # the busiest minute decides
        ([0.0] * 14 + [90.0], 4, None),  # 90 % of the target is not low
        ([0.0] * 14 + [None], 4, None),
        ([0.0] * 15, 1, None),
    ],
)
def test_scaling_in_is_slow_and_never_below_what_the_busiest_minute_needed(
    low: Points, now_at: int, wanted: int | None
) -> None:
    assert size(tracking([0, 0, 0], low), now_at) == wanted


def test_a_policy_may_be_kept_from_scaling_in() -> None:
    assert size(tracking([0, 0, 0], [0.0] * 15, may_scale_in=False), 4) is None


def test_while_a_scale_out_cools_down_only_a_larger_one_is_made() -> None:
    past = Past(out_at=START, out_from=2)
    soon, later = START + 4 * MINUTE, START + 5 * MINUTE
    policy = tracking([150, 150, 150])
    assert size(policy, 3, past=past, now=soon) is None  # 2 * 1.5 = 3, which it has
    assert size(tracking([250, 250, 250]), 3, past=past, now=soon) == 5
    assert size(policy, 3, past=past, now=later) == 5  # 3 * 1.5


def test_scaling_in_waits_for_both_cooldowns() -> None:
    policy = tracking([0, 0, 0], [0.0] * 15)
    soon, later = START + 4 * MINUTE, START + 5 * MINUTE
    for past in (Past(in_at=START), Past(out_at=START, out_from=1)):
        assert size(policy, 4, past=past, now=soon) is None
        assert size(policy, 4, past=past, now=later) == 1


def test_of_several_policies_the_largest_size_wins_and_all_must_agree_to_shrink() -> None:
    out = [tracking([150] * 3, name="small"), tracking([250] * 3, name="large")]
    assert decide(out, 2, (1, 10), Past(), START) == Decision(capacity=5, policy="large")
    idle, busy = tracking([0] * 3, [0.0] * 15, name="idle"), tracking([0] * 3, [60.0] * 15, name="busy")
    assert size([idle, busy], 4) == 3
    assert size([idle, tracking([0] * 3, [95.0] * 15)], 4) is None
    assert size([idle, tracking([0] * 3, [None] * 15)], 4) is None
    assert size([idle, tracking([150] * 3)], 4) == 6


values = st.one_of(st.none(), st.floats(0, 1e6))


@given(
    high=st.lists(values, min_size=3, max_size=3),
    low=st.lists(values, min_size=15, max_size=15),
    target=st.floats(0.01, 1e5),
    bounds=st.tuples(st.integers(1, 20), st.integers(1, 20)).map(lambda pair: (min(pair), max(pair))),
    data=st.data(),
)
def test_no_decision_leaves_the_bounds_or_contradicts_the_metric(
    high: Points, low: Points, target: float, bounds: tuple[int, int], data: st.DataObject
) -> None:
    now_at = data.draw(st.integers(*bounds))
    wanted = size(tracking(high, low, target), now_at, bounds)
    if wanted is None:
        return
    assert bounds[0] <= wanted <= bounds[1]
    assert wanted != now_at
    if wanted > now_at:
        assert all(value is not None and value > target for value in high)
    else:
        assert all(value is not None and value < target for value in low)


class FakeVariants(Variants):
    """One variant that does as it is told, a moment later."""

    def __init__(self) -> None:
        self.capacity = 1
        self.settled = True
        self.refusal = ""
        self.asked: list[int] = []
        self.type = "ml.c7i.large"

    def instance_type(self, resource_id: str) -> str:
        return self.type

    def read(self, resource_id: str) -> State | None:
        return State(self.capacity, self.settled, "") if "shop" in resource_id else None

    def set(self, resource_id: str, capacity: int) -> None:
        self.asked.append(capacity)
        if self.refusal:
            raise ScalingFailedError(self.refusal)
        self.settled = False

    def done(self) -> None:
        self.capacity, self.settled = self.asked[-1], True


class FakeMetrics:
    """The same value in every period."""

    def __init__(self) -> None:
        self.value: float | None = None
        self.alarm: RaisedAlarm | None = None

    def raised(self, policy_arn: str) -> RaisedAlarm | None:
        return self.alarm

    def read(self, metric: Metric, window: Window, now: datetime) -> Points:
        return [self.value] * window.count


class Clock:
    def __init__(self) -> None:
        self.time = START

    def __call__(self) -> datetime:
        return self.time


class Shop:
    """A scaled endpoint with everything around it faked but the API, the records and the loop."""

    def __init__(self, aws: OfflineAws, monkeypatch: pytest.MonkeyPatch) -> None:
        self.variants, self.metrics, self.clock = FakeVariants(), FakeMetrics(), Clock()
        monkeypatch.setattr(autoscaling, "Variants", lambda _aws: self.variants)
        self.aws, self.alarms = aws, aws.cloudwatch.alarms
        self.svc: JsonService = autoscaling.service(aws)
        self.scaler = Scaler(aws.store, self.variants, self.metrics, self.clock)

    def call(self, operation: str, **members: Any) -> dict[str, Any]:
        return self.svc.call(operation, {**TARGET, **members})

    def track(self, **configuration: Any) -> dict[str, Any]:
        target = {key: configuration.pop(key) for key in TARGET if key in configuration}
        configuration = {"TargetValue": 100.0, "PredefinedMetricSpecification": INVOCATIONS, **configuration}
        return self.call(
            "PutScalingPolicy",
            **target,
            PolicyName="p",
            PolicyType="TargetTrackingScaling",
            TargetTrackingScalingPolicyConfiguration=configuration,
        )

    def activities(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.svc.call(
            "DescribeScalingActivities", {"ServiceNamespace": "sagemaker"}
        )["ScalingActivities"]
        return found


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shop:
    return Shop(offline_aws(tmp_path), monkeypatch)


def test_load_grows_the_variant_and_idleness_shrinks_it(shop: Shop) -> None:
    shop.call("RegisterScalableTarget", MinCapacity=1, MaxCapacity=4)
    shop.track(ScaleInCooldown=60, ScaleOutCooldown=60)
    shop.metrics.value = 250.0
    shop.scaler.tick()
    assert shop.variants.asked == [3]
    assert shop.activities()[0]["StatusCode"] == "InProgress"
    shop.scaler.tick()  # the endpoint is still busy with it
    assert shop.variants.asked == [3]
    shop.variants.done()
    shop.scaler.tick()
    (activity,) = shop.activities()
    assert activity["StatusCode"] == "Successful"
    assert "AlarmHigh" in activity["Cause"]
    shop.metrics.value = 0.0
    shop.scaler.tick()
    assert shop.variants.asked == [3]  # the scale-out cools down
    shop.clock.time += MINUTE
    shop.scaler.tick()
    assert shop.variants.asked == [3, 1]


@pytest.mark.parametrize("burstable", ["ml.t2.medium", "ml.t3.large"])
def test_a_variant_on_burstable_instances_is_not_scaled(shop: Shop, burstable: str) -> None:
    shop.variants.type = burstable
    with pytest.raises(AwsError, match="burstable"):
        shop.call("RegisterScalableTarget", MinCapacity=1, MaxCapacity=4)


def test_a_variant_outside_its_bounds_is_brought_inside(shop: Shop) -> None:
    shop.call("RegisterScalableTarget", MinCapacity=2, MaxCapacity=4)
    shop.scaler.tick()
    shop.variants.done()
    shop.scaler.tick()
    shop.call("RegisterScalableTarget", MinCapacity=1, MaxCapacity=1)
    shop.scaler.tick()
    assert shop.variants.asked == [2, 1]
    causes = [activity["Cause"] for activity in shop.activities()]
    assert causes == ["maximum capacity was set to 1", "minimum capacity was set to 2"]


def test_a_refused_size_is_a_failed_activity_and_is_not_asked_for_again_at_once(shop: Shop) -> None:
    shop.call("RegisterScalableTarget", MinCapacity=2, MaxCapacity=2)
    shop.variants.refusal = "The account-level service limit ... (Error Code: ResourceLimitExceeded)"
    shop.scaler.tick()
    shop.scaler.tick()
    assert shop.variants.asked == [2]
    (activity,) = shop.activities()
    assert activity["StatusCode"] == "Failed"
    assert activity["StatusMessage"].startswith(
        "Failed to set desired instance count to 2. Reason: The account"
    )
    shop.clock.time += 2 * MINUTE
    shop.scaler.tick()
    assert shop.variants.asked == [2, 2]


def test_suspended_scaling_does_nothing(shop: Shop) -> None:
    suspended = {"DynamicScalingOutSuspended": True}
    shop.call("RegisterScalableTarget", MinCapacity=1, MaxCapacity=4, SuspendedState=suspended)
    shop.track()
    shop.metrics.value = 500.0
    shop.scaler.tick()
    assert shop.variants.asked == []


def test_without_data_nothing_is_scaled(shop: Shop) -> None:
    shop.call("RegisterScalableTarget", MinCapacity=1, MaxCapacity=4)
    shop.track()
    shop.variants.capacity = 3
    shop.scaler.tick()
    assert shop.variants.asked == []


def test_a_policy_has_two_alarms_that_go_with_it(shop: Shop) -> None:
    cloudwatch = shop.alarms
    shop.call("RegisterScalableTarget", MinCapacity=1, MaxCapacity=4)
    put = shop.track()
    assert [alarm["AlarmName"].split("-")[-6] for alarm in put["Alarms"]] == ["AlarmHigh", "AlarmLow"]
    high, low = (cloudwatch[alarm["AlarmName"]] for alarm in put["Alarms"])
    assert (high["Threshold"], high["EvaluationPeriods"], high["Period"]) == (100.0, 3, 60)
    assert (low["Threshold"], low["EvaluationPeriods"], low["Period"]) == (90.0, 15, 60)
    assert shop.track(TargetValue=200.0)["PolicyARN"] == put["PolicyARN"]
    assert cloudwatch[put["Alarms"][0]["AlarmName"]]["Threshold"] == 200.0
    shop.call("DeregisterScalableTarget")
    assert cloudwatch == {}
    assert (
        shop.svc.call("DescribeScalingPolicies", {"ServiceNamespace": "sagemaker"})["ScalingPolicies"] == []
    )


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({"MinCapacity": 1}, "you must specify a minimum capacity and a maximum capacity"),
        ({"MinCapacity": 3, "MaxCapacity": 2}, "cannot be less than"),
        ({"MinCapacity": 0, "MaxCapacity": 2}, "at least 1"),
        ({"MinCapacity": 1, "MaxCapacity": 2, "ResourceId": "endpoint/none/variant/x"}, "doesn't exist"),
        ({"MinCapacity": 1, "MaxCapacity": 2, "ResourceId": "service/x"}, "Unsupported service namespace"),
        ({"MinCapacity": 1, "MaxCapacity": 2, "ServiceNamespace": "ecs"}, "Unsupported service namespace"),
    ],
)
def test_a_target_that_cannot_be_scaled_is_refused(shop: Shop, members: dict[str, Any], said: str) -> None:
    with pytest.raises(AwsError, match=said):
        shop.call("RegisterScalableTarget", **members)
    assert (
        shop.svc.call("DescribeScalableTargets", {"ServiceNamespace": "sagemaker"})["ScalableTargets"] == []
    )


def test_what_does_not_exist_is_not_found(shop: Shop) -> None:
    with pytest.raises(AwsError, match="ObjectNotFoundException: No scalable target"):
        shop.track()
    with pytest.raises(AwsError, match="ObjectNotFoundException"):
        shop.call("DeregisterScalableTarget")
    with pytest.raises(AwsError, match="No scaling policy p found"):
        shop.call("DeleteScalingPolicy", PolicyName="p")


def test_who_deletes_an_endpoint_deregisters_its_variants(shop: Shop) -> None:
    shop.call("RegisterScalableTarget", MinCapacity=1, MaxCapacity=4)
    shop.track()
    assert forget(shop.aws, of_variant("shop", "AllTraffic"))
    namespace = {"ServiceNamespace": "sagemaker"}
    assert shop.svc.call("DescribeScalableTargets", namespace)["ScalableTargets"] == []
    assert shop.svc.call("DescribeScalingPolicies", namespace)["ScalingPolicies"] == []
    assert shop.alarms == {}
    assert not forget(shop.aws, of_variant("shop", "AllTraffic"))


def test_a_target_keeps_what_a_second_registration_does_not_name(shop: Shop) -> None:
    arn = shop.call("RegisterScalableTarget", MinCapacity=1, MaxCapacity=4, Tags={"project": "x"})[
        "ScalableTargetARN"
    ]
    assert shop.call("RegisterScalableTarget", MaxCapacity=2)["ScalableTargetARN"] == arn
    (target,) = shop.svc.call("DescribeScalableTargets", {"ServiceNamespace": "sagemaker"})["ScalableTargets"]
    assert (target["MinCapacity"], target["MaxCapacity"]) == (1, 2)
    assert "Tags" not in target
    assert shop.svc.call("ListTagsForResource", {"ResourceARN": arn})["Tags"] == {"project": "x"}


def test_only_known_metrics_can_be_followed() -> None:
    resource = TARGET["ResourceId"]
    metric = of_policy(resource, {"PredefinedMetricSpecification": INVOCATIONS})
    assert (metric.name, metric.statistic, metric.high.period) == ("InvocationsPerInstance", "Sum", 60)
    names = {each["Name"]: each["Value"] for each in metric.dimensions}
    assert names == {"EndpointName": "shop", "VariantName": "AllTraffic"}
    with pytest.raises(AwsError, match="ECSServiceAverageCPUUtilization is not available"):
        of_policy(
            resource,
            {"PredefinedMetricSpecification": {"PredefinedMetricType": "ECSServiceAverageCPUUtilization"}},
        )
    with pytest.raises(AwsError, match="Namespace, MetricName and Statistic"):
        of_policy(resource, {"CustomizedMetricSpecification": {"Metrics": []}})


class FakeMetricData:
    def __init__(self, found: dict[datetime, float]) -> None:
        self.found = found
        self.request: dict[str, Any] = {}

    def get_metric_data(self, **request: Any) -> dict[str, Any]:
        self.request = request
        return {"MetricDataResults": [{"Timestamps": list(self.found), "Values": list(self.found.values())}]}


def test_only_whole_periods_are_read_and_gaps_stay_gaps(tmp_path: Path) -> None:
    aws = offline_aws(tmp_path)
    fake = FakeMetricData({START - 3 * MINUTE: 5.0, START - MINUTE: 7.0})
    object.__setattr__(aws, "cloudwatch", fake)
    metric = of_policy(TARGET["ResourceId"], {"PredefinedMetricSpecification": INVOCATIONS})
    points = CloudWatchMetrics(aws).read(metric, Window(period=60, count=3), START + timedelta(seconds=30))
    assert points == [5.0, None, 7.0]
    assert (fake.request["StartTime"], fake.request["EndTime"]) == (START - 3 * MINUTE, START)
    CloudWatchMetrics(aws).read(metric, Window(period=60, count=3), START + timedelta(seconds=5))
    assert fake.request["EndTime"] == START - MINUTE  # the last minute's data may still be on the way
