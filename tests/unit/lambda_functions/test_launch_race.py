"""A recipe with [race]: one job chooses the network, and its end starts the search with it, once."""

from __future__ import annotations

import io
import json
import tarfile
from typing import Any

import pytest

from contract import race
from functions.common.errors import InvalidRecipe, OutputInvalid
from functions.common.recipes.recipe import parse
from functions.launch_training.handler import handler as launch_training
from functions.launch_tuning.handler import handler
from functions.register_model.handler import handler as register
from tests.unit.lambda_functions.conftest import RECIPE
from tests.unit.lambda_functions.fakes import AwsFailure, Context, World, sagemaker_event
from tests.unit.lambda_functions.weight_files import weights_of

RACE = """
[race]
networks = ["resnet18", "resnet34"]
fresh = ["resnet50"]
max_ms = 20
max_minutes = 10
"""
AUTO = RECIPE.replace('arch = "resnet18"\n', "").replace('"layer4"', '"head"') + RACE
PAYLOAD = {"recipe": "auto", "dataset": "digits"}


@pytest.fixture
def auto(world: World) -> World:
    world.s3.put("artifacts", "recipes/auto.toml", AUTO)
    return world


def launch(payload: object = PAYLOAD, request_id: str = "request-1") -> dict[str, Any]:
    return handler(payload, Context(request_id))


def the_race(world: World) -> dict[str, Any]:
    (request,) = world.sagemaker.called("CreateTrainingJob")
    return request


def outcome(*accuracies: tuple[str, float]) -> race.Race:
    entrants = tuple(
        race.Entrant(network=name, weights="w", accuracy=accuracy, ms=5.0, mb=9.0)
        for name, accuracy in accuracies
    )
    return race.Race(
        dataset="digits@1",
        pictures=100,
        classes=2,
        machine="2 CPU threads",
        bounds=race.Bounds(max_ms=20),
        entrants=entrants,
    )


def end(world: World, came: race.Race | None, status: str = "Completed", **more: Any) -> str:
    """Let the race that was started end; returns its job's name."""
    name = the_race(world)["TrainingJobName"]
    world.sagemaker.training_jobs[name] |= {"TrainingJobStatus": status, **more}
    if came is not None:
        text, archive = came.text().encode(), io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w:gz") as tar:
            member = tarfile.TarInfo(race.FILE)
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text))
        world.s3.put("artifacts", f"trials/{name}/output/output.tar.gz", archive.getvalue())
    return str(name)


def ended(name: str, status: str = "Completed", event: str = "e-1") -> dict[str, Any]:
    detail = {"TrainingJobName": name, "TrainingJobStatus": status}
    return handler(sagemaker_event("SageMaker Training Job State Change", detail, id=event), Context())


def test_a_race_is_started_in_place_of_the_search_and_its_cost_bound_is_of_all_that_follows(
    auto: World,
) -> None:
    answer = launch()
    job = the_race(auto)
    assert answer["statusCode"] == 202
    assert answer["training_job"] == job["TrainingJobName"] == f"{answer['run']}-race"
    assert not auto.sagemaker.called("CreateHyperParameterTuningJob")
    assert "race of 3 networks" in answer["started"]
    # 5 jobs of 60 minutes and the race's 10 and 5, each with 5 to end, at 0.4284 USD and a disk
    hours = (5 * 65 + 10 + 5 + 5) / 60
    assert answer["cost"]["most_usd"] == pytest.approx(hours * (0.4284 + 30 * 0.14 / 730), abs=0.011)
    assert job["Environment"] == {"JOB_PACKAGE": "training_code.race"}
    assert job["StoppingCondition"] == {"MaxRuntimeInSeconds": 15 * 60}
    told = job["HyperParameters"]
    assert json.loads(told["networks"]) == [
        ["resnet18", "imagenet"],
        ["resnet34", "imagenet"],
        ["resnet50", "none"],
    ]
    assert (told["run"], told["max_minutes"]) == (answer["run"], "10")
    assert not job["EnableNetworkIsolation"]


@pytest.mark.parametrize(
    ("resources", "minutes"), [("", 60), ("[resources]\nmax_runtime_minutes = 40\n", 40)]
)
def test_a_race_without_a_limit_of_its_own_is_told_the_longest_run_time_of_its_jobs(
    auto: World, resources: str, minutes: int
) -> None:
    recipe = AUTO.replace("max_minutes = 10\n", "") + resources
    auto.s3.put("artifacts", "recipes/auto.toml", recipe)
    launch()
    job = the_race(auto)
    assert job["HyperParameters"]["max_minutes"] == str(minutes)
    assert job["StoppingCondition"] == {"MaxRuntimeInSeconds": (minutes + 5) * 60}


