"""What a run will probably take is said beside the most it can."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cli.commands.launch import cost_line
from cli.runs import expected, history
from cli.runs.expected import Expected
from cli.runs.launch import Launched
from cli.target import ROOT, Target
from tests.unit.cli.conftest import client_error
from tests.unit.cli.runs.test_history import DIGITS, HAND, Past
from tests.unit.cli.runs.test_reader import Stacks

MACHINES = {"instance_type": "ml.m5.xlarge", "instance_count": 1, "parallel_jobs": 2, "spot": False}
PLANNED = Launched("r", "j", "a search", 4.57, "5 jobs", MACHINES)
REQUEST: dict[str, object] = {"recipe": "digits", "dataset": "digits@3"}
LIKELY = Expected(240.0, 0.021, "as 3 earlier runs of this recipe on digits")


class Records(Past):
    """Past runs, each with its record."""

    def __init__(self, **records: Any) -> None:
        super().__init__()
        self.records = records

    def get_object(self, Bucket: str, Key: str) -> dict[str, Any]:
        run = Key.split("/")[1]
        if run not in self.records:
            raise client_error("NoSuchKey")
        return {"Body": io.BytesIO(json.dumps(self.records[run]).encode())}


def record(kind: str = "tuning", recipe: str = "digits", dataset: str = "digits") -> dict[str, Any]:
    return {"recipe": {"name": recipe}, "dataset": dataset, "kind": kind}


@pytest.fixture
def there(target: Callable[..., Target]) -> Callable[..., Target]:
    def make(kind: str = "aws", **records: Any) -> Target:
        past = Records(**records)
        made = replace(target(kind), root=ROOT)
        made.__dict__["clients"] = {"sagemaker": past, "s3": past, "cloudformation": Stacks()}
        return made

    return make


def test_earlier_runs_of_the_recipe_on_the_data_set_are_what_is_expected(
    there: Callable[..., Target],
) -> None:
    found = expected.before(there(**{DIGITS: record()}), REQUEST, expected.TUNING, PLANNED)
    assert found is not None
    assert found.seconds == 7201, "from the search to the end of the last training"
    assert found.last == 3600
    assert found.usd == pytest.approx(2 * 0.2304)
    assert found.source == "as an earlier run of this recipe on digits"


@pytest.mark.parametrize(
    "other",
    [record(kind="training"), record(recipe="finetune"), record(dataset="letters"), {}, [], {"recipe": 3}],
)
def test_runs_of_another_kind_recipe_or_data_set_are_not(there: Callable[..., Target], other: Any) -> None:
    assert history.like(there(**{DIGITS: other}), "digits", "digits", "tuning") == []


@pytest.mark.parametrize(
    ("tables", "meant"),
    [
        ({"training": {"epochs": 2}, "tuning": {"max_jobs": 4}}, True),
        ({"training": {"epochs": 2, "learning_rate": 0.9}}, True),
        ({}, True),
        ({"training": {"epochs": 1}}, False),
        ({"tuning": {"max_jobs": 40}}, False),
        ({"training": 3}, True),
    ],
)
def test_runs_with_more_or_less_work_to_do_are_not_what_is_expected(
    there: Callable[..., Target], tables: Any, meant: bool
) -> None:
    earlier = record() | {"recipe": {"name": "digits", "tables": tables}}
    found = expected.before(there(**{DIGITS: earlier}), REQUEST, expected.TUNING, PLANNED)
    assert found is not None
    assert ("earlier" in found.source) == meant


def test_what_is_overridden_is_looked_for_among_earlier_runs(there: Callable[..., Target]) -> None:
    earlier = record() | {"recipe": {"name": "digits", "tables": {"training": {"epochs": 100}}}}
    overridden = REQUEST | {"training": {"epochs": 100}}
    found = expected.before(there(**{DIGITS: earlier}), overridden, expected.TUNING, PLANNED)
    assert found is not None
    assert "earlier" in found.source


def test_a_run_without_a_trained_model_tells_nothing(there: Callable[..., Target]) -> None:
    stopped = there(**{HAND: record(kind="training")})
    assert history.like(stopped, "digits", "digits", "training") == []


def test_without_earlier_runs_the_recipe_is_as_it_was_measured(there: Callable[..., Target]) -> None:
    found = expected.before(there(), REQUEST, expected.TUNING, PLANNED)
    assert found is not None
    assert (found.seconds, found.last) == (44, 20)
    assert found.usd == pytest.approx(2 * 0.2304 * 44 / 3600)
    training = expected.before(there(), REQUEST, expected.TRAINING, PLANNED)
    assert training is not None
    assert training.seconds == 20


def test_a_recipe_that_is_overridden_or_not_measured_is_not_guessed_at(there: Callable[..., Target]) -> None:
    overridden = REQUEST | {"training": {"epochs": 100}}
    assert expected.before(there(), overridden, expected.TUNING, PLANNED) is None
    assert expected.before(there(), REQUEST | {"recipe": "finetune"}, expected.TUNING, PLANNED) is None
    assert expected.before(there(), REQUEST | {"recipe": "my-own"}, expected.TUNING, PLANNED) is None


def test_who_may_not_list_runs_can_start_them(
    there: Callable[..., Target], monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(*_: Any) -> None:
        raise client_error("AccessDenied")

    monkeypatch.setattr(history, "names_of_runs", denied)
    found = expected.before(there(), REQUEST, expected.TUNING, PLANNED)
    assert found is not None
    assert "measured" in found.source


def test_what_is_expected_stands_beside_what_is_possible(there: Callable[..., Target]) -> None:
    text = cost_line(there(), PLANNED, LIKELY)
    assert "about 0.02 USD, 4 min (as 3 earlier runs of this recipe on digits)" in text
    assert "at most 4.57 USD" in text
    local = cost_line(there("local"), PLANNED, LIKELY)
    assert "Expected: about 4 min (as 3" in local
    assert "Expected" not in cost_line(there(), PLANNED)


def test_what_recipes_say_of_themselves_can_be_read() -> None:
    recipes = [path.read_text() for path in Path(ROOT / "recipes").glob("*.toml")]
    lines = [line for text in recipes for line in text.splitlines() if line.startswith("# measured")]
    assert lines
    assert all(expected._MEASURED.fullmatch(line) for line in lines)
