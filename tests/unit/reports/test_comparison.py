"""Trainings beside each other: what the page says of them, and what it leaves out."""

from __future__ import annotations

import re
from typing import Any

import pytest

from reports.ended.comparison import render, verdict


def training(job: str, recalls: list[float], epochs: int = 3, **hyperparameters: Any) -> dict[str, Any]:
    """A record as far as the page reads it; as many pictures in each class."""
    accuracy = sum(recalls) / len(recalls)
    test = {
        "accuracy": accuracy,
        "loss": 0.5,
        "count": 100,
        "per_class": [[1.0, each, 50] for each in recalls],
    }
    history = [{"valid_loss": 1 / (epoch + 1), "valid_accuracy": 0.9} for epoch in range(epochs)]
    return {
        "job": job,
        "classes": ["cat", "dog"],
        "epochs": epochs,
        "best_epoch": epochs,
        "history": history,
        "seconds": 60.0,
        "evaluations": {"test": test},
        "data": {"test": {"fingerprint": "f", "count": 100}},
        "hyperparameters": {"learning_rate": 0.01, "seed": 7, **hyperparameters},
    }


def section(page: str, title: str) -> str:
    return next(each for each in page.split("<section>") if f"<h2>{title}" in each)


def test_speeds_are_compared_with_their_spread() -> None:
    """Two jobs on a shared machine differ by chance too."""
    records = [training("a", [0.5, 0.9]), training("b", [0.9, 0.9])]
    records[0]["speed"] = {"middle": 210.4, "low": 200.0, "high": 289.0, "epochs": 3, "left_out": 1}
    times = {"count": 112, "left_out": 12, "wall_seconds": 9.0, "seconds": {"data": 1.0}}
    records[1]["steps"] = times | {"median_ms": 50.0, "usual_ms": [50.0, 110.0]}
    figures = section(render(records), "Figures")
    assert "210 images/s in the median of 3 epochs, 200 to 289, the first left out" in figures
    assert "50 ms (median), nine in ten 50 to 110 ms, the first 12 left out as warm-up" in figures


def test_the_better_one_is_named_and_only_what_differs_is_shown() -> None:
    page = render([training("a", [0.5, 0.9], epochs=2), training("b", [0.9, 0.9], learning_rate=0.1)])
    assert "b is ahead: 90.0% of 100 test pictures right, a 70.0%." in page
    assert "chance" not in page
    assert "<td>70.00%</td><td><b>90.00%</b></td>" in page
    differs = section(page, "What differs")
    assert "<td>0.01</td><td>0.1</td>" in differs
    assert "seed" not in differs
    classes = section(page, "Recall by class")
    assert "cat" in classes
    assert "dog" not in classes
    assert "The same in 1 of 2 classes." in classes


def test_each_job_has_one_colour_and_a_shorter_curve_ends_earlier() -> None:
    page = render([training("a", [0.5, 0.9], epochs=2), training("b", [0.9, 0.9])])
    points = re.findall(r'polyline class="(\w+)" points="([^"]+)"', section(page, "Learning curves"))
    assert [(style, len(line.split())) for style, line in points] == 2 * [("forward", 2), ("optimizer", 3)]
    assert page.count('<i class="key forward"></i>a') == page.count('<i class="key optimizer"></i>b') == 3


@pytest.mark.parametrize(
    ("records", "says"),
    [
        ([training("a", [0.9, 0.9]), training("b", [0.9, 0.9])], "a and b are level: 90.0% of 100"),
        ([training("a", [0.9, 0.9]), training("b", [0.9, 0.88])], "that may be chance"),
        (
            [training("a", [0.9, 0.9]), {"job": "crashed", "classes": []}],
            "Fewer than two of them were tested",
        ),
    ],
)
def test_no_more_is_said_than_is_known(records: list[dict[str, Any]], says: str) -> None:
    assert says in verdict(records)


def test_none_is_ahead_on_other_pictures() -> None:
    first, second = training("a", [0.5, 0.9]), training("b", [0.9, 0.9])
    second["data"]["test"]["fingerprint"] = "g"
    page = render([first, second])
    assert "on different pictures, so their figures do not compare: b 90.0%, a 70.0% right." in page
    assert "ahead" not in page
    assert "<b>90.00%</b>" not in page


def test_what_a_crashed_job_has_not_told_is_no_difference() -> None:
    crashed = {"job": "crashed", "classes": []}
    page = render([training("a", [0.9, 0.9]), training("b", [0.9, 0.9]), crashed])
    differs = section(page, "What differs")
    assert "Not known of crashed." in differs
    assert "Nothing: same hyperparameters" in differs
    assert "The same in every class." in page


def test_a_model_that_waits_for_its_other_classes_is_named_so() -> None:
    first, second = training("a", [0.5, 0.9]), training("b", [0.9, 0.9])
    first["verdict"] = {"passed": True, "reason": "new bees", "approval": "PendingManualApproval"}
    waiting = "waiting for somebody to approve it, as callers would get other classes than now"
    assert waiting not in render([first, second])
    first["verdict"]["outcome"] = "other-classes"
    assert f"passed: new bees ({waiting})" in section(render([first, second]), "Figures")