def test_with_all_weights_staged_the_race_is_cut_off_from_the_network(auto: World) -> None:
    for arch in ("resnet18", "resnet34"):
        auto.s3.put("artifacts", f"weights/imagenet/{arch}.safetensors", weights_of(arch))
    launch()
    job = the_race(auto)
    assert job["EnableNetworkIsolation"]
    channels = {
        each["ChannelName"]: each["DataSource"]["S3DataSource"]["S3Uri"] for each in job["InputDataConfig"]
    }
    assert channels["pretrained-1"] == "s3://artifacts/weights/imagenet/resnet34.safetensors"
    assert json.loads(job["HyperParameters"]["networks"])[1] == ["resnet34", "pretrained-1"]


def test_the_same_request_again_finds_its_race(auto: World) -> None:
    assert launch() == launch()
    the_race(auto)
    other = launch({**PAYLOAD, "name": launch()["run"]}, "request-2")
    assert other["statusCode"] == 409


def test_the_end_of_a_race_starts_the_search_with_the_winner_once(auto: World) -> None:
    run = launch()["run"]
    name = end(auto, outcome(("resnet18", 0.7), ("resnet34", 0.8), ("resnet50", 0.5)))
    assert ended(name)["network"] == "resnet34"
    assert ended(name, event="e-2")["tuning_job"] == run
    (job,) = auto.sagemaker.called("CreateHyperParameterTuningJob")
    assert job["HyperParameterTuningJobName"] == run
    assert job["TrainingJobDefinition"]["StaticHyperParameters"]["arch"] == "resnet34"
    assert auto.s3.json("artifacts", f"runs/{run}/race.json")["entrants"][1]["network"] == "resnet34"
    assert (
        auto.s3.json("artifacts", f"runs/{run}/run.json")["recipe"]["tables"]["model"]["arch"] == "resnet34"
    )
    assert launch()["tuning_job"] == run  # the request, asked again, finds the search now


def test_a_fresh_winner_is_trained_whole(auto: World) -> None:
    launch()
    ended(end(auto, outcome(("resnet18", 0.7), ("resnet50", 0.9))))
    (job,) = auto.sagemaker.called("CreateHyperParameterTuningJob")
    told = job["TrainingJobDefinition"]["StaticHyperParameters"]
    assert (told["arch"], told["weights"], told["trainable_from"]) == ("resnet50", "none", "stem")


def test_two_finalists_are_searched_as_a_range(auto: World) -> None:
    launch({**PAYLOAD, "race": {"finalists": 2}})
    ended(end(auto, outcome(("resnet18", 0.7), ("resnet34", 0.8), ("resnet50", 0.5))))
    (job,) = auto.sagemaker.called("CreateHyperParameterTuningJob")
    ranges = job["HyperParameterTuningJobConfig"]["ParameterRanges"]["CategoricalParameterRanges"]
    assert {"Name": "arch", "Values": ["resnet34", "resnet18"]} in ranges
    assert "arch" not in job["TrainingJobDefinition"]["StaticHyperParameters"]


def test_finalists_whose_weights_are_staged_share_one_channel(auto: World) -> None:
    for arch in ("resnet18", "resnet34"):
        auto.s3.put("artifacts", f"weights/imagenet/{arch}.safetensors", weights_of(arch))
    launch({**PAYLOAD, "race": {"finalists": 2}})
    ended(end(auto, outcome(("resnet18", 0.7), ("resnet34", 0.8))))
    (job,) = auto.sagemaker.called("CreateHyperParameterTuningJob")
    sources = {
        each["ChannelName"]: each["DataSource"]["S3DataSource"]["S3Uri"]
        for each in job["TrainingJobDefinition"]["InputDataConfig"]
    }
    assert sources["pretrained"] == "s3://artifacts/weights/imagenet/"


def test_why_a_run_started_by_itself_is_kept_over_its_race(auto: World) -> None:
    launch({**PAYLOAD, "scheduled": {"drift": 0.31}})
    ended(end(auto, outcome(("resnet34", 0.9), ("resnet18", 0.8))))
    (search,) = auto.sagemaker.called("CreateHyperParameterTuningJob")
    for job in (the_race(auto), search):
        assert {"Key": "scheduled", "Value": "drift"} in job["Tags"]


def test_a_network_that_the_request_names_runs_no_race(auto: World) -> None:
    answer = launch({**PAYLOAD, "model": {"arch": "resnet34"}})
    assert answer["tuning_job"] == answer["run"]
    assert not auto.sagemaker.called("CreateTrainingJob")


@pytest.mark.parametrize("status", ["Failed", "Stopped"])
def test_a_race_without_a_winner_is_mailed_once_and_nothing_is_searched(auto: World, status: str) -> None:
    launch()
    name = end(auto, None, status, FailureReason="NoWinner: no network is within max_ms = 20")
    ended(name, status)
    assert "ignored" in ended(name, status, event="e-2")
    (mail,) = auto.sns.mails
    assert "no network is within" in mail["Message"]
    assert "demo-launch-tuning" in mail["Message"]
    assert not auto.sagemaker.called("CreateHyperParameterTuningJob")


