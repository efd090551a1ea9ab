"""The page about a search: read from SageMaker's answers, ranked, drawn, and whole without a network."""

from __future__ import annotations

import dataclasses
import math
import random
import re
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from types import SimpleNamespace
from typing import Any

import pytest

from cli.runs.reader import NoSuchRun
from cli.tuning_report.importance import importance
from cli.tuning_report.page import render
from cli.tuning_report.read import Axis, Search, Trial, read
from tests.unit.cli.conftest import client_error
from tests.unit.markup import Skeleton

NOW = datetime(2026, 11, 21, 14, 0, tzinfo=UTC)
AXES = (
    Axis("learning_rate", 1e-4, 1e-1, "Logarithmic"),
    Axis("momentum", 0.1, 0.99, "ReverseLogarithmic"),
    Axis("epochs", 2, 6, "Linear"),
    Axis("batch_size", choices=("16", "32", "64")),
)


def search(trials: int = 12, *, maximize: bool = True, axes: tuple[Axis, ...] = AXES) -> Search:
    """A search whose objective depends on the learning rate, and hardly on anything else."""
    draw = random.Random(3)

    def trial(number: int) -> Trial:
        rate = 10 ** draw.uniform(-4, -1)
        values: dict[str, float | str] = {
            "learning_rate": rate,
            "momentum": draw.uniform(0.1, 0.99),
            "epochs": float(draw.randint(2, 6)),
            "batch_size": draw.choice(["16", "32", "64"]),
        }
        score = 0.9 - 0.1 * (math.log10(rate) + 2.5) ** 2 + draw.uniform(0, 0.01)
        name = f"classifier-dogs-1234abcd-{number:03d}-00c0ffee"
        return Trial(name, "Completed", values, score if maximize else 1 - score, 95.0 + number)

    return Search(
        name="classifier-dogs-1234abcd",
        status="Completed",
        strategy="Bayesian",
        metric="valid_accuracy" if maximize else "valid_loss",
        maximize=maximize,
        axes=axes,
        trials=tuple(trial(number) for number in range(1, trials + 1)),
        created=NOW - timedelta(minutes=40),
        ended=NOW,
        parents=(),
    )


class Page(HTMLParser):
    """Fails on tags that are not closed in order; keeps the text and every attribute."""

    VOID = ("meta",)

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text, self.attributes = "", list[tuple[str, str | None]]()
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += attrs
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize("maximize", [True, False])
def test_the_best_trial_leads_the_board(maximize: bool) -> None:
    found = search(maximize=maximize)
    scores = [trial.objective or 0.0 for trial in found.ranked]
    assert scores == sorted(scores, reverse=maximize)
    html = render(found, NOW)
    rows = re.findall(r"<tr[^>]*><td>(\d+)</td><td title=\"([^\"]+)\"", html)
    assert [name for _, name in rows] == [trial.name for trial in found.ranked]
    assert html.count('<polyline class="trial first"') == 1
    assert html.count('<polyline class="trial') == len(found.trials)


def test_what_the_objective_depends_on_is_found() -> None:
    shares = importance(search(40))
    assert shares is not None
    assert next(iter(shares)) == "learning_rate"
    assert shares["learning_rate"] > 0.6
    assert sum(shares.values()) == pytest.approx(1)


@pytest.mark.parametrize("trials", [1, 3])
def test_with_few_trials_the_page_says_that_it_is_too_little_to_tell(trials: int) -> None:
    assert "Too little to tell" in Page(render(search(trials), NOW)).text


def test_the_page_is_whole_without_a_network_and_runs_no_script() -> None:
    html = render(search(), NOW)
    page = Page(html)
    assert "<script" not in html
    assert not [value for name, value in page.attributes if name in ("src", "href")]
    assert "url(" not in html
    assert ("name", "viewport") in page.attributes
    assert "prefers-color-scheme: dark" in html


def test_names_are_text_and_never_markup() -> None:
    odd = Axis("<b>", choices=('"><script>', "b"))
    values: dict[str, float | str] = {"<b>": '"><script>'}
    trials = (
        Trial("<i>", "Failed", values, None, None, "<u>broken</u>"),
        Trial("t", "Completed", values, 0.5, 1),
    )
    html = render(
        Search("<x>", "Completed", "Random", "m", True, (odd,), trials, NOW, None, ("<parent>",)), NOW
    )
    Page(html)
    assert not re.search(r"<(script|i|u|x|parent)>", html)


PAYLOAD = "\"'></title></style></svg><script>alert(1)</script><img src=x onerror=alert(1)><!--{{7*7}}"


def replaced(value: Any, by: str) -> Any:
    """A search, or a part of one, with `by` before every string."""
    if isinstance(value, str):
        return by + value
    if isinstance(value, tuple):
        return tuple(replaced(each, by) for each in value)
    if isinstance(value, dict):
        return {replaced(key, by): replaced(each, by) for key, each in value.items()}
    if dataclasses.is_dataclass(value):
        fields = {each.name: getattr(value, each.name) for each in dataclasses.fields(value)}
        return type(value)(**{name: replaced(each, by) for name, each in fields.items()})
    return value


