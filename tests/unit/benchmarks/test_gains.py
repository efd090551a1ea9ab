"""How the benchmark of changes to a training judges."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from benchmarks.accuracy_systems import Result
from benchmarks.gains import AS_IT_IS, CHANGES, SMALL, kept, rows_of, summary
from training_code.config import parse


def result(right: int, pictures: int = 200) -> Result:
    """So many of the pictures answered rightly, from the first on."""
    return Result([place < right for place in range(pictures)], 10.0, 1.0, 1.0)


def test_a_change_is_held_against_the_recipe_as_it_is_on_the_same_pictures() -> None:
    found = {("digits", AS_IT_IS): [result(150)], ("digits", "trivial"): [result(120)]}
    plain, changed = rows_of(found)
    assert "gain" not in plain
    assert changed["gain"] == pytest.approx(-0.15)
    assert summary(found)["trivial"] == {"better": [], "worse": ["digits"]}
    assert summary(found)["mixup 0.2"] == {"better": [], "worse": []}


def test_runs_are_kept_by_set_and_change(tmp_path: Path) -> None:
    for seed in (0, 1):
        part = {"set": "dogs", "change": "trivial", "seed": seed, **asdict(result(10))}
        (tmp_path / f"dogs-10-{seed}.json").write_text(json.dumps(part))
    assert kept(tmp_path) == {("dogs", "trivial"): [result(10)] * 2}


@pytest.mark.parametrize("change", CHANGES)
def test_each_change_is_one_that_a_job_takes(change: str) -> None:
    for of in SMALL.values():
        values = of.hyperparameters(0) | CHANGES[change]
        parse({key: str(value) for key, value in values.items()})
