"""The most a run can cost, worked out before anything starts, and the guard that keeps it below
`max_cost_usd`.

The bound is what AWS would bill if every job ran to its `max_runtime_minutes`: a job that ends earlier costs
less, and managed spot costs less still. It is for the run's training jobs and their disks; stored bytes,
requests and the endpoint that may serve the model afterwards are not in it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from contract import prices
from contract.words import counted
from functions.common import logs
from functions.common.errors import UserError
from functions.common.recipes.tuning import Tuning

LOWER = "max_runtime_minutes, max_jobs or the instance type"
"""What the owner of a run may lower."""
SHUTDOWN_MINUTES = 5
"""After its longest run time a container has two minutes to end, and its output is uploaded: both are billed.
Source: https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_StoppingCondition.html
"""


class CostTooHigh(UserError):
    """The run could cost more than `max_cost_usd`."""


class UnknownPrice(UserError):
    """A limit cannot be kept: the table has no price for the instance type."""


@dataclass(frozen=True, kw_only=True)
class Machine:
    """What one job runs on, and for how long at most."""

    instance_type: str
    instance_count: int
    volume_gb: int
    max_runtime_minutes: int
    usd_per_hour: float | None = None
    """The price to use instead of the table's."""


@dataclass(frozen=True, kw_only=True)
class CostBound:
    """At most so many USD, and in words for what and at which price. `usd` is None for an unknown price."""

    usd: float | None
    explained: str

    @property
    def answer(self) -> dict[str, Any]:
        """As a launcher answers it."""
        return {"most_usd": self.usd, "explained": self.explained}


def of_training(machine: Machine) -> CostBound:
    """The bound of one training job."""
    return of_job(machine, "1 training job")


def of_job(machine: Machine, what: str) -> CostBound:
    """The bound of one job that is called `what`."""
    return _bound(machine, machine.max_runtime_minutes + SHUTDOWN_MINUTES, what)


def of_tuning(machine: Machine, tuning: Tuning, race_minutes: int = 0) -> CostBound:
    """The bound of a search and of the last training, which follows it by itself.

    Args:
        race_minutes: for how long at most a race of networks runs before it; 0 without one.

    Where the whole search has a longest run time, so long `parallel_jobs` machines can be busy, and the jobs
    still running then are stopped.
    """
    each = machine.max_runtime_minutes + SHUTDOWN_MINUTES
    minutes = tuning.max_jobs * each
    if tuning.max_runtime_minutes is not None:
        minutes = min(minutes, tuning.parallel_jobs * (tuning.max_runtime_minutes + SHUTDOWN_MINUTES))
    what = f"{counted(tuning.max_jobs, 'trial', 'trials')} and the last training"
    if race_minutes:
        minutes += race_minutes + SHUTDOWN_MINUTES
        what = f"a race of networks ({race_minutes} + {SHUTDOWN_MINUTES} minutes), {what}"
    return _bound(machine, minutes + each, what, several=True)


def guard(
    bound: CostBound,
    max_cost_usd: float | None,
    lower: str = LOWER,
) -> None:
    """Pass when the run cannot cost more than it may.

    Args:
        lower: what its owner may lower.

    Raises:
        CostTooHigh: it could.
        UnknownPrice: nobody knows, and a limit was set.
    """
    if max_cost_usd is None:
        return
    if bound.usd is None:
        raise UnknownPrice(f"max_cost_usd = {max_cost_usd:g} cannot be kept: {bound.explained}")
    if bound.usd > max_cost_usd:
        raise CostTooHigh(
            f"this run could cost up to {bound.usd:.2f} USD, more than max_cost_usd = {max_cost_usd:g}: "
            f"{bound.explained}. Lower {lower}, or raise max_cost_usd; nothing was started"
        )


def affordable(
    types: Sequence[str],
    check: Callable[[str], object],
    left_out: Callable[[str, UserError], object] = lambda _type, _why: None,
) -> tuple[str, ...]:
    """The first choice of instance types, and those others on which a run could not cost more than it may.

    Args:
        types: the first choice first; it is not checked here.
        check: ends in CostTooHigh or UnknownPrice on a type that is too dear, as `guard` does.
        left_out: told of each such type, and why.
    """
    found = [types[0]]
    for each in types[1:]:
        try:
            check(each)
            found.append(each)
        except (CostTooHigh, UnknownPrice) as error:
            left_out(each, error)
    return tuple(found)


def logged(instance_type: str, why: UserError) -> None:
    """For `affordable`: a line in the function's log."""
    logs.info("too dear a type", instance_type=instance_type, reason=str(why))


def _bound(machine: Machine, minutes: int, what: str, *, several: bool = False) -> CostBound:
    each = f"{machine.instance_count} × {machine.instance_type}"
    try:
        rate, source = _rate(machine)
    except prices.UnknownPrice as error:
        return CostBound(usd=None, explained=f"{what} on {each}: {error}")
    hours = machine.instance_count * minutes / 60
    usd = hours * rate + prices.volume_usd(machine.volume_gb, hours)
    whose = f"{what}, each" if several else f"{what},"
    explained = (
        f"{whose} at most {machine.max_runtime_minutes} + {SHUTDOWN_MINUTES} minutes on {each} at "
        f"{rate:.4g} USD an hour ({source}), {minutes} minutes in all, with disks"
    )
    return CostBound(usd=_up_to_cents(usd), explained=explained)


def _rate(machine: Machine) -> tuple[float, str]:
    if machine.usd_per_hour is not None:
        return machine.usd_per_hour, "as set in [resources] usd_per_hour"
    price = prices.price_of(machine.instance_type, prices.TRAINING)
    kind = "estimated, " if price.estimated else ""
    return price.usd_per_hour, f"{kind}{prices.PRICES_REGION}, table of {prices.PRICES_DATE}"


def _up_to_cents(usd: float) -> float:
    """Rounded up, so that the bound stays one."""
    return -(-round(usd * 10_000) // 100) / 100