@pytest.mark.parametrize("payload", [PAYLOAD, "javascript:alert(1)", "0' onload='alert(1)"])
def test_whatever_names_and_reasons_say_the_page_shows_it_as_text(payload: str) -> None:
    failed = Trial("t-9", "Failed", {}, None, None, "it broke")
    axes = (Axis("learning_rate", 1e-4, 1e-1, "Logarithmic"), Axis("batch_size", choices=("16", "32")))
    clean = dataclasses.replace(search(), axes=axes, parents=("c-0",))
    clean = dataclasses.replace(clean, trials=(*clean.trials, failed))
    hostile = replaced(clean, payload)
    hostile = dataclasses.replace(
        hostile,
        trials=tuple(
            dataclasses.replace(each, status=told.status)
            for each, told in zip(hostile.trials, clean.trials, strict=True)
        ),
    )
    found = Skeleton(render(hostile, NOW))
    assert found.shapes <= Skeleton(render(clean, NOW)).shapes
    assert not found.harmful
    assert payload in found.text


def test_a_search_without_any_result_has_a_page_that_says_why() -> None:
    trials = (Trial("t-1", "Failed", {}, None, None, "AlgorithmError: no pictures"),)
    found = Search("s", "Failed", "Random", "m", True, AXES, trials, NOW, NOW, ())
    text = Page(render(found, NOW)).text
    assert "No trial has reported" in text
    assert "AlgorithmError: no pictures" in text


def test_a_trial_that_failed_is_counted_told_and_never_the_best() -> None:
    trials = (
        Trial("t-1", "Completed", {"x": 1.0}, 0.5, 1.0),
        Trial("t-2", "Failed", {"x": 2.0}, 0.9, 1.0, "AlgorithmError: <no> space"),
        Trial("t-3", "Stopped", {"x": 3.0}, 0.4, 1.0),
    )
    found = Search("s", "Completed", "Random", "m", True, (Axis("x", 0, 9),), trials, NOW, NOW, ())
    assert [trial.name for trial in found.ranked] == ["t-1", "t-3"]
    html = render(found, NOW)
    text = Page(html).text
    assert "1 of 3 trials completed, 1 failed, 1 stopped" in text
    assert text.count("AlgorithmError: <no> space") == 2
    assert "log group /aws/sagemaker/TrainingJobs, streams t-2/" in text
    assert html.count("<circle") == 2


def test_trials_that_all_came_out_alike_are_drawn_too() -> None:
    same = tuple(Trial(f"t-{number}", "Completed", {"x": float(number)}, 0.5, 1.0) for number in range(1, 7))
    found = Search("s", "Completed", "Random", "m", True, (Axis("x", 0, 9),), same, NOW, NOW, ())
    assert importance(found) is None
    assert "nan" not in render(found, NOW)


def test_a_tuning_job_is_read_with_its_values_in_their_types(target: Any) -> None:
    ranges = {
        "ContinuousParameterRanges": [
            {"Name": "learning_rate", "MinValue": "0.001", "MaxValue": "0.1", "ScalingType": "Logarithmic"}
        ],
        "IntegerParameterRanges": [{"Name": "epochs", "MinValue": "2", "MaxValue": "4"}],
        "CategoricalParameterRanges": [{"Name": "batch_size", "Values": ["16", "32"]}],
    }
    job = {
        "HyperParameterTuningJobName": "c-1",
        "HyperParameterTuningJobStatus": "Completed",
        "HyperParameterTuningJobConfig": {
            "Strategy": "Bayesian",
            "HyperParameterTuningJobObjective": {"Type": "Minimize", "MetricName": "valid_loss"},
            "ParameterRanges": ranges,
        },
        "CreationTime": NOW,
        "WarmStartConfig": {"ParentHyperParameterTuningJobs": [{"HyperParameterTuningJobName": "c-0"}]},
    }
    trial = {
        "TrainingJobName": "c-1-001-x",
        "TrainingJobStatus": "Completed",
        "TunedHyperParameters": {"learning_rate": "0.01", "epochs": "3", "batch_size": '"16"', "other": "1"},
        "FinalHyperParameterTuningJobObjectiveMetric": {"Value": 1.5},
        "TrainingStartTime": NOW,
        "TrainingEndTime": NOW + timedelta(seconds=90),
    }
    pages = SimpleNamespace(paginate=lambda **_: [{"TrainingJobSummaries": [trial]}])
    sagemaker = SimpleNamespace(
        describe_hyper_parameter_tuning_job=lambda HyperParameterTuningJobName: job,
        get_paginator=lambda _: pages,
    )
    found = read(target(sagemaker=sagemaker), "c-1-final")
    assert [axis.name for axis in found.axes] == ["learning_rate", "epochs", "batch_size"]
    assert found.axes[2].choices == ("16", "32")
    assert found.trials[0].values == {"learning_rate": 0.01, "epochs": 3.0, "batch_size": "16"}
    assert (found.trials[0].objective, found.trials[0].seconds) == (1.5, 90)
    assert (found.maximize, found.parents) == (False, ("c-0",))


def test_a_run_without_a_search_is_named(target: Any) -> None:
    def missing(HyperParameterTuningJobName: str) -> None:
        raise client_error("ResourceNotFound")

    sagemaker = SimpleNamespace(describe_hyper_parameter_tuning_job=missing)
    with pytest.raises(NoSuchRun, match="There is no tuning job c-2"):
        read(target(sagemaker=sagemaker), "c-2")