def test_a_race_that_aws_has_no_instance_for_goes_on_with_the_next_type(
    auto: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRAINING_INSTANCE_TYPE", "ml.c7i.2xlarge,ml.m5.2xlarge")
    launch()
    name = end(auto, None, "Failed", FailureReason="CapacityError: Unable to provision")
    assert ended(name, "Failed")["training_job"] == f"{name}-type-2"
    assert "ignored" in ended(name, "Failed", event="e-2")
    second = auto.sagemaker.called("CreateTrainingJob")[1]
    assert second["ResourceConfig"]["InstanceType"] == "ml.m5.2xlarge"
    assert not auto.sns.mails


def test_a_stopped_runs_race_leads_to_nothing(auto: World) -> None:
    run = launch()["run"]
    auto.s3.put("artifacts", f"runs/{run}/stopped.json", "{}")
    assert "ignored" in ended(end(auto, outcome(("resnet18", 0.7))))
    assert not auto.sagemaker.called("CreateHyperParameterTuningJob")


def test_a_race_is_no_model_and_no_training_of_the_others_concern(auto: World) -> None:
    launch()
    name = end(auto, outcome(("resnet18", 0.7)))
    detail = {"TrainingJobName": name, "TrainingJobStatus": "Completed"}
    event = sagemaker_event("SageMaker Training Job State Change", detail)
    assert "ignored" in register(event, Context())
    auto.sagemaker.training_jobs[name] |= {
        "TrainingJobStatus": "Failed",
        "FailureReason": "CapacityError: none",
    }
    assert "ignored" in launch_training(event, Context())


def test_a_training_job_that_is_no_race_is_ignored(auto: World) -> None:
    auto.sagemaker.training_jobs["demo-my-race"] = {"TrainingJobName": "demo-my-race"}
    assert "ignored" in ended("demo-my-race")
    assert "ignored" in ended("demo-gone-race")


def test_a_race_that_left_nothing_is_a_named_failure(auto: World) -> None:
    launch()
    name = end(auto, None)
    with pytest.raises(OutputInvalid, match="is missing"):
        ended(name)


def test_aws_that_refuses_the_search_is_asked_again_by_the_events_retry(auto: World) -> None:
    launch()
    name = end(auto, outcome(("resnet18", 0.7)))
    auto.sagemaker.refuse_with = AwsFailure("ThrottlingException", "Rate exceeded")
    with pytest.raises(Exception, match="Rate exceeded"):
        ended(name)
    auto.sagemaker.refuse_with = None
    assert ended(name)["network"] == "resnet18"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda text: text.replace("[model]\n", '[model]\narch = "resnet18"\n'), "leave arch out of [model]"),
        (lambda text: text.replace("[final]\n", '[final]\narch = "resnet18"\n'), "leave arch out of [final]"),
        (lambda text: text.replace('["resnet18", "resnet34"]', '["resnet18", "resnet81"]'), "resnet81"),
        (lambda text: text.replace('["resnet18", "resnet34"]', "[]"), "has 1 networks"),
        (lambda text: text.replace('fresh = ["resnet50"]', 'fresh = ["resnet18"]'), "names a network twice"),
        (lambda text: text.replace('"head"', '"layer9"'), "layer9"),
        (lambda text: text.replace("max_ms = 20", "max_ms = 0"), "max_ms = 0 is out of range"),
        (lambda text: text.replace("max_ms", "max_s"), 'did you mean "max_ms"'),
    ],
)
def test_a_race_that_cannot_be_run_says_what_to_change(change: Any, says: str) -> None:
    text = change(AUTO)
    assert text != AUTO
    with pytest.raises(InvalidRecipe) as caught:
        parse("auto", text, "auto.toml")
    assert says in str(caught.value)


def test_launch_training_asks_for_a_network(auto: World) -> None:
    answer = launch_training(PAYLOAD, Context())
    assert answer["statusCode"] == 400
    assert "launch-tuning" in answer["error"]["message"]


def test_a_dry_run_starts_nothing_and_tells_the_whole_cost(auto: World) -> None:
    answer = launch({**PAYLOAD, "dry_run": True})
    assert answer["statusCode"] == 200
    assert "race of networks" in answer["cost"]["explained"]
    assert not auto.sagemaker.called("CreateTrainingJob")
    assert not auto.s3.called("PutObject")


def test_a_race_that_could_cost_more_than_allowed_is_refused(auto: World) -> None:
    answer = launch({**PAYLOAD, "max_cost_usd": 1})
    assert answer["statusCode"] == 400
    assert answer["error"]["code"] == "CostTooHigh"
    assert not auto.sagemaker.called("CreateTrainingJob")
