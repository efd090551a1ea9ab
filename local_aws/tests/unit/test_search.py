"""Claims about the search space, the samplers and the stopping rules."""

import math
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local_aws.core.errors import ValidationException
from local_aws.sagemaker.training.machine import GIB, Machine
from local_aws.sagemaker.tuning.early_stopping import falls_behind, not_improving, reached
from local_aws.sagemaker.tuning.ranges import AUTO_LOG_RATIO, Space
from local_aws.sagemaker.tuning.search import OptunaSearch, Search, make_search


def tuning(strategy: str, ranges: dict[str, Any], jobs: int = 30, **config: Any) -> dict[str, Any]:
    return {
        "HyperParameterTuningJobName": "t",
        "HyperParameterTuningJobConfig": {
            "Strategy": strategy,
            "HyperParameterTuningJobObjective": {"Type": "Maximize", "MetricName": "score"},
            "ResourceLimits": {"MaxNumberOfTrainingJobs": jobs, "MaxParallelTrainingJobs": 1},
            "ParameterRanges": ranges,
            "RandomSeed": 1,
            **config,
        },
    }


def continuous(low: float, high: float, scaling: str = "Linear", name: str = "x") -> dict[str, Any]:
    entry = {"Name": name, "MinValue": repr(low), "MaxValue": repr(high), "ScalingType": scaling}
    return {"ContinuousParameterRanges": [entry]}


def integers(low: int, high: int, scaling: str = "Linear") -> dict[str, Any]:
    entry = {"Name": "x", "MinValue": str(low), "MaxValue": str(high), "ScalingType": scaling}
    return {"IntegerParameterRanges": [entry]}


def categories(*values: str) -> dict[str, Any]:
    return {"CategoricalParameterRanges": [{"Name": "x", "Values": list(values)}]}


def points(search: Search, count: int) -> list[str]:
    drawn = []
    for _ in range(count):
        trial = search.ask()
        assert trial is not None
        search.tell(trial, 0.0)
        drawn.append(trial.hyperparameters["x"])
    return drawn


@given(
    low=st.floats(-1e6, 1e6, allow_subnormal=False),
    width=st.floats(0, 1e6, allow_subnormal=False),
    seed=st.integers(0, 2**40),
)
def test_every_continuous_point_lies_within_its_range(low: float, width: float, seed: int) -> None:
    high = low + width
    (point,) = points(make_search(tuning("Random", continuous(low, high, "Auto"), RandomSeed=seed)), 1)
    assert low <= float(point) <= high


@given(low=st.integers(1, 1000), width=st.integers(0, 100_000), log=st.booleans())
def test_every_integer_point_is_whole_and_within_its_range(low: int, width: int, log: bool) -> None:
    ranges = integers(low, low + width, "Logarithmic" if log else "Linear")
    (point,) = points(make_search(tuning("Random", ranges)), 1)
    assert low <= int(point) <= low + width


@given(st.floats(0, 0.999), st.floats(0, 0.999))
def test_reverse_logarithmic_points_survive_the_way_there_and_back(one: float, other: float) -> None:
    low, high = min(one, other), max(one, other)
    space = Space.parse(continuous(low, high, "ReverseLogarithmic"))
    for value in (low, high):
        point = space.read({"x": repr(value)})
        assert point is not None
        assert space.distributions["x"]._contains(point["x"])
        assert math.isclose(float(space.write(point)["x"]), value, abs_tol=1e-12)


def test_reverse_logarithmic_looks_closely_near_one() -> None:
    drawn = points(make_search(tuning("Random", continuous(0.9, 0.9999, "ReverseLogarithmic"))), 60)
    assert sum(float(point) > 0.99 for point in drawn) > 30


def test_logarithmic_gives_every_decade_its_share() -> None:
    drawn = points(make_search(tuning("Random", continuous(1e-4, 1.0, "Logarithmic"))), 60)
    assert sum(float(point) < 1e-2 for point in drawn) > 15


def test_auto_is_logarithmic_from_two_decades_on() -> None:
    wide, narrow = (Space.parse(continuous(0.001, high, "Auto")) for high in (0.001 * AUTO_LOG_RATIO, 0.09))
    assert wide.distributions["x"].log  # type: ignore[attr-defined]
    assert not narrow.distributions["x"].log  # type: ignore[attr-defined]


def test_a_point_once_tried_is_not_tried_again_while_others_are_left() -> None:
    for strategy in ("Random", "Bayesian"):
        search = make_search(tuning(strategy, categories(*"abcdef")))
        assert sorted(points(search, 6)) == list("abcdef")


def test_a_space_with_every_point_tried_goes_on_with_repeats() -> None:
    assert len(points(make_search(tuning("Random", categories("a"))), 3)) == 3


def test_bayesian_search_ends_nearer_to_the_optimum_than_it_began() -> None:
    search = make_search(tuning("Bayesian", continuous(0, 1)))
    errors = []
    for _ in range(30):
        trial = search.ask()
        assert trial is not None
        error = abs(float(trial.hyperparameters["x"]) - 0.7)
        search.tell(trial, -error)
        errors.append(error)
    assert sum(errors[-10:]) < sum(errors[:10]) / 2


