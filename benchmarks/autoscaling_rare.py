"""The flavours under traffic that is rare: what they cost a day, and what a request after a pause gets."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks import harness
from benchmarks.autoscaling_model import Instance

DAYS = 7
# Pauses after which something is gone, and how long it takes to come back, in seconds. Third parties'
# measurements on AWS (2026) for scale_to_zero; AWS names no figure for a serverless worker, so both of its
# are guesses.
TO_ZERO_SECONDS = 15 * 60 + 12 * 60  # quiet until no copy, then until no instance
WAKE_SECONDS = 67 + 35 + 240  # alarm, policy, launch
SERVERLESS_IDLE_SECONDS = 10 * 60
SERVERLESS_COLD_SECONDS = 8.0
SERVERLESS_GB = 3
# A serverless worker of 3 GB has less than two cores; its request takes longer by about so much.
SERVERLESS_SLOWER = 2.0


def rare_rows(
    instance: Instance, usd_per_hour: float, usd_per_gb_second: float, seed: int
) -> list[dict[str, harness.Number]]:
    """cpu, scale_to_zero and serverless on office days, at several numbers of requests a day."""
    rows: list[dict[str, harness.Number]] = []
    for per_day in (50, 1000, 50_000, 1_000_000):
        times = _office_hours(per_day, np.random.default_rng(seed))
        pauses = np.diff(times, prepend=times[0] - 1e9)
        rows.append(_row("cpu, one instance", per_day, 24 * usd_per_hour, 0, 0))
        rows.append(_scale_to_zero(times, per_day, usd_per_hour))
        cold = int((pauses > SERVERLESS_IDLE_SECONDS).sum())
        billed = len(times) * instance.seconds * SERVERLESS_SLOWER + cold * SERVERLESS_COLD_SECONDS
        usd = billed * SERVERLESS_GB * usd_per_gb_second / DAYS
        rows.append(_row("serverless, 3 GB", per_day, usd, 0, cold / len(times)))
    return rows


def _scale_to_zero(
    times: np.ndarray[Any, np.dtype[Any]], per_day: int, usd_per_hour: float
) -> dict[str, harness.Number]:
    """Requests while it wakes are refused; an instance is paid for from the wake to the end of the pause."""
    paid, missed, awake_from, last = 0.0, 0, -np.inf, -np.inf
    for time in times:
        if time - last > TO_ZERO_SECONDS:  # it sleeps: this request wakes it
            paid += TO_ZERO_SECONDS if np.isfinite(last) else 0.0
            awake_from = time + WAKE_SECONDS
        else:
            paid += time - last
        missed += time < awake_from
        last = time
    usd = (paid + TO_ZERO_SECONDS) / 3600 * usd_per_hour / DAYS
    return _row("scale_to_zero", per_day, usd, missed / len(times), 0)


def _office_hours(per_day: int, rng: np.random.Generator) -> np.ndarray[Any, np.dtype[Any]]:
    """When requests come, in seconds of a week: five days, from nine to five, in little bursts."""
    sessions = max(1, per_day // 10)
    starts = np.concatenate(
        [day * 86400 + rng.uniform(9, 17, sessions) * 3600 for day in range(DAYS) if day < 5]
    )
    each = max(1, round(per_day * DAYS / len(starts)))
    return np.sort((starts[:, None] + rng.exponential(60, (len(starts), each)).cumsum(axis=1)).ravel())


def _row(system: str, per_day: int, usd: float, missed: float, cold: float) -> dict[str, harness.Number]:
    return {
        "system": system,
        "traffic": f"{per_day} requests a day, in office hours",
        "usd_per_day": round(usd, 3),
        "missed_percent": round(100 * missed, 2),
        "cold_percent": round(100 * cold, 2),
    }
