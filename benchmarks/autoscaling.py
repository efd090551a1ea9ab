"""Are the scaling defaults right? Days of traffic, flash crowds, a quiet week, on the measured service time.

`make bench NAME=autoscaling`. The service time is measured here, on this machine: what a photo takes of a
core where this project's own server answers sixteen clients (ResNet-18, int8). SERVICE_MS=… takes another
figure, such as one measured on the instance type itself. Traffic is drawn from a fixed seed and counted in
what one instance can answer. Prices: contract/prices.py.

Rows: each setting of the scaling with the share of requests it refused (`missed_percent`) and what its
instances cost (`usd_per_day`), over five days; then the flavours under traffic that is rare.
`summary.better_in_both` names what both misses less and costs less than the default, on the day and in the
flash crowd alike.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from benchmarks import harness
from benchmarks.autoscaling_model import CONCURRENCY, INVOCATIONS, Instance, Outcome, Scaling, simulate
from contract.prices import HOSTING, SERVERLESS_USD_PER_GB_SECOND, hourly_usd

INSTANCE_TYPE = "ml.c7i.large"
CORES = 2  # of INSTANCE_TYPE
# inference_code/serving/settings.py: six requests a core are worked on, of which one is computed, and 64
# wait for that.
QUEUE = 64 + 5 * CORES
DAY = 24 * 3600
HOUR = 3600
SEED = 2026
DRAWS = 5
"""As many days of each kind of traffic are drawn: one alone says which setting is cheaper by chance."""

DEFAULT = Scaling(name="default: 2 in hand, out 60 s, in 1800 s")
OTHERS = (
    replace(DEFAULT, name="1 in hand", target=1),
    replace(DEFAULT, name="3 in hand", target=3),
    replace(DEFAULT, name="4 in hand", target=4),
    replace(DEFAULT, name="8 in hand", target=8),
    replace(DEFAULT, name="cooldowns of 300 s (AWS's default)", out_cooldown=300, in_cooldown=300),
    replace(DEFAULT, name="in after 60 s", in_cooldown=60),
    replace(DEFAULT, name="in after 300 s", in_cooldown=300),
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
    """One instance at the time a picture takes of a core, measured or given."""
    given = os.environ.get("SERVICE_MS")
    if given:
        return Instance(workers=CORES, seconds=float(given) / 1000, queue=QUEUE)
    from benchmarks.autoscaling_service import seconds_per_picture

    seconds = seconds_per_picture(len(os.sched_getaffinity(0)))
    return Instance(workers=CORES, seconds=seconds, queue=QUEUE)


def rows_of(
    instance: Instance, traffic: str, draws: Sequence[np.ndarray[Any, np.dtype[Any]]]
) -> list[dict[str, harness.Number]]:
    """Every setting under one kind of traffic: the days of `draws` together."""
    per_minute = instance.capacity * 60
    shares = [
        Scaling(name=f"{share:.0%} of capacity", metric=INVOCATIONS, target=share * per_minute)
        for share in INVOCATION_SHARES
    ]
    days: Sequence[list[int]] = [drawn.tolist() for drawn in draws]
    return [
        _row(traffic, setting, [simulate(instance, setting, arrivals) for arrivals in days])
        for setting in (DEFAULT, *OTHERS, *shares)
    ]


def _row(traffic: str, setting: Scaling, days: Sequence[Outcome]) -> dict[str, harness.Number]:
    asked = sum(each.asked for each in days)
    hours = sum(each.instance_seconds for each in days) / HOUR / len(days)
    return {
        "system": setting.name,
        "traffic": traffic,
        "metric": setting.metric if setting.target else "-",
        "requests": round(asked / len(days)),
        "missed_percent": round(100 * sum(each.missed for each in days) / asked, 3),
        "usd_per_day": round(hours * hourly_usd(INSTANCE_TYPE, HOSTING), 2),
        "most_instances": max(each.most_instances for each in days),
        "changes": round(sum(each.changes for each in days) / len(days), 1),
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
        draws = [make(instance, np.random.default_rng(SEED + number)) for number in range(DRAWS)]
        found = rows_of(instance, traffic, draws)
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
