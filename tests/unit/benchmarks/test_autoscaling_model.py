"""The simulated endpoint: it refuses what it has no room for, and grows as target tracking would."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks import autoscaling
from benchmarks.autoscaling_model import INVOCATIONS, LAUNCH_SECONDS, Instance, Scaling, simulate
from inference_code.serving import settings

INSTANCE = Instance(workers=2, seconds=0.02, queue=64)  # a hundred requests a second
ALONE = Scaling(name="alone", target=None)
SCALED = Scaling(name="scaled", target=2)


def test_below_its_capacity_an_instance_refuses_nothing() -> None:
    assert simulate(INSTANCE, ALONE, [99] * 600).missed == 0


def test_above_its_capacity_it_refuses_what_is_over() -> None:
    outcome = simulate(INSTANCE, ALONE, [150] * 600)
    assert outcome.missed == pytest.approx(50 * 600 - INSTANCE.queue)
    assert outcome.instance_seconds == 600


def test_a_busier_instance_has_more_in_hand() -> None:
    loads = [INSTANCE.in_hand(load / 100) for load in range(5, 100, 5)]
    assert loads == sorted(loads)
    assert loads[0] == pytest.approx(0.1, abs=0.01), "when nobody waits: the load of its workers"


@pytest.mark.parametrize("metric", [SCALED, replace(SCALED, metric=INVOCATIONS, target=4000)])
def test_a_crowd_is_borne_once_the_launched_instances_are_there(metric: Scaling) -> None:
    calm, crowd = [20] * 600, [300] * 3000
    outcome = simulate(INSTANCE, metric, calm + crowd)
    assert outcome.most_instances >= 4
    first = simulate(INSTANCE, metric, calm + crowd[: LAUNCH_SECONDS - 60])
    assert first.most_instances == 1, "nothing is there before it was launched"
    assert outcome.missed < 0.5 * simulate(INSTANCE, ALONE, calm + crowd).missed


def test_what_is_no_longer_needed_is_given_up() -> None:
    calm = simulate(INSTANCE, replace(SCALED, least=1, in_cooldown=60), [250] * 1800 + [10] * 7200)
    busy = simulate(INSTANCE, replace(SCALED, target=None, least=6), [250] * 1800 + [10] * 7200)
    assert calm.instance_seconds < 0.6 * busy.instance_seconds


def test_the_instance_lets_as_many_wait_as_the_real_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SERVE_QUEUE", raising=False)
    monkeypatch.setattr(settings.os, "sched_getaffinity", lambda _: range(autoscaling.CORES))
    chosen = settings.Settings.from_environment()
    assert chosen.in_work + chosen.queue == autoscaling.CORES + autoscaling.QUEUE


def test_the_service_time_of_another_machine_can_be_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERVICE_MS", "20")
    assert autoscaling.measured_instance().capacity == pytest.approx(100)
