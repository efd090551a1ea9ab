"""How the accuracy benchmark judges."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from benchmarks.accuracy import _options, bounds, kept, rows_of, summary
from benchmarks.accuracy_sets import HEAD_ALONE, SETS
from benchmarks.accuracy_systems import OTHER, OURS, SYSTEMS, CannotRun, Result, timm_script


def result(right: int, seconds: float = 100.0, pictures: int = 200, first: int = 0) -> Result:
    """So many of the pictures answered rightly, from the first on."""
    return Result([first <= place < first + right for place in range(pictures)], seconds, 1.0, 1.0)


def test_ours_is_behind_only_where_chance_does_not_explain_it() -> None:
    near = {OURS: [result(150)] * 3, "fastai": [result(152)] * 3, "timm": [result(140)] * 3}
    assert summary({"dogs": near}, {})["behind_in"] == []
    far = {OURS: [result(150)] * 3, "fastai": [result(170)] * 3}
    assert summary({"dogs": near, "digits": far}, {})["behind_in"] == ["digits: fastai"]


def test_the_time_is_held_against_the_most_accurate_peers_and_the_worst_set_counts() -> None:
    dogs = {OURS: [result(150, 40)], "fastai": [result(150, 100)], "timm": [result(140, 50)]}
    digits = {OURS: [result(150, 40)], OTHER: [result(120, 5)], "timm": [result(140, 50)]}
    told = summary({"dogs": dogs, "digits": digits}, {})
    assert "dogs: course loop" in told["not_compared"]
    assert "dogs: timm" not in told["not_compared"]
    assert told["dogs_time_vs_fastai"] == pytest.approx(0.4)
    assert told["time_vs_best_peer"] == pytest.approx(0.8)
    assert (told["digits_accuracy"], told["digits_accuracy_by_head_alone"]) == (0.75, 0.6)


def test_a_peer_is_compared_on_the_same_pictures() -> None:
    """Both are right about half of the pictures, of which they share none: that is no certain difference."""
    rows = rows_of("dogs", {OURS: [result(100)], "fastai": [result(100, first=100)]})
    assert rows[1]["ours_better_by"] == 0
    assert float(rows[1]["at_least"] or 0) < -0.1 < 0.1 < float(rows[1]["at_most"] or 0)


def test_bounds_are_those_of_pictures_and_seeds() -> None:
    alike = np.tile(np.arange(100) < 80, (3, 1)).astype(float)
    low, high = bounds(alike)
    assert 0.70 < low < 0.74
    assert 0.86 < high < 0.89
    apart = alike.copy()
    apart[0] = 0
    assert bounds(apart)[1] - bounds(apart)[0] > high - low


def test_runs_are_kept_by_set_and_system(tmp_path: Path) -> None:
    for seed in (0, 1):
        part = {"set": "dogs", "system": "timm", "seed": seed, **asdict(result(10))}
        (tmp_path / f"dogs-timm-{seed}.json").write_text(json.dumps(part))
    assert kept("dogs", tmp_path) == {"timm": [result(10)] * 2}
    assert kept("digits", tmp_path) == {}


@pytest.mark.parametrize("name", SETS)
def test_our_jobs_are_told_what_a_recipe_says(name: str) -> None:
    from training_code.config import parse

    told = {key: str(value) for key, value in SETS[name].hyperparameters(3).items()}
    config = parse(told)
    assert (config.seed, config.epochs, config.image_size) == (3, SETS[name].epochs, SETS[name].size)
    assert config.trainable_from == ("head" if SETS[name].recipe == HEAD_ALONE else "stem")
    assert SETS[name].hyperparameters(3, HEAD_ALONE)["trainable_from"] == "head"


def test_a_named_script_has_to_be_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIMM_TRAIN", str(tmp_path / "no.py"))
    with pytest.raises(CannotRun, match="TIMM_TRAIN"):
        timm_script()


def test_all_systems_are_asked_by_default_and_an_unknown_one_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for each in SETS.values():
        each.within(tmp_path).mkdir(exist_ok=True)
    assert _options(["--data", str(tmp_path)]).systems == list(SYSTEMS)
    with pytest.raises(SystemExit):
        _options(["--data", str(tmp_path), "--systems", "keras"])
    assert "there is no keras; there are ours" in capsys.readouterr().err