def test_a_warm_start_moves_the_search_to_where_its_parent_was_good() -> None:
    search = make_search(tuning("Bayesian", continuous(0, 1), jobs=6))
    assert isinstance(search, OptunaSearch)
    for number in range(40):
        value = number / 40
        assert search.learn({"x": repr(value), "epochs": "1"}, -abs(value - 0.7))
    drawn = []
    for _ in range(6):
        trial = search.ask()
        assert trial is not None
        drawn.append(float(trial.hyperparameters["x"]))
    assert sum(abs(value - 0.7) < 0.2 for value in drawn) >= 4


def test_a_warm_start_leaves_out_points_beyond_the_ranges() -> None:
    search = make_search(tuning("Bayesian", continuous(0, 1)))
    assert isinstance(search, OptunaSearch)
    assert not search.learn({"x": "3.0"}, 1.0)
    assert not search.learn({"y": "0.5"}, 1.0)


def test_a_failed_trial_does_not_disturb_the_search() -> None:
    search = make_search(tuning("Bayesian", continuous(0, 1)))
    for _ in range(5):
        trial = search.ask()
        assert trial is not None
        search.tell(trial, None)
    assert search.ask() is not None


def test_a_hyperparameter_with_two_ranges_is_refused() -> None:
    with pytest.raises(ValidationException, match="x has two ranges"):
        Space.parse({**continuous(0, 1), **integers(1, 2)})


def test_the_median_rule_compares_with_running_averages_up_to_the_same_epoch() -> None:
    former = [[0.2, 0.4], [0.4, 0.6], [0.6, 0.8]]  # running averages after two epochs: 0.3, 0.5, 0.7
    assert falls_behind([0.9, 0.49], former, maximize=True)
    assert not falls_behind([0.1, 0.5], former, maximize=True)
    assert falls_behind([0.1, 0.51], former, maximize=False)
    assert not falls_behind([0.1, 0.5], former, maximize=False)


def test_the_median_rule_waits_until_there_is_something_to_compare_with() -> None:
    assert not falls_behind([0.0], [[0.9], [0.9]], maximize=True)
    assert not falls_behind([0.0, 0.0, 0.0], [[0.9, 0.9]] * 5, maximize=True)
    assert not falls_behind([], [[0.9]] * 5, maximize=True)


def test_completion_criteria_hold_for_both_directions() -> None:
    assert reached({"TargetObjectiveMetricValue": 0.9}, [0.1, 0.9], maximize=True)
    assert not reached({"TargetObjectiveMetricValue": 0.9}, [0.1, 0.89], maximize=True)
    assert reached({"TargetObjectiveMetricValue": 0.2}, [0.1], maximize=False)
    assert not reached({}, [0.1], maximize=False)
    assert not_improving([0.5, 0.9, 0.9, 0.1], maximize=True) == 2
    assert not_improving([0.5, 0.9, 0.9, 0.1], maximize=False) == 0


def test_places_are_bounded_by_cores_and_by_memory() -> None:
    assert Machine(cores=8, memory=64 * GIB).places == 8
    assert Machine(cores=8, memory=4 * GIB).places == 2
    assert Machine(cores=8, memory=GIB).places == 1


def test_parallel_jobs_divide_the_cores() -> None:
    machine = Machine(cores=8, memory=64 * GIB)
    assert machine.share(1) == 8
    assert machine.share(2) == 4
    assert machine.share(100) == 1
    for job in ("a", "b", "c", "d"):
        assert machine.enter(job, lambda: False, lambda _: None)
    assert machine.share(1) == 2
    machine.leave("a")
    machine.leave("b")
    assert machine.share(1) == 4


def test_places_go_to_those_who_waited_longest() -> None:
    machine = Machine(cores=1, memory=64 * GIB)
    assert machine.enter("a", lambda: False, lambda _: None)
    overtaken: list[bool] = []

    def while_waiting() -> bool:
        machine.leave("a")
        overtaken.append(machine.enter("c", lambda: True, lambda _: None))
        return False

    assert machine.enter("b", while_waiting, lambda _: None)
    assert overtaken == [False]


def test_who_waits_is_told_how_many_are_before_it_whenever_that_changes() -> None:
    machine = Machine(cores=2, memory=64 * GIB)
    for job in ("a", "b"):
        assert machine.enter(job, lambda: False, lambda _: None)
    told: dict[str, list[int]] = {"c": [], "d": []}
    entered = {name: threading.Event() for name in told}

    def wait_for(name: str) -> None:
        assert machine.enter(name, lambda: False, told[name].append)
        entered[name].set()

    threads = []
    for name in told:
        threads.append(threading.Thread(target=wait_for, args=(name,), daemon=True))
        threads[-1].start()
        _until(lambda name=name: bool(told[name]))  # type: ignore[misc]
    assert told == {"c": [2], "d": [3]}
    machine.leave("a")
    assert entered["c"].wait(10)
    _until(lambda: told["d"] == [3, 2])
    machine.leave("b")
    assert entered["d"].wait(10)
    assert told == {"c": [2], "d": [3, 2]}


def _until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_job_that_gives_up_waiting_leaves_the_queue() -> None:
    machine = Machine(cores=1, memory=64 * GIB)
    assert machine.enter("a", lambda: False, lambda _: None)
    told: list[str] = []
    assert not machine.enter("b", lambda: bool(told), lambda _: told.append("waiting"))
    machine.leave("a")
    assert machine.enter("c", lambda: True, lambda _: None)
