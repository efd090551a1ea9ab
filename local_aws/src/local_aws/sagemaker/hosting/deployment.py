"""How an endpoint's traffic moves from one fleet to the next: at once, by a canary, or in linear steps.

`steps` turns a DeploymentConfig into shares of traffic and the time to stay at each; `shift` walks them and
looks at the rollback alarms while it waits. Both fleets are complete and healthy before the first step
(blue/green), so a rollback is only a change of shares.
https://docs.aws.amazon.com/sagemaker/latest/dg/deployment-guardrails-blue-green.html
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from local_aws.core.errors import ValidationException

ALARM_PAUSE = 1.0


class RolledBackError(Exception):
    """The traffic has to go back to the old fleet; the message is SageMaker's FailureReason."""


@dataclass(frozen=True)
class Step:
    """The new fleet's share of the traffic (0 to 1), and for how long it is watched there."""

    share: float
    seconds: float


def steps(config: Mapping[str, Any] | None, instance_count: int) -> tuple[Step, ...]:
    """The way from the old fleet to the new one; without a configuration all traffic moves at once.

    `instance_count` is the new fleet's size, which a canary's or step's INSTANCE_COUNT is a part of. Raises
    ValidationException for rolling updates and for a policy without its sizes.
    """
    if not config:
        return (Step(1.0, 0.0),)
    if "RollingUpdatePolicy" in config and "BlueGreenUpdatePolicy" in config:
        # "Only one update policy should be used in the deployment configuration" (BlueGreenUpdatePolicy).
        raise ValidationException("Only one update policy can be used in the deployment configuration.")
    if "RollingUpdatePolicy" in config:
        raise ValidationException(
            "The local AWS has no rolling deployments; use a BlueGreenUpdatePolicy (ALL_AT_ONCE, CANARY or "
            "LINEAR)."
        )
    policy = config.get("BlueGreenUpdatePolicy")
    if policy is None:
        return (Step(1.0, 0.0),)
    way = _way(policy, instance_count)
    _check_timeout(config, way)
    return way


def _way(policy: Mapping[str, Any], instance_count: int) -> tuple[Step, ...]:
    routing = policy["TrafficRoutingConfiguration"]
    last = Step(1.0, float(policy.get("TerminationWaitInSeconds", 0)))
    wait = float(routing["WaitIntervalInSeconds"])
    if routing["Type"] == "CANARY":
        return (Step(_fraction(routing, "CanarySize", instance_count, at_least=0.0), wait), last)
    if routing["Type"] == "LINEAR":
        size = _fraction(routing, "LinearStepSize", instance_count, at_least=0.1)
        between = math.ceil(round(1 / size, 6)) - 1
        return (*(Step(size * number, wait) for number in range(1, between + 1)), last)
    return (last,)


def timeout(config: Mapping[str, Any] | None) -> float:
    """For how long a deployment may go on before it is rolled back, in seconds."""
    policy = (config or {}).get("BlueGreenUpdatePolicy", {})
    return float(policy.get("MaximumExecutionTimeoutInSeconds", math.inf))


def _check_timeout(config: Mapping[str, Any], way: Sequence[Step]) -> None:
    """ "The timeout value should be larger than the total waiting time" (BlueGreenUpdatePolicy)."""
    waiting = sum(step.seconds for step in way)
    if timeout(config) <= waiting:
        raise ValidationException(
            f"MaximumExecutionTimeoutInSeconds must be larger than the total waiting time of {waiting:.0f} "
            f"seconds; it is {timeout(config):.0f}."
        )


def alarm_names(config: Mapping[str, Any] | None) -> tuple[str, ...]:
    """The CloudWatch alarms that roll a deployment back."""
    alarms = (config or {}).get("AutoRollbackConfiguration", {}).get("Alarms", [])
    return tuple(alarm["AlarmName"] for alarm in alarms)


def shift(
    way: Sequence[Step],
    *,
    set_share: Callable[[float], None],
    raised: Callable[[], Sequence[str]],
    wait: Callable[[float], None],
    overdue: Callable[[], bool] = lambda: False,
) -> None:
    """Move the traffic along `way`.

    Args:
        set_share: gives the new fleet a share of the traffic.
        raised: the names of the rollback alarms that are in ALARM now.
        overdue: whether the deployment has taken longer than it may.

    Raises RolledBackError if an alarm went off or the time is up; the caller moves the traffic back.
    """
    for step in way:
        if overdue():
            raise RolledBackError("The deployment exceeded its MaximumExecutionTimeoutInSeconds.")
        set_share(step.share)
        left = step.seconds
        while left > 0:
            wait(min(ALARM_PAUSE, left))
            left -= ALARM_PAUSE
            if names := raised():
                raise RolledBackError(
                    "One or more configured alarm(s) went into ALARM state during the deployment: "
                    f"{', '.join(names)}"
                )


def _fraction(routing: Mapping[str, Any], member: str, instance_count: int, at_least: float) -> float:
    size = routing.get(member)
    if size is None:
        raise ValidationException(f"{member} must be given for traffic routing of type {routing['Type']}.")
    fraction = float(size["Value"]) / (instance_count if size["Type"] == "INSTANCE_COUNT" else 100)
    if not at_least <= fraction <= 0.5:
        # "Value must be less than or equal to 50% of the variant's total instance count"
        # (TrafficRoutingConfig).
        raise ValidationException(
            f"{member} must be between {at_least:.0%} and 50% of the {instance_count} instance(s); it is "
            f"{fraction:.0%}."
        )
    return fraction
