"""The page about a search: ranked, drawn, and whole without a network."""

from __future__ import annotations

import dataclasses
import math
import random
import re
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any

import pytest

from reports.search import charts
from reports.search.axes import named, share
from reports.search.importance import importance
from reports.search.page import render
from reports.search.record import Axis, Search, Trial
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
        counted=f"{trials} of {trials} trials completed",
        seconds=2400.0,
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
    assert html.count('<g class="trial first"') == 1
    assert html.count('<g class="trial') == len(found.trials)


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
        Search("<x>", "Completed", "Random", "m", True, (odd,), trials, "", None, ("<parent>",)), NOW
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
    found = Search("s", "Failed", "Random", "m", True, AXES, trials, "1 of 3 trials completed", 60.0, ())
    text = Page(render(found, NOW)).text
    assert "No trial has reported" in text
    assert "AlgorithmError: no pictures" in text


def test_a_trial_that_failed_is_counted_told_and_never_the_best() -> None:
    trials = (
        Trial("t-1", "Completed", {"x": 1.0}, 0.5, 1.0),
        Trial("t-2", "Failed", {"x": 2.0}, 0.9, 1.0, "AlgorithmError: <no> space", "streams <t-2>/"),
        Trial("t-3", "Stopped", {"x": 3.0}, 0.4, 1.0),
    )
    counted, axes = "1 of 3 trials completed, 1 failed, 1 stopped", (Axis("x", 0, 9),)
    found = Search("s", "Completed", "Random", "m", True, axes, trials, counted, 60.0, ())
    assert [trial.name for trial in found.ranked] == ["t-1", "t-3"]
    html = render(found, NOW)
    text = Page(html).text
    assert "1 of 3 trials completed, 1 failed, 1 stopped" in text
    assert text.count("AlgorithmError: <no> space") == 4, "in the table, both drawings and the list"
    assert "(streams <t-2>/)" in text
    assert html.count('r="5"') == 2, "only results are dots"


def test_trials_without_a_result_are_marked_with_their_reason_below_the_results() -> None:
    """In both drawings: 0.9 was reported before the failure, and is no result."""
    trials = (
        Trial("t-1", "Completed", {"x": 1.0}, 0.5, 1.0),
        Trial("t-2", "Failed", {"x": 2.0}, 0.9, 1.0, "OutOfMemory"),
        Trial("t-3", "Stopped", {"x": 3.0}, None, 1.0),
        Trial("t-4", "Stopped", {"x": 4.0}, 0.4, 1.0),
        Trial("t-5", "InProgress", {"x": 5.0}, None, None),
    )
    found = Search("s", "InProgress", "Random", "m", True, (Axis("x", 0, 9),), trials, "", None, ())
    for drawing in (charts.coordinates(found), charts.progress(found)):
        assert drawing.count('class="mark-x"') == 2
        assert re.findall(r'class="(?:trial|spot) ?(\w*)"', drawing).count("stopped") == 2
        assert "t-2: m 0.9, Failed: OutOfMemory (x 2)" in drawing
        assert "t-5" not in drawing


@pytest.mark.parametrize(
    ("axis", "names"),
    [
        (Axis("rate", 1e-4, 0.1, "Logarithmic"), ["0.0001", "0.001", "0.01", "0.1"]),
        (Axis("rate", 3e-7, 4e-5, "Logarithmic"), ["5e-7", "1e-6", "2e-6", "5e-6", "1e-5", "2e-5"]),
        (Axis("rate", 1e-12, 1.0, "Auto"), ["1e-12", "1e-10", "1e-8", "1e-6", "0.0001", "0.01", "1"]),
        (Axis("momentum", 0.5, 0.99, "ReverseLogarithmic"), ["0.99", "0.98", "0.95", "0.9", "0.8", "0.5"]),
        (Axis("epochs", 1, 3, whole=True), ["1", "2", "3"]),
        (Axis("crop", 0.08, 0.47), ["0.1", "0.2", "0.3", "0.4"]),
        (Axis("one", 0.3, 0.3), ["0.3"]),
        (Axis("optimizer", choices=("sgd", "adamw")), ["sgd", "adamw"]),
    ],
)
def test_an_axis_names_round_numbers_on_its_own_scale(axis: Axis, names: list[str]) -> None:
    assert [text for _, text in named(axis)] == names
    places = [share(axis, value) for value, _ in named(axis)]
    assert all(0 <= place <= 1 for place in places)
    assert len(set(places)) == len(places)


@pytest.mark.parametrize(("trials", "numbers"), [(4, [1, 2, 3, 4]), (20, [1, 5, 10, 15, 20]), (1, [1, 2])])
def test_trials_are_numbered_by_round_numbers(trials: int, numbers: list[int]) -> None:
    drawing = charts.progress(search(trials))
    assert [int(each) for each in re.findall(r'text-anchor="middle">(\d+)<', drawing)] == numbers


def test_a_long_name_is_cut_and_told_whole_where_a_pointer_rests() -> None:
    long = "classifier_head_learning_rate_factor"
    drawing = charts.coordinates(dataclasses.replace(search(), axes=(Axis(long, 0, 1),)))
    assert f"classifier_head_learn…<title>{long}</title>" in drawing


def test_trials_that_all_came_out_alike_are_drawn_too() -> None:
    same = tuple(Trial(f"t-{number}", "Completed", {"x": float(number)}, 0.5, 1.0) for number in range(1, 7))
    found = Search("s", "Completed", "Random", "m", True, (Axis("x", 0, 9),), same, "", 60.0, ())
    assert importance(found) is None
    assert "nan" not in render(found, NOW)
