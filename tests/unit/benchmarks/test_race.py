"""How the benchmark of the race judges it."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.race import summary


def row(behind: float, race: float = 10.0, tuning: float = 100.0) -> dict[str, Any]:
    return {"system": "dogs, seed 1", "points_behind": behind, "race_seconds": race, "tuning_seconds": tuning}


def test_a_winner_within_a_point_of_the_best_counts_as_right() -> None:
    told = summary([row(0.0), row(1.0), row(1.01)])
    assert (told["within_a_point"], told["races"], told["most_points_behind"]) == (2, 3, 1.01)


def test_the_races_time_is_held_against_that_of_all_fine_tunings() -> None:
    assert summary([row(0, 10, 100), row(0, 30, 100)])["time_share"] == pytest.approx(0.2)
