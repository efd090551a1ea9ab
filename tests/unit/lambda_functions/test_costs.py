"""The price table and the most a run can cost."""

from __future__ import annotations

from dataclasses import replace

import pytest

from contract import prices
from functions.common.launching import costs
from functions.common.launching.costs import Machine
from functions.common.recipes.tuning import Tuning

MACHINE = Machine(instance_type="ml.m5.2xlarge", instance_count=1, volume_gb=50, max_runtime_minutes=60)


@pytest.mark.parametrize(
    ("instance_type", "published"),
    [("ml.m5.large", 0.115), ("ml.m5.2xlarge", 0.461), ("ml.m5.24xlarge", 5.53), ("ml.c7i.4xlarge", 0.86)],
)
def test_a_price_is_the_published_one_to_the_cent(instance_type: str, published: float) -> None:
    assert prices.hourly_usd(instance_type, "hosting") == pytest.approx(published, abs=0.006)


def test_every_price_names_its_source_and_says_whether_it_is_estimated() -> None:
    assert prices.price_of("ml.g5.2xlarge", "training").source.startswith("AWS Price List API")
    assert not prices.price_of("ml.g5.2xlarge", "training").estimated
    assert prices.price_of("ml.c7i.2xlarge", "training").estimated


@pytest.mark.parametrize("instance_type", ["ml.z9.large", "c7i.large", "ml.c7i.huge", "ml.c7g.large", ""])
def test_an_unknown_price_says_how_to_give_one(instance_type: str) -> None:
    with pytest.raises(prices.UnknownPrice, match="usd_per_hour"):
        prices.price_of(instance_type, "training")


def test_graviton_has_a_price_for_hosting_only() -> None:
    assert prices.hourly_usd("ml.c7g.large", "hosting") == 0.087


def search(max_jobs: int, max_runtime_minutes: int | None = None) -> Tuning:
    return Tuning(
        "Random", "valid_loss", "minimize", max_jobs, 2, (), max_runtime_minutes=max_runtime_minutes
    )


def test_a_search_costs_at_most_all_its_trials_and_the_last_training_at_full_length() -> None:
    bound = costs.of_tuning(MACHINE, search(4))
    hours = 5 * 65 / 60
    assert bound.usd == pytest.approx(hours * (0.4608 + 50 * 0.14 / 730), abs=0.01)
    assert "4 trials and the last training, each at most 60 + 5 minutes" in bound.explained


def test_one_job_and_one_trial_are_told_as_one() -> None:
    assert "1 training job, at most 60 + 5 minutes" in costs.of_training(MACHINE).explained
    assert "1 trial and the last training, each at most" in costs.of_tuning(MACHINE, search(1)).explained


def test_a_search_with_a_time_limit_costs_at_most_its_parallel_machines_for_that_long() -> None:
    limited = costs.of_tuning(MACHINE, search(100, 30))
    assert limited.usd == pytest.approx((2 * 35 + 65) / 60 * (0.4608 + 50 * 0.14 / 730), abs=0.01)


def test_the_bound_counts_every_instance() -> None:
    two = Machine(instance_type="ml.m5.2xlarge", instance_count=2, volume_gb=50, max_runtime_minutes=60)
    assert (costs.of_training(two).usd or 0) >= 2 * (costs.of_training(MACHINE).usd or 0) - 0.01


def test_a_price_of_ones_own_is_taken_instead_of_the_tables() -> None:
    own = Machine(
        instance_type="ml.z9.large",
        instance_count=1,
        volume_gb=0,
        max_runtime_minutes=55,
        usd_per_hour=100.0,
    )
    assert costs.of_training(own).usd == pytest.approx(100, abs=0.01)


def test_the_guard_refuses_what_could_cost_more_and_says_what_to_lower() -> None:
    bound = costs.of_tuning(MACHINE, search(4))
    costs.guard(bound, None)
    costs.guard(bound, bound.usd)
    with pytest.raises(costs.CostTooHigh, match=r"max_cost_usd = 1.*max_jobs.*nothing was started"):
        costs.guard(bound, 1)


def test_a_limit_cannot_be_kept_without_a_price() -> None:
    unknown = costs.of_training(
        Machine(instance_type="ml.z9.large", instance_count=1, volume_gb=1, max_runtime_minutes=55)
    )
    assert unknown.usd is None
    costs.guard(unknown, None)
    with pytest.raises(costs.UnknownPrice, match=r"cannot be kept.*ml\.z9\.large"):
        costs.guard(unknown, 5)


def test_other_types_that_are_too_dear_or_of_unknown_price_are_left_out() -> None:
    def check(instance_type: str) -> None:
        costs.guard(costs.of_training(replace(MACHINE, instance_type=instance_type)), 5)

    types = ("ml.z8.large", "ml.p4d.24xlarge", MACHINE.instance_type, "ml.z9.large")
    left_out: list[tuple[str, type]] = []
    found = costs.affordable(types, check, lambda each, why: left_out.append((each, type(why))))
    assert found == ("ml.z8.large", MACHINE.instance_type), "the first choice is not checked here"
    assert left_out == [("ml.p4d.24xlarge", costs.CostTooHigh), ("ml.z9.large", costs.UnknownPrice)]
