"""Metric alarms as CloudWatch evaluates them: by dimensions, period by period, with data that is missing.

ministack ignores dimensions and periods, and leaves an alarm as it is when there are no points. Its alarms
would ring for another endpoint's errors, would ring at once instead of after "two minutes in a row", and
would never go back to OK. Here alarms are evaluated whenever a metric or an alarm is put, over periods that
end then.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/AlarmThatSendsEmail.html
"""

from __future__ import annotations

import operator
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from ministack.services import cloudwatch

Alarm = dict[str, Any]
_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "GreaterThanOrEqualToThreshold": operator.ge,
    "GreaterThanThreshold": operator.gt,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}


def install() -> None:
    """Put our evaluation in the place of ministack's."""
    cloudwatch._evaluate_alarm = partial(_evaluate, cloudwatch._evaluate_alarm)


def _evaluate(evaluate: Callable[[Alarm], None], alarm: Alarm) -> None:
    if alarm.get("ComparisonOperator") in _COMPARE and alarm.get("MetricName"):
        _settle(alarm, state_of(alarm, _points(alarm), time.time()))
    else:  # anomaly bands and expressions: as ministack has them
        evaluate(alarm)


def state_of(alarm: Alarm, points: list[dict[str, Any]], now: float) -> tuple[str, str]:
    """The alarm's state and why, from its metric's points. `missing` and `ignore` keep what it was."""
    period, periods = float(alarm.get("Period") or 60), int(alarm.get("EvaluationPeriods") or 1)
    needed = int(alarm.get("DatapointsToAlarm") or periods)
    missing = alarm.get("TreatMissingData") or "missing"
    breaching, judged, measured = 0, 0, []
    for number in range(periods):
        end = now - number * period
        value = _statistic(alarm, [p for p in points if end - period < p["Timestamp"] <= end])
        if value is None:
            judged += missing in ("breaching", "notBreaching")
            breaching += missing == "breaching"
            continue
        judged += 1
        measured.append(value)
        breaching += _COMPARE[alarm["ComparisonOperator"]](value, float(alarm.get("Threshold") or 0))
    if breaching >= needed:
        return (
            "ALARM",
            f"Threshold Crossed: {breaching} datapoints {measured} crossed {alarm.get('Threshold')}",
        )
    if not judged:
        return str(alarm["StateValue"]), "no data"
    return "OK", f"Threshold not crossed by {needed} of {periods} datapoints: {measured}"


def _statistic(alarm: Alarm, points: list[dict[str, Any]]) -> float | None:
    stats = cloudwatch._calc_stats(points)
    if not stats:
        return None
    name = alarm.get("ExtendedStatistic") or alarm.get("Statistic") or "Average"
    value = cloudwatch._stat_value(stats, name, points)
    return None if value is None else float(value)


def _points(alarm: Alarm) -> list[dict[str, Any]]:
    """Of the metric with exactly the alarm's dimensions."""
    given = alarm.get("Dimensions") or []
    wanted = dict(given) if isinstance(given, dict) else {each["Name"]: each["Value"] for each in given}
    name = alarm.get("Namespace"), alarm.get("MetricName")
    return [
        point
        for (namespace, metric, *_), points in cloudwatch._metrics.items()
        if (namespace, metric) == name
        for point in points
        if (point.get("Dimensions") or {}) == wanted
    ]


def _settle(alarm: Alarm, found: tuple[str, str]) -> None:
    before, (state, reason) = alarm["StateValue"], found
    if state == before:
        return
    alarm["StateValue"], alarm["StateReason"] = state, reason
    alarm["StateUpdatedTimestamp"] = int(time.time())
    cloudwatch._record_history(alarm["AlarmName"], before, state, reason)
    cloudwatch._dispatch_alarm_actions(alarm, before, state, reason)
    cloudwatch._evaluate_parent_alarms(alarm)
