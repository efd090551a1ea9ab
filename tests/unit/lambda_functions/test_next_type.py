"""A training that AWS had no instance for goes on with the next type of its list, once per type."""

from __future__ import annotations

from typing import Any

import pytest

from contract import capacity, names
from functions.launch_training.handler import handler
from functions.launch_tuning.handler import handler as launch_tuning
from functions.register_model.handler import handler as register_model
from tests.unit.lambda_functions.fakes import AwsFailure, Context, World, sagemaker_event
from tests.unit.lambda_functions.weight_files import weights_of

KIND = "SageMaker Training Job State Change"
EMPTY = (
    "CapacityError: Unable to provision requested ML compute capacity. Please retry using a different ML "
    "instance type."
)
TYPES = ("ml.c7i.2xlarge", "ml.g5.xlarge", "ml.m5.xlarge")


@pytest.fixture(autouse=True)
def three(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings with three types, the second with a GPU."""
    monkeypatch.setenv("TRAINING_INSTANCE_TYPE", ",".join(TYPES))


@pytest.fixture
def by_hand(world: World) -> str:
    """A training of its own, with values that no recipe has."""
    payload = {"recipe": "digits", "dataset": "digits", "training": {"momentum": 0.8}, "model": {}}
    name: str = handler({**payload, "hyperparameters": {"learning_rate": 0.3}}, Context())["training_job"]
    return name


def fail(world: World, name: str, reason: str = EMPTY, *, id: str = "e-1") -> dict[str, Any]:
    """The job fails, and the event comes."""
    world.sagemaker.training_jobs[name] |= {"TrainingJobStatus": "Failed", "FailureReason": reason}
    return handler(event(name, id), Context(f"r-{id}"))


def event(name: str, id: str = "e-1") -> dict[str, Any]:
    return sagemaker_event(KIND, {"TrainingJobName": name, "TrainingJobStatus": "Failed"}, id=id)


def on(world: World) -> dict[str, str]:
    """The instance type of each training job by name."""
    jobs = world.sagemaker.training_jobs
    return {name: job["ResourceConfig"]["InstanceType"] for name, job in jobs.items()}


def test_it_goes_on_by_itself_type_after_type_and_each_is_tried_once(world: World, by_hand: str) -> None:
    assert fail(world, by_hand)["training_job"] == f"{by_hand}-type-2"
    fail(world, f"{by_hand}-type-2")
    assert "nothing to go on with" in fail(world, f"{by_hand}-type-3")["ignored"]
    assert on(world) == dict(zip((by_hand, f"{by_hand}-type-2", f"{by_hand}-type-3"), TYPES, strict=True))


def test_an_event_that_comes_twice_starts_one_job(world: World, by_hand: str) -> None:
    first = fail(world, by_hand, id="e-1")
    assert fail(world, by_hand, id="e-2") == first
    assert len(on(world)) == 2


def test_it_is_the_same_training_in_the_image_of_the_other_type(world: World, by_hand: str) -> None:
    fail(world, by_hand)
    before, after = world.sagemaker.training_jobs.values()
    priced = {"hourly_usd"}  # an hour of the other instance costs something else
    assert {key: value for key, value in before["HyperParameters"].items() if key not in priced} == {
        key: value for key, value in after["HyperParameters"].items() if key not in priced
    }
    assert before["InputDataConfig"] == after["InputDataConfig"]
    assert before["AlgorithmSpecification"]["TrainingImage"].endswith("training:1")
    assert after["AlgorithmSpecification"]["TrainingImage"].endswith("training-gpu:1")


def test_weights_and_champion_come_to_it_from_where_they_came_before(world: World) -> None:
    world.s3.put("artifacts", "weights/mine.safetensors", weights_of("resnet18"))
    weights = {"model": {"weights": "s3://artifacts/weights/mine.safetensors"}}
    name = handler({"recipe": "digits", "dataset": "digits", **weights}, Context())["training_job"]
    job = world.sagemaker.training_jobs[name]
    champion = {**job["InputDataConfig"][0], "ChannelName": "champion"}
    job["InputDataConfig"] = [*job["InputDataConfig"], champion]
    fail(world, name)
    after = world.sagemaker.training_jobs[names.following(name)]
    assert after["InputDataConfig"][:-1] == job["InputDataConfig"][:-1]
    assert (
        after["InputDataConfig"][-1]["DataSource"]["S3DataSource"]["S3Uri"]
        == champion["DataSource"]["S3DataSource"]["S3Uri"]
    )
    assert after["HyperParameters"]["weights"] == "pretrained"


def test_the_last_training_of_a_search_goes_on_too(world: World) -> None:
    name = launch_tuning({"recipe": "digits", "dataset": "digits"}, Context())["tuning_job"]
    best = {"TrainingJobName": "demo-1", "TunedHyperParameters": {"learning_rate": "0.05"}}
    world.sagemaker.tuning_jobs[name] |= {
        "HyperParameterTuningJobStatus": "Completed",
        "BestTrainingJob": best,
    }
    ended = {"HyperParameterTuningJobName": name, "HyperParameterTuningJobStatus": "Completed"}
    handler(sagemaker_event("SageMaker HyperParameter Tuning Job State Change", ended), Context())
    assert fail(world, f"{name}-final")["run"] == name
    after = world.sagemaker.training_jobs[f"{name}-final-type-2"]
    assert (after["HyperParameters"]["learning_rate"], after["HyperParameters"]["run"]) == ("0.05", name)


@pytest.mark.parametrize(
    "reason",
    ["AlgorithmError: CapacityError: no room", "ClientError: Data download failed", "CapacityError", ""],
)
def test_what_failed_for_something_else_is_left(world: World, by_hand: str, reason: str) -> None:
    assert "nothing to go on with" in fail(world, by_hand, reason)["ignored"]
    assert len(on(world)) == 1


def test_a_job_on_a_type_that_its_recipe_names_has_no_other(world: World) -> None:
    payload = {"recipe": "digits", "dataset": "digits", "resources": {"instance_type": "ml.g5.xlarge"}}
    name = handler(payload, Context())["training_job"]
    assert "nothing to go on with" in fail(world, name)["ignored"]


def test_a_trial_is_left_to_its_search(world: World, by_hand: str) -> None:
    world.sagemaker.training_jobs[by_hand]["TuningJobArn"] = "arn:aws:sagemaker:us-east-1:0:x/y"
    assert "nothing to go on with" in fail(world, by_hand)["ignored"]


def test_a_run_that_was_stopped_does_not_go_on(world: World, by_hand: str) -> None:
    world.s3.put("artifacts", f"runs/{by_hand}/stopped.json", "{}")
    assert "classifier stop" in fail(world, by_hand)["ignored"]
    assert len(on(world)) == 1


def refuse(world: World, *types: str) -> None:
    create = world.sagemaker.on["CreateTrainingJob"]

    def only_others(params: dict[str, Any]) -> dict[str, Any]:
        if params["ResourceConfig"]["InstanceType"] in types:
            raise AwsFailure("ResourceLimitExceeded", "The account-level service limit is 0 Instances.")
        return create(params)

    world.sagemaker.on["CreateTrainingJob"] = only_others


def test_a_type_without_a_quota_is_passed_over(world: World, by_hand: str) -> None:
    refuse(world, "ml.g5.xlarge")
    assert fail(world, by_hand)["training_job"] == f"{by_hand}-type-2"
    assert on(world)[f"{by_hand}-type-2"] == "ml.m5.xlarge"


def test_with_no_quota_for_any_other_it_is_told_of_once(world: World, by_hand: str) -> None:
    refuse(world, *TYPES)
    fail(world, by_hand, id="e-1")
    fail(world, by_hand, id="e-2")
    (mail,) = world.sns.mails
    assert by_hand in mail["Subject"]
    assert "ml.g5.xlarge, ml.m5.xlarge" in mail["Message"]


def test_a_stranger_of_the_same_name_is_not_taken_for_it(world: World, by_hand: str) -> None:
    world.sagemaker.training_jobs[f"{by_hand}-type-2"] = {
        "TrainingJobName": f"{by_hand}-type-2",
        "TrainingJobArn": "arn:aws:sagemaker:us-east-1:0:training-job/other",
        "HyperParameters": {"run": "demo-other"},
    }
    world.sagemaker.on["CreateTrainingJob"] = _in_use
    with pytest.raises(Exception, match="another run's"):
        fail(world, by_hand)


def _in_use(_: dict[str, Any]) -> dict[str, Any]:
    raise AwsFailure("ResourceInUse", "Training job names must be unique")


def test_nobody_is_told_of_a_failure_that_goes_on_but_of_the_last(world: World, by_hand: str) -> None:
    fail(world, by_hand)
    assert "another instance type" in register_model(event(by_hand), Context())["ignored"]
    assert not world.sns.mails
    for name in (f"{by_hand}-type-2", f"{by_hand}-type-3"):
        fail(world, name)
        register_model(event(name), Context())
    (mail,) = world.sns.mails
    assert f"{by_hand}-type-3" in mail["Subject"]


def test_the_longest_name_a_person_may_choose_has_room_for_the_jobs_that_follow(world: World) -> None:
    name = "demo-".ljust(names.TRAINING_JOB_LENGTH, "x")
    answer = handler({"recipe": "digits", "dataset": "digits", "name": name}, Context())
    assert answer["training_job"] == name
    assert len(fail(world, name)["training_job"]) <= 63


def test_a_running_job_has_nothing_to_go_on_with() -> None:
    job = {"TrainingJobStatus": "InProgress", "FailureReason": EMPTY, **capacity.environment(TYPES)}
    assert capacity.left(job) == ()
    assert capacity.left({**job, "TrainingJobStatus": "Failed"}) == TYPES
