"""What the quality gate writes down is what the report shows of it."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest

from functions.register_model import classes
from functions.register_model.handler import handler
from reports.ended.gate import gate
from tests.unit.lambda_functions.fakes import Context, World
from tests.unit.lambda_functions.test_register_model import (
    SLOW,
    ended,
    numbers,
    output,
    scores,
    serve,
    train,
)


def shown(world: World, job: str) -> str:
    """The report's section about a job that the gate has judged, as plain text."""
    handler(ended(job), Context())
    verdict: dict[str, Any] = world.s3.json("artifacts", f"runs/{job}/verdict.json")
    test = {"per_class": [[0.97, 0.98, 60], [0.97, 0.95, 40]]}
    page = gate({"verdict": verdict, "classes": ["ant", "bee"], "evaluations": {"test": test}})
    return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page)))


def test_a_model_beside_the_champion_is_shown_with_the_pictures_they_differ_on(world: World) -> None:
    first = handler(ended(train(world, **scores(set(range(90))))), Context())["model_package"]
    world.ssm._put({"Name": "/demo/champion", "Value": first, "Overwrite": True})
    text = shown(world, train(world, request="r-2", **scores({*range(2, 90), *range(90, 100)})))
    assert "Quality gate passed" in text
    assert "approved: it goes into service" in text
    assert "this model 98.00% champion, version 1 90.00%" in text
    assert "right by this model alone: 10 right by the champion alone: 2" in text
    assert "p = 0.039, which is more than chance (bound 0.05)" in text


def test_a_first_model_is_shown_with_what_is_measured_and_no_bounds(world: World) -> None:
    text = shown(world, train(world))
    assert "no champion to compare with" in text
    assert "Test pictures right 97.0% of 100 above 60.0% (always one class) beyond chance holds" in text
    assert "Lowest recall of a class 95.0%, class 1 no bound set" in text
    assert "The model has 2 MB no bound set" in text
    assert "champion, version" not in text


@pytest.mark.parametrize(
    ("setting", "value", "words"),
    [
        (
            "MIN_ACCURACY",
            "0.98",
            "97.0% of 100 at least 98.0%, above 60.0% (always one class) beyond chance broken",
        ),
        ("MIN_CLASS_RECALL", "0.96", "95.0%, class 1 at least 96.0% broken"),
        ("MIN_CLASS_RECALL", "0.96", "Below the floor of 96.0%: bee (95.0%)."),
        ("MIN_CLASS_RECALL", "0.5", "Every class reaches its floor."),
        ("MAX_SIZE_MB", "1", "The model has 2 MB at most 1 MB broken"),
        ("MAX_LATENCY_MS", "12", "A picture takes 12.5 ms at most 12 ms broken"),
    ],
)
def test_each_floor_and_ceiling_is_shown_with_whether_it_holds(
    world: World, monkeypatch: pytest.MonkeyPatch, setting: str, value: str, words: str
) -> None:
    monkeypatch.setenv(setting, value)
    job = train(world)
    output(world, job, {**numbers(), "serving": SLOW})
    assert words in shown(world, job)


def test_what_a_picture_takes_is_said_with_its_spread_where_the_job_told_it(world: World) -> None:
    told = {"accepted": True, "milliseconds": 12.5, "most_within": [10.25, 16.5]}
    job = train(world)
    output(world, job, {**numbers(), "serving": {"candidates": [told]}})
    assert "A picture takes 12.5 ms on average, eight in ten pictures 10.2 to 16.5" in shown(world, job)


def test_a_model_of_other_classes_is_shown_as_one_that_waits(world: World) -> None:
    serve(world, classes_sha256=classes.digest(["ant", "bee"]))
    text = shown(world, train(world))
    assert "Quality gate passed" in text
    assert "waiting for somebody to approve it, as callers would get other classes than now" in text


def test_a_model_that_may_be_guessing_breaks_its_bound(world: World) -> None:
    text = shown(world, train(world, accuracy=0.65))
    assert "Test pictures right 65.0% of 100 above 60.0% (always one class) beyond chance broken" in text


def test_a_model_that_is_worse_than_guessing_breaks_it_too(world: World) -> None:
    """Of it the test finds a difference beyond chance."""
    text = shown(world, train(world, **scores(set(range(10)))))
    assert "Test pictures right 10.0% of 100 above 50.0% (always one class) beyond chance broken" in text


def test_a_ceiling_without_a_measurement_is_broken(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAX_LATENCY_MS", "12")
    text = shown(world, train(world))
    assert "Quality gate not passed" in text
    assert "A picture takes not measured at most 12 ms broken" in text


@pytest.mark.parametrize("record", [{}, {"verdict": {}}, {"verdict": {"reason": "of an older kind"}}])
def test_a_job_that_nobody_judged_has_no_section(record: dict[str, Any]) -> None:
    assert gate(record) == ""
