"""Are the scaling defaults right? A day of traffic, a flash crowd and a quiet week, on the measured service
time.

`make bench NAME=autoscaling`. The service time is measured here, on this machine: this project's own request
path (decode, resize, predict) for a photo and a ResNet-18, one worker per core. SERVICE_MS=… takes another
figure, such as one measured on the instance type itself. Traffic is drawn from a fixed seed. Prices:
lambda/common/prices.py.

Rows: each setting of the scaling with the share of requests it refused (`missed_percent`) and what its
instances cost (`usd_per_day`); then the flavours under traffic that is rare. `summary.better_in_both` names
what both misses less and costs less than the default, on the day and in the flash crowd alike.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from benchmarks import harness
from benchmarks.autoscaling_model import CONCURRENCY, INVOCATIONS, Instance, Outcome, Scaling, simulate

sys.path.insert(0, str(harness.ROOT / "lambda"))

from common.prices import HOSTING, SERVERLESS_USD_PER_GB_SECOND, hourly_usd

INSTANCE_TYPE = "ml.c7i.large"
QUEUE = 64  # inference_code/serve.py lets as many wait
DAY = 24 * 3600
HOUR = 3600
SEED = 2026

DEFAULT = Scaling(name="default: 2 in hand, out 60 s, in 1800 s")
OTHERS = (
    replace(DEFAULT, name="1 in hand", target=1),
    replace(DEFAULT, name="3 in hand", target=3),
    replace(DEFAULT, name="4 in hand", target=4),
    replace(DEFAULT, name="8 in hand", target=8),
    replace(DEFAULT, name="cooldowns of 300 s (AWS's default)", out_cooldown=300, in_cooldown=300),
    replace(DEFAULT, name="in after 60 s", in_cooldown=60),
    replace(DEFAULT, name="two at least", least=2),
    replace(DEFAULT, name="no scaling, one instance", target=None),
    replace(DEFAULT, name="no scaling, six instances", target=None, least=6),
)
# The guide's way to a target: the most one instance bears times a safety factor, per minute.
# https://docs.aws.amazon.com/sagemaker/latest/dg/endpoint-scaling-loadtest.html
INVOCATION_SHARES = (0.5, 0.7, 0.85)


def day(instance: Instance, rng: np.random.Generator) -> np.ndarray[Any, np.dtype[Any]]:
    """Requests a second: a night, a morning's rise, an evening's peak of two and a half instances."""
    hours = np.arange(DAY) / HOUR
    daily = 0.05 + 0.95 * np.clip(np.sin((hours - 7) / 15 * np.pi), 0, None) ** 1.5
    wander = np.repeat(rng.lognormal(0, 0.15, DAY // 300), 300)
    return rng.poisson(2.5 * instance.capacity * daily * wander)


def flash_crowd(instance: Instance, rng: np.random.Generator) -> np.ndarray[Any, np.dtype[Any]]:
    """A quiet day of a fifth of an instance; at noon the need of four within a minute, for half an hour."""
    rate = np.full(DAY, 0.2)
    rate[12 * HOUR : 12 * HOUR + 60] = np.linspace(0.2, 4, 60)
    rate[12 * HOUR + 60 : 12 * HOUR + 1860] = 4
    return rng.poisson(instance.capacity * rate)


def measured_instance() -> Instance:
    """One instance with as many workers as this machine has cores, at the time measured or given."""
    cores = len(os.sched_getaffinity(0))
    given = os.environ.get("SERVICE_MS")
    if given:
        return Instance(workers=2, seconds=float(given) / 1000, queue=QUEUE)
    from benchmarks.autoscaling_service import seconds_per_picture

    return Instance(workers=cores, seconds=seconds_per_picture(cores), queue=QUEUE)


def rows_of(
    instance: Instance, traffic: str, arrivals: np.ndarray[Any, np.dtype[Any]]
) -> list[dict[str, harness.Number]]:
    """Every setting under one kind of traffic."""
    per_minute = instance.capacity * 60
    shares = [
        Scaling(name=f"{share:.0%} of capacity", metric=INVOCATIONS, target=share * per_minute)
        for share in INVOCATION_SHARES
    ]
    found: Sequence[int] = arrivals.tolist()
    return [
        _row(traffic, setting, simulate(instance, setting, found)) for setting in (DEFAULT, *OTHERS, *shares)
    ]


def _row(traffic: str, setting: Scaling, outcome: Outcome) -> dict[str, harness.Number]:
    hours = outcome.instance_seconds / HOUR
    return {
        "system": setting.name,
        "traffic": traffic,
        "metric": setting.metric if setting.target else "-",
        "requests": outcome.asked,
        "missed_percent": round(100 * outcome.missed / outcome.asked, 3),
        "usd_per_day": round(hours * hourly_usd(INSTANCE_TYPE, HOSTING), 2),
        "most_instances": outcome.most_instances,
        "changes": outcome.changes,
    }


def beaten_by(default: dict[str, harness.Number], rows: list[dict[str, harness.Number]]) -> list[str]:
    """The settings that miss less and cost less than the default under the same traffic."""

    def better(row: dict[str, harness.Number], key: str) -> bool:
        return float(row[key] or 0) < float(default[key] or 0)

    return [
        str(row["system"]) for row in rows if better(row, "missed_percent") and better(row, "usd_per_day")
    ]


def main() -> None:
    from benchmarks.autoscaling_rare import rare_rows

    instance = measured_instance()
    rows: list[dict[str, harness.Number]] = []
    beaten: set[str] | None = None
    summary: dict[str, harness.Number] = {
        "service_ms": round(instance.seconds * 1000, 2),
        "instance_requests_per_second": round(instance.capacity),
    }
    for traffic, make in (("day", day), ("flash crowd", flash_crowd)):
        found = rows_of(instance, traffic, make(instance, np.random.default_rng(SEED)))
        rows += found
        better = set(beaten_by(found[0], found[1:]))
        beaten = better if beaten is None else beaten & better
        key = traffic.replace(" ", "_")
        summary[f"{key}_missed_percent"] = found[0]["missed_percent"]
        summary[f"{key}_usd_per_day"] = found[0]["usd_per_day"]
    summary["better_in_both"] = ", ".join(sorted(beaten or ())) or "none"
    summary["metric"] = CONCURRENCY
    rare = rare_rows(instance, hourly_usd(INSTANCE_TYPE, HOSTING), SERVERLESS_USD_PER_GB_SECOND, SEED)
    harness.publish("autoscaling", [*rows, *rare], summary)


if __name__ == "__main__":
    main()
