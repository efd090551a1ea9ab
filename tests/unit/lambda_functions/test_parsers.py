"""Whatever a function is told: a user's mistake is named and answered, and nothing else is raised."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from dataclasses import fields
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from contract import environment
from functions.champion_parameter.handler import handler as champion_parameter
from functions.check_drift import captured
from functions.check_drift.handler import handler as check_drift
from functions.classify import page
from functions.classify.handler import handler as classify
from functions.common import captures, evaluation, events, storage
from functions.common.errors import (
    ClassifierError,
    EvaluationInvalid,
    InvalidPayload,
    InvalidRecipe,
    RunRecordMissing,
    UserError,
)
from functions.common.launching import names, requests, runs
from functions.common.recipes import recipe
from functions.common.recipes.keys import HYPERPARAMETERS, TABLES
from functions.compare_shadow import answers
from functions.empty_registry.handler import handler as empty_registry
from functions.launch_training.handler import handler as launch_training
from functions.launch_tuning.handler import handler as launch_tuning
from functions.promote_model.handler import handler as promote_model
from functions.register_model.handler import handler as register_model
from tests.unit.anything import DEEP, LONG, changed, edited, json_values, refusal, texts
from tests.unit.lambda_functions.conftest import ENVIRONMENT, RECIPE
from tests.unit.lambda_functions.fakes import Context, World
from tests.unit.lambda_functions.test_classify import FakeRuntime
from tests.unit.lambda_functions.test_idle_guard import FakeCloudWatch, FakeLambda
from tests.unit.lambda_functions.test_promote_model import FakeServing

TOLD = tomllib.loads(RECIPE)


@pytest.fixture
def whole_world(world: World) -> World:
    """With the services that only promote-model, check-drift and classify talk to."""
    world.others |= {
        "cloudformation": FakeServing(world),
        "sagemaker-runtime": FakeRuntime(),
        "cloudwatch": FakeCloudWatch(),
        "lambda": FakeLambda(),
    }
    return world


KEYS = sorted(
    {*TABLES, *(key for table in TABLES.values() for key in table), "ranges", "min", "max", "type", "values"}
)
WORDS = ("digits", "sgd", "Bayesian", "continuous", "resnet18", "s3://bucket/key", "layer4")
VALUES = json_values(KEYS, WORDS)
in_the_same_world = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


@pytest.mark.parametrize(
    "text",
    [
        f"a = {DEEP}",
        f"a = {LONG}",
        f"[training]\nepochs = {LONG}",
        f"[training]\nepochs = 0x{'f' * 5_000}",
        "[training]\nepochs = 1e999",
        f"[model]\narch = {DEEP}",
        f"model.{'.'.join('a' * 400)} = 1",
        f"{'.'.join('a' * 11_000)} = 1",  # deeper than any Python lets its own code or C's recurse
    ],
    ids=["deep", "long", "long epochs", "hexadecimal", "infinite", "deep arch", "dotted key", "dotted"],
)
def test_a_recipe_that_overwhelms_a_parser_is_an_invalid_one(text: str) -> None:
    with pytest.raises(InvalidRecipe) as error:
        recipe.parse("mine", text, "mine.toml")
    assert len(str(error.value)) < 2_000


@given(st.text(max_size=200) | edited(RECIPE))
def test_any_text_is_a_recipe_or_an_invalid_one(text: str) -> None:
    said = refusal(InvalidRecipe, recipe.parse, "mine", text, "mine.toml")
    assert not said or "mine.toml" in said


@given(st.data())
def test_any_tables_are_a_recipe_or_an_invalid_one(data: st.DataObject) -> None:
    tables = changed(TOLD, data.draw, VALUES)
    assume(isinstance(tables, dict))
    asked = data.draw(st.lists(st.sampled_from(KEYS), max_size=2))
    overrides = {key: data.draw(VALUES) for key in asked}

    def read() -> None:
        recipe.from_tables("mine", tables, "here").with_overrides(overrides)

    assert len(refusal(InvalidRecipe, read)) < 5_000


@pytest.mark.parametrize("with_hyperparameters", [True, False])
@given(
    payload=json_values(
        ["recipe", "dataset", "name", "dry_run", "max_cost_usd", "hyperparameters", *KEYS], WORDS
    )
)
def test_any_payload_is_a_request_or_an_invalid_one(payload: Any, with_hyperparameters: bool) -> None:
    def read() -> None:
        requests.parse(payload, with_hyperparameters=with_hyperparameters)

    assert len(refusal(InvalidPayload, read)) < 2_000


LAUNCH = {
    "recipe": "digits",
    "dataset": "digits",
    "name": "demo-x",
    "dry_run": True,
    "max_cost_usd": 5,
    **TOLD,
}


@pytest.mark.parametrize("launch", [launch_tuning, launch_training])
@in_the_same_world
@given(data=st.data())
@example(data=None)
def test_a_launcher_answers_any_payload_with_a_status(
    launch: Any, world: World, data: st.DataObject | None
) -> None:
    payload = (
        {"recipe": "digits\n", "dataset": "digits"} if data is None else changed(LAUNCH, data.draw, VALUES)
    )
    if isinstance(payload, dict):
        payload.pop("detail-type", None)
    answer = launch(payload, Context("r-1"))
    assert answer["statusCode"] in (200, 202, 400, 404, 409)
    assert (answer["statusCode"] < 400) or answer["error"]["code"]
    assert len(json.dumps(answer)) < 20_000


@pytest.mark.parametrize("function", [promote_model, register_model, check_drift])
@in_the_same_world
@given(
    payload=json_values(
        ["action", "why", "model", "detail-type", "source", "detail", "time", "id"],
        ["sleep", "wake", "rollback"],
    )
)
def test_a_function_answers_any_payload_or_fails_by_name(
    function: Any, whole_world: World, payload: Any
) -> None:
    try:
        answer = function(payload, Context("r-1"))
    except ClassifierError:
        return
    assert isinstance(answer, dict)


EVENT = {
    "id": "e-1",
    "detail-type": "SageMaker Training Job State Change",
    "source": "aws.sagemaker",
    "time": "2026-11-20T12:00:00Z",
    "detail": {
        "TrainingJobName": "demo-x",
        "HyperParameterTuningJobName": "demo-x",
        "ModelPackageArn": "arn:aws:sagemaker:us-east-1:000000000000:model-package/demo/1",
        "ModelApprovalStatus": "Approved",
        "UpdatedModelPackageFields": ["ModelApprovalStatus"],
    },
}


@given(st.data())
@example(None)
def test_any_event_is_one_or_an_invalid_one(data: st.DataObject | None) -> None:
    early = {**EVENT, "time": "0001-01-01T00:00:00+23:59"}
    payload = early if data is None else changed(EVENT, data.draw, json_values(list(EVENT)))
    try:
        found = events.parse(payload)
    except InvalidPayload:
        return
    assert found is None or isinstance(found.text("TrainingJobName"), str)


@pytest.mark.parametrize("function", [register_model, launch_training, promote_model])
@pytest.mark.parametrize(
    "kind", [events.TRAINING_JOB, events.TUNING_JOB, events.MODEL_PACKAGE, events.STACK_STATUS]
)
@in_the_same_world
@given(data=st.data())
def test_any_event_is_acted_on_or_refused_by_name(
    function: Any, kind: str, whole_world: World, data: st.DataObject
) -> None:
    payload = changed({**EVENT, "detail-type": kind}, data.draw, json_values())
    try:
        answer = function(payload, Context("r-1"))
    except ClassifierError:
        return
    assert isinstance(answer, dict)


PROXY = {
    "httpMethod": "POST",
    "resource": "/classify",
    "headers": {"Content-Type": "image/jpeg"},
    "queryStringParameters": {"top_k": "3"},
    "requestContext": {"requestId": "q-1"},
    "isBase64Encoded": True,
    "body": "aGVsbG8=",
}


@in_the_same_world
@given(data=st.data())
def test_whatever_a_client_sends_the_api_is_never_at_fault(whole_world: World, data: st.DataObject) -> None:
    event = changed(PROXY, data.draw, json_values(list(PROXY), ["GET", "/", "/model", "POST"]))
    answer = classify(event, Context("r-1"))
    assert answer["statusCode"] in (200, 400, 404, 413, 415, 503)
    assert answer["body"].encode()
    assert len(answer["body"]) < 5_000 or answer["body"] == page.html(int(ENVIRONMENT["MAX_IMAGE_BYTES"]))
    if answer["statusCode"] != 200:
        assert json.loads(answer["body"])["error"]["code"]


CLOUDFORMATION = {
    "RequestType": "Delete",
    "ResponseURL": "https://cloudformation/answer",
    "StackId": "s",
    "RequestId": "r",
    "LogicalResourceId": "l",
    "PhysicalResourceId": "/demo/champion",
    "ResourceProperties": {"ParameterName": "/demo/champion", "ModelPackageGroupName": "demo"},
}


@pytest.mark.parametrize("function", [champion_parameter, empty_registry])
@in_the_same_world
@given(data=st.data())
@example(data=None)
def test_a_custom_resource_takes_requests_that_it_can_answer_and_no_others(
    function: Any, whole_world: World, monkeypatch: pytest.MonkeyPatch, data: st.DataObject | None
) -> None:
    answered = []
    monkeypatch.setattr(
        "functions.common.custom_resource.urlopen",
        lambda request, timeout: answered.append(request) or _Closed(),
    )
    event = {**CLOUDFORMATION, "ResponseURL": "file:///etc/passwd"}
    if data is not None:
        event = changed(CLOUDFORMATION, data.draw, json_values(list(CLOUDFORMATION), ["Create", "Delete"]))
    try:
        function(event, Context("r-1"))
    except InvalidPayload:
        assert answered == []
    else:
        assert [each.type for each in answered] == ["https"]


class _Closed:
    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        return None


@pytest.mark.parametrize("project", ["demo", "classifier", "abcdefghijkl"])
def test_recipes_that_begin_alike_give_runs_of_different_readable_names(project: str) -> None:
    recipes = ("dogs-resnet18-adamw", "dogs-resnet18-cpu", "dogs-resnet50", "dogs-resnet34", "digits", "---")
    made = [names.from_request(project, recipe, "one request").rsplit("-", 1)[0] for recipe in recipes]
    assert len(set(made)) == len(recipes)
    assert made[4:] == [f"{project}-digits", f"{project}-run"]
    assert all(each.startswith(f"{project}-do") for each in made[:4])


@pytest.mark.parametrize("recipe", ["a" * 63, "9" * 63, "-".join("abcdefghijklmnopqrstuvwxyz")])
def test_a_run_of_any_recipe_has_a_name_that_sagemaker_takes(recipe: str) -> None:
    name = names.from_request("abcdefghijkl", recipe, "one request")
    assert name == names.checked(name, "abcdefghijkl", 32)


@pytest.mark.parametrize(
    "kind",
    [
        environment.LaunchEnvironment,
        environment.RegisterEnvironment,
        environment.PromoteEnvironment,
        environment.ClassifyEnvironment,
        environment.IdleGuardEnvironment,
        environment.DriftEnvironment,
    ],
)
@given(data=st.data())
def test_any_environment_gives_settings_or_names_the_variable(kind: Any, data: st.DataObject) -> None:
    known = {each.metadata["variable"]: "5" for each in fields(kind)}
    name = data.draw(st.sampled_from(sorted(known)))
    told = known | {name: data.draw(texts("0.5", "nan", "inf", "-1"))}
    said = refusal(environment.UnreadableVariable, kind.read, told)
    assert not said or name in said


@given(texts("demo-x", "demo-", "demo-x\n"))
@example("demo-x\n")
def test_a_name_is_fit_for_sagemaker_or_refused(name: str) -> None:
    said = refusal(UserError, names.checked, name, "demo", 32)
    assert len(said) < 300
    assert said or re.fullmatch(r"[a-z0-9-]+", name)


@given(st.data())
def test_any_record_of_a_run_is_one_or_is_called_missing(data: st.DataObject) -> None:
    whole = {
        "run": "r",
        "kind": "tuning",
        "request_id": "q",
        "dataset": "d",
        "code_prefix": "c",
        "hyperparameters": {},
    }
    body = changed({**whole, "recipe": {"name": "n", "tables": TOLD}}, data.draw, json_values(KEYS))
    text = data.draw(st.sampled_from([json.dumps(body), DEEP, LONG, "", "\xff"]))
    world = World()
    world.s3.put("artifacts", "runs/r/run.json", text.encode("latin-1", "replace"))
    try:
        with patch.object(runs, "client", world.client):
            runs.read("artifacts", "r")
    except (RunRecordMissing, InvalidRecipe):
        return


@given(json_values(["Name", "Regex"]).map(json.dumps) | st.sampled_from([DEEP, LONG, "", "{"]))
def test_metric_definitions_are_texts_or_refused(text: str) -> None:
    world = World()
    world.s3.put("artifacts", "code/training_code/metric_definitions.json", text)
    try:
        found = storage.read_metric_definitions(world.s3.client, "artifacts", "code/")
    except ClassifierError:
        return
    assert all(isinstance(value, str) for each in found for value in each.values())


@given(
    st.dictionaries(st.sampled_from(sorted(HYPERPARAMETERS)), texts("16", '"16"', "0.1", "true"), max_size=4)
)
def test_a_searchs_hyperparameters_are_typed_or_refused(told: dict[str, str]) -> None:
    said = refusal(InvalidRecipe, recipe.typed, told)
    assert not said or "is no number" in said


TEST = {"accuracy": 0.9, "loss": 0.1, "count": 100, "fingerprint": "f" * 64}
PER_CLASS = [{"class": "0", "count": 60, "recall": 0.9}, {"class": "1", "count": 40, "recall": 0.9}]
EVALUATION = {"arch": "resnet18", "classes": ["0", "1"], "test": {**TEST, "per_class": PER_CLASS}}


@given(st.data())
@example(None)
def test_any_evaluation_is_believable_or_invalid(data: st.DataObject | None) -> None:
    raw = DEEP if data is None else json.dumps(changed(EVALUATION, data.draw, json_values()))
    try:
        found = evaluation.parse(raw.encode(), "here")
    except EvaluationInvalid:
        return
    assert 0 <= found.accuracy <= 1


def _captured(lines: list[str]) -> Iterator[str]:
    for line in lines:
        output = {"captureData": {"endpointOutput": {"data": line, "encoding": "JSON"}}}
        metadata = {"inferenceId": "a", "inferenceTime": "2026-11-20T12:00:00Z"}
        yield json.dumps({**output, "eventMetadata": metadata})


@given(
    st.lists(json_values(["model", "version", "predicted_class", "confidence"]).map(json.dumps), max_size=4)
)
@example([DEEP, '{"model": {"version": "1"}, "predicted_class": "a", "confidence": 1' + "0" * 400 + "}"])
def test_captured_answers_that_tell_nothing_are_passed_over(lines: list[str]) -> None:
    from datetime import UTC, datetime

    now, world = datetime(2026, 11, 20, 12, tzinfo=UTC), World()
    world.s3.put(
        "artifacts", "captured/2026/11/20/12/a.jsonl", "\n".join([*_captured(lines), DEEP, LONG, "{"])
    )
    with patch.object(captures, "client", world.client):
        assert captured.read("artifacts", "captured", "1", now, 1).count >= 0
        classes = answers.classes("artifacts", "captured", "1", now, now)
        assert all(isinstance(each, str) for each in classes.values())
