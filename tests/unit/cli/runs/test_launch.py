"""Requests to the launchers are built from options, and their answers become one clear message."""

from __future__ import annotations

import contextlib
import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.aws import read_answer
from cli.errors import LaunchRefused
from cli.runs.launch import BadOverride, estimate, launch, payload


def test_overrides_become_tables_with_typed_values() -> None:
    overrides = ["training.epochs=2", "training.optimizer=adamw", "tuning.ranges.learning_rate.max=1e-2"]
    overrides += ["tuning.ranges.batch_size.values=[16, 32]", 'data.augment="none"']
    assert payload("digits", "mine", overrides, "classifier-x") == {
        "recipe": "digits",
        "dataset": "mine",
        "name": "classifier-x",
        "training": {"epochs": 2, "optimizer": "adamw"},
        "tuning": {"ranges": {"learning_rate": {"max": 0.01}, "batch_size": {"values": [16, 32]}}},
        "data": {"augment": "none"},
    }


@given(st.text(max_size=30))
def test_any_override_is_a_json_request_or_a_named_refusal(override: str) -> None:
    with contextlib.suppress(BadOverride):
        json.dumps(payload("r", "d", [override]))


@pytest.mark.parametrize("override", ["epochs=2", "training.epochs", ".a=1", "training.=1", ""])
def test_a_malformed_override_is_named(override: str) -> None:
    with pytest.raises(BadOverride, match="--set"):
        payload("r", "d", [override])


def test_an_override_below_a_value_is_refused() -> None:
    with pytest.raises(BadOverride, match="set as a value"):
        payload("r", "d", ["training.epochs=2", "training.epochs.more=3"])


class Function:
    """The Lambda client, answering what it is told to and counting."""

    class exceptions:
        class ResourceNotFoundException(Exception):
            pass

    def __init__(self, answer: Any, error: str | None = None) -> None:
        self.answer, self.error, self.requests = answer, error, []

    def invoke(self, FunctionName: str, Payload: bytes) -> dict[str, Any]:
        self.requests.append((FunctionName, json.loads(Payload)))
        response: dict[str, Any] = {"Payload": io.BytesIO(json.dumps(self.answer).encode())}
        return {**response, "FunctionError": self.error} if self.error else response


def test_a_started_run_is_told(target: Any) -> None:
    function = Function({"statusCode": 202, "tuning_job": "classifier-d-1", "run": "classifier-d-1"})
    launched = launch(target(**{"lambda": function}), "launch-tuning", {"recipe": "d"})
    assert (launched.job, launched.run) == ("classifier-d-1", "classifier-d-1")
    assert function.requests == [("classifier-launch-tuning", {"recipe": "d"})]


def test_a_dry_run_is_asked_for_what_it_would_cost(target: Any) -> None:
    answer = {"statusCode": 200, "tuning_job": "c-d-1", "run": "c-d-1", "would_start": "a search"}
    machines = {"instance_type": "ml.m5.large", "instance_count": 1, "spot": False, "parallel_jobs": 2}
    cost = {"most_usd": 2.5, "explained": "5 jobs"}
    notes = ["2 copies of other pictures are left out"]
    function = Function({**answer, "cost": cost, "machines": machines, "notes": notes})
    planned = estimate(target(**{"lambda": function}), "launch-tuning", {"recipe": "d"})
    assert (planned.what, planned.most_usd, planned.explained) == ("a search", 2.5, "5 jobs")
    assert planned.machines == machines
    assert planned.notes == tuple(notes)
    assert function.requests == [("classifier-launch-tuning", {"recipe": "d", "dry_run": True})]


def test_a_limit_on_the_cost_goes_into_the_request() -> None:
    assert payload("r", "d", [], None, 2.0)["max_cost_usd"] == 2.0


def test_a_refusal_is_the_launcher_s_own_sentence() -> None:
    answer = {"statusCode": 404, "error": {"code": "UnknownRecipe", "message": "There is no recipe digitz."}}
    with pytest.raises(LaunchRefused, match=r"^There is no recipe digitz\.$"):
        read_answer("launch-tuning", answer, failed=False)


def test_a_crash_names_the_function_and_its_log() -> None:
    answer = {"errorMessage": "AccessDenied: iam:PassRole", "errorType": "ClientError"}
    with pytest.raises(LaunchRefused, match=r"iam:PassRole(.|\n)*/aws/lambda/f"):
        read_answer("f", answer, failed=True)


@pytest.mark.parametrize("answer", [None, [], "x", {}, {"status": 1}])
def test_an_answer_of_another_shape_is_no_traceback(answer: Any) -> None:
    with pytest.raises(LaunchRefused, match="nobody here understands"):
        read_answer("f", answer, failed=False)
