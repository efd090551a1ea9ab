"""Alarms: only their own metric counts, each period for itself, and missing data is what the alarm says."""

from __future__ import annotations

from typing import Any

import pytest

from local_aws.ministack_adapter.alarms import state_of

NOW = 1_000_000.0
ALARM: dict[str, Any] = {
    "Namespace": "AWS/SageMaker",
    "MetricName": "Invocation5XXErrors",
    "Statistic": "Sum",
    "Period": 60,
    "EvaluationPeriods": 2,
    "DatapointsToAlarm": 2,
    "Threshold": 5,
    "ComparisonOperator": "GreaterThanThreshold",
    "TreatMissingData": "notBreaching",
    "StateValue": "OK",
}


def points(*ages_and_values: tuple[float, float]) -> list[dict[str, Any]]:
    return [{"Timestamp": NOW - age, "Value": value, "Count": 1.0} for age, value in ages_and_values]


@pytest.mark.parametrize(
    ("seen", "state"),
    [
        (points((5, 6), (65, 6)), "ALARM"),
        (points((5, 100)), "OK"),  # one minute of errors are not two
        (points((5, 3), (30, 3), (70, 9)), "ALARM"),
        (points((5, 5), (65, 5)), "OK"),
        (points((130, 50)), "OK"),
        ([], "OK"),
    ],
)
def test_as_many_periods_as_asked_for_have_to_breach(seen: list[dict[str, Any]], state: str) -> None:
    assert state_of(ALARM, seen, NOW)[0] == state


@pytest.mark.parametrize(
    ("treat", "state"),
    [("notBreaching", "OK"), ("breaching", "ALARM"), ("missing", "ALARM"), ("ignore", "ALARM")],
)
def test_missing_data_is_what_the_alarm_says(treat: str, state: str) -> None:
    assert state_of({**ALARM, "TreatMissingData": treat, "StateValue": "ALARM"}, [], NOW)[0] == state


def test_a_percentile_is_of_the_period() -> None:
    slow = {"Statistic": None, "ExtendedStatistic": "p99", "Threshold": 2e6, "EvaluationPeriods": 1}
    alarm = {**ALARM, **slow, "DatapointsToAlarm": 1}
    mostly_fast = points(*[(1, 1e5)] * 50, *[(1, 3e6)] * 50)
    assert state_of(alarm, mostly_fast, NOW)[0] == "ALARM"
    assert state_of(alarm, points(*[(1, 1e5)] * 99), NOW)[0] == "OK"
