"""How many instances a variant should have: target tracking as AWS describes it, without clock or network.

Scale out when the metric was above the target in each of the last few periods: to the size at which the
newest value would meet the target. Scale in after a quarter of an hour below 90 % of the target: to the
size that the busiest of those minutes would have needed. With several policies the largest size wins, and
all must agree to scale in.
https://docs.aws.amazon.com/autoscaling/application/userguide/target-tracking-scaling-policy-overview.html
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

Points = Sequence[float | None]
# A metric exactly at a multiple of the target must not buy one more instance through rounding errors.
_EPSILON = 1e-9


@dataclass(frozen=True, kw_only=True)
class Window:
    """The periods an alarm looks at: `count` of `period` seconds each."""

    period: int
    count: int


# The alarms AWS makes for a target-tracking policy: above the target for 3 periods, below 90 % of it for 15
# minutes.
HIGH = Window(period=60, count=3)
HIGH_RESOLUTION = Window(period=10, count=3)
LOW = Window(period=60, count=15)
LOW_FRACTION = 0.9


@dataclass(frozen=True, kw_only=True)
class Tracking:
    """One target-tracking policy and what its metric was: newest value last, None where there was no data."""

    name: str
    target: float
    out_cooldown: timedelta
    in_cooldown: timedelta
    may_scale_in: bool
    high: Points
    low: Points


@dataclass(frozen=True, kw_only=True)
class Past:
    """What was done to the target before."""

    out_at: datetime | None = None
    out_from: int = 0
    """The size before the last scale-out: what it added counts towards the next one while it cools down."""
    in_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Decision:
    """The size to go to, and the policy that asks for it."""

    capacity: int
    policy: str


def decide(
    policies: Sequence[Tracking], now_at: int, bounds: tuple[int, int], past: Past, now: datetime
) -> Decision | None:
    """The size a variant of `now_at` instances should go to, or None to leave it.

    `bounds` are the target's minimum and maximum capacity.
    """
    low, high = bounds
    wanted = [(_out(policy, now_at, past, now), policy) for policy in policies]
    outs = [
        (min(size, high), policy) for size, policy in wanted if size is not None and min(size, high) > now_at
    ]
    if outs:
        size, policy = max(outs, key=lambda out: out[0])
        return Decision(capacity=size, policy=policy.name)
    if any(size is not None for size, _ in wanted):
        return None  # at the maximum, and in need of it
    ins = [(_in(policy, now_at, past, now), policy) for policy in policies if policy.may_scale_in]
    agreed = [(max(size, low), policy) for size, policy in ins if size is not None]
    if not agreed or len(agreed) < len(ins):
        return None
    size, policy = max(agreed, key=lambda scale_in: scale_in[0])
    return Decision(capacity=size, policy=policy.name) if size < now_at else None


def _out(policy: Tracking, now_at: int, past: Past, now: datetime) -> int | None:
    """The size the policy wants to grow to; None if its alarm is not raised."""
    values = [value for value in policy.high if value is not None]
    if not values or len(values) < len(policy.high) or min(values) <= policy.target:
        return None
    cooling = past.out_at is not None and now < past.out_at + policy.out_cooldown
    base = past.out_from if cooling else now_at
    return math.ceil(base * values[-1] / policy.target - _EPSILON)


def _in(policy: Tracking, now_at: int, past: Past, now: datetime) -> int | None:
    """The size the policy agrees to shrink to; None if its alarm is not raised or it cools down."""
    values = [value for value in policy.low if value is not None]
    if not values or len(values) < len(policy.low) or max(values) >= policy.target * LOW_FRACTION:
        return None
    if past.in_at is not None and now < past.in_at + policy.in_cooldown:
        return None
    if past.out_at is not None and now < past.out_at + policy.out_cooldown:
        return None
    return math.ceil(now_at * max(values) / policy.target - _EPSILON)
