"""What benchmarks/debug_overhead.py compares, and how sure it is of it."""

from __future__ import annotations

import inspect

import pytest

from benchmarks.debug_blocks import Median, loop_in_steps
from training_code.training import loop


@pytest.mark.parametrize("bare", [True, False])
def test_the_loop_stops_after_each_step_and_is_otherwise_the_loop(bare: bool) -> None:
    made = loop_in_steps(bare=bare)
    assert inspect.isgeneratorfunction(made._Training._train_epoch)
    assert not inspect.isgeneratorfunction(loop._Training._train_epoch)
    told = set(made._Training._train_epoch.__code__.co_names)
    assert told == set(loop._Training._train_epoch.__code__.co_names) - (
        {"callback", "step_begins", "phase", "_tell_step_ended"} if bare else set()
    )


def test_a_median_has_the_bounds_of_the_sign_test() -> None:
    # With a hundred values the 40th from either end, see any table of the sign test.
    assert Median.of([float(value) for value in range(100, 0, -1)]) == (50.5, 40, 61)
    assert Median.of([3.0, 1.0, 2.0]) == (2, 1, 3)
    assert Median.of([5.0]) == (5, 5, 5)
