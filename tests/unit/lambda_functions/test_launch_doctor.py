"""launch-doctor starts a job in the training image that nothing follows, or says what is wrong."""

from __future__ import annotations

import json
from typing import Any

import pytest

from contract import jobs
from functions.launch_doctor.handler import handler
from functions.launch_training.handler import handler as launch_training
from functions.register_model.handler import handler as register_model
from tests.unit.lambda_functions.fakes import AwsFailure, Context, World, sagemaker_event
from tests.unit.lambda_functions.test_launch_dataset import channels, uploaded

WEIGHTS = "s3://artifacts/weights/imagenet/resnet18.safetensors"


def ask(payload: Any = None, request_id: str = "request-1", **more: Any) -> dict[str, Any]:
    return handler(payload if payload is not None else {"dataset": "pets", **more}, Context(request_id))


def job(world: World) -> dict[str, Any]:
    (request,) = world.sagemaker.called("CreateTrainingJob")
    return request


def refusal(world: World, code: str, **payload: Any) -> str:
    """The message of what is refused, with nothing started."""
    answer = ask(payload) if "dataset" in payload else ask(**payload)
    assert answer["error"]["code"] == code, answer
    assert not world.sagemaker.called("CreateTrainingJob")
    return str(answer["error"]["message"])


def test_a_job_runs_the_doctor_on_the_files_that_a_version_lists(world: World) -> None:
    uploaded(world)
    answer = ask()
    assert (answer["statusCode"], answer["dataset"]) == (202, "pets@1")
    assert answer["training_job"].startswith("demo-doctor-")
    assert answer["watch"]["command"] == f"classifier doctor --job {answer['training_job']}"
    started = job(world)
    lists = "s3://data/datasets/pets/versions/1"
    assert channels(started) == {
        **{
            split: ("ManifestFile", f"{lists}/{split}.manifest", "File")
            for split in ("train", "valid", "test")
        },
        "dataset": ("ManifestFile", f"{lists}/shards.manifest", "File"),
        "code": ("S3Prefix", "s3://artifacts/code/abc/", "File"),
    }
    assert started["Environment"] == {"JOB_PACKAGE": "doctor"}
    assert started["EnableNetworkIsolation"] is True
    assert started["AlgorithmSpecification"]["TrainingImage"].endswith("/training:1")
    assert started["OutputDataConfig"] == {"S3OutputPath": "s3://artifacts/doctor"}
    assert started["HyperParameters"]["dataset"] == "pets@1"
    assert not world.s3.keys("artifacts", "runs/"), "no run has it"


def test_what_lies_there_becomes_a_version_when_the_job_starts(world: World) -> None:
    assert ask(dataset="digits", dry_run=True)["dataset"] == "digits@1"
    assert not world.s3.keys("data", "datasets/")
    assert ask(dataset="digits")["dataset"] == "digits@1"
    assert world.s3.keys("data", "datasets/digits/versions/1.json")


def test_a_dry_run_tells_the_cost_and_starts_nothing(world: World) -> None:
    uploaded(world)
    answer = ask(dry_run=True, max_minutes=30)
    assert answer["would_start"] == "the doctor on pets@1, 1 × ml.c7i.2xlarge"
    assert "30 + 5 minutes" in answer["cost"]["explained"]
    assert answer["cost"]["most_usd"] > 0
    assert not world.sagemaker.called("CreateTrainingJob")


def test_the_same_request_twice_is_the_same_job(world: World) -> None:
    uploaded(world)
    assert ask() == ask()
    assert len(world.sagemaker.called("CreateTrainingJob")) == 1
    ask(request_id="request-2")
    assert len(world.sagemaker.called("CreateTrainingJob")) == 2


def test_a_name_that_another_request_has_is_taken(world: World) -> None:
    uploaded(world)
    named = {"dataset": "pets", "name": "demo-doctor-mine"}
    assert ask(named)["training_job"] == "demo-doctor-mine"
    assert ask(named)["statusCode"] == 202
    assert ask(named, "request-2")["error"]["code"] == "JobExists"


def test_two_that_meet_are_told_apart_by_their_request(world: World) -> None:
    uploaded(world)
    named = {"dataset": "pets", "name": "demo-doctor-mine"}
    create = world.sagemaker.on["CreateTrainingJob"]

    def twice(params: dict[str, Any]) -> dict[str, Any]:
        create({**params, "HyperParameters": {**params["HyperParameters"], "request": first}})
        return create(params)

    world.sagemaker.on["CreateTrainingJob"] = twice
    first = "request-1"
    assert ask(named)["statusCode"] == 202
    first, named = "another", {**named, "name": "demo-doctor-other"}
    assert ask(named)["error"]["code"] == "JobExists"


def test_weights_come_in_a_channel(world: World) -> None:
    uploaded(world)
    world.s3.put("artifacts", "weights/imagenet/resnet18.safetensors", b"x" * 200_000)
    ask(weights=WEIGHTS)
    assert channels(job(world))["pretrained"] == ("S3Prefix", WEIGHTS, "File")


def test_a_gpu_type_has_the_image_with_cuda(world: World) -> None:
    uploaded(world)
    ask(instance_type="ml.g5.xlarge")
    assert job(world)["AlgorithmSpecification"]["TrainingImage"].endswith("/training-gpu:1")


@pytest.mark.parametrize(
    ("payload", "code", "named"),
    [
        ({"weights": WEIGHTS}, "InvalidWeights", "no .safetensors"),
        ({"weights": "s3://artifacts/jobs/x/model.tar.gz"}, "InvalidWeights", "weights/ only"),
        ({"weights": "s3://elsewhere/weights/x.pth"}, "InvalidWeights", "weights/ only"),
        ({"dataset": "pest"}, "UnknownDataset", "pets"),
        ({"dataset": "pets@7"}, "UnknownDataset", "7"),
        ({"dataset": "a b"}, "InvalidPayload", "data set's name"),
        ({"datasets": "pets"}, "InvalidPayload", "dataset"),
        ({"instance_type": "ml.c7i.2xlarg"}, "InvalidPayload", "ml.c7i.2xlarge"),
        ({"instance_type": 4}, "InvalidPayload", "instance_type"),
        ({"max_minutes": 0}, "InvalidPayload", "max_minutes"),
        ({"max_cost_usd": 0.01}, "CostTooHigh", "max_minutes or the instance type"),
        ({"dry_run": "yes"}, "InvalidPayload", "dry_run"),
        ({"name": "demo-mine"}, "InvalidName", "demo-doctor-"),
    ],
)
def test_what_cannot_be_done_is_named(world: World, payload: dict[str, Any], code: str, named: str) -> None:
    uploaded(world)
    assert named in refusal(world, code, **payload)


def test_several_files_of_weights_are_none(world: World) -> None:
    uploaded(world)
    for name in "ab":
        world.s3.put("artifacts", f"weights/{name}.safetensors", b"x" * 200_000)
    message = refusal(world, "InvalidWeights", weights="s3://artifacts/weights/")
    assert "weights/a.safetensors, weights/b.safetensors" in message


def test_a_payload_that_is_no_object_is_named(world: World) -> None:
    assert ask([1])["statusCode"] == 400


def test_a_packed_data_set_is_to_be_unpacked(world: World) -> None:
    for split in ("train", "valid", "test"):
        world.s3.put("data", f"tars/{split}/{split}.tar", b"x" * 2048)
    assert "unpack it" in refusal(world, "InvalidDataset", dataset="tars")


def test_of_several_types_the_next_is_taken_where_there_is_no_quota(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    uploaded(world)
    monkeypatch.setenv("TRAINING_INSTANCE_TYPE", "ml.c7i.2xlarge,ml.m5.xlarge")
    create = world.sagemaker.on["CreateTrainingJob"]

    def no_first(params: dict[str, Any]) -> dict[str, Any]:
        if params["ResourceConfig"]["InstanceType"] == "ml.c7i.2xlarge":
            raise AwsFailure("ResourceLimitExceeded", "The account-level limit is 0 Instances.")
        return create(params)

    world.sagemaker.on["CreateTrainingJob"] = no_first
    assert "ml.m5.xlarge" in ask()["started"]
    answer = ask(request_id="request-2", instance_type="ml.c7i.2xlarge")
    assert answer["error"]["code"] == "QuotaExceeded"
    assert "name another instance_type (classifier doctor --instance-type)" in answer["error"]["message"]


def ended(world: World, status: str, **more: Any) -> dict[str, Any]:
    """The event of a job's end that has the name of a run, which nothing keeps apart but what it runs."""
    name = ask({"dataset": "pets", "name": "demo-doctor-mine"})["training_job"]
    world.sagemaker.training_jobs[name] |= {"TrainingJobStatus": status, **more}
    run = {"run": name, "kind": "training", "request_id": "x", "dataset": "pets", "code_prefix": "code/abc/"}
    tables = {"model": {"arch": "resnet18", "weights": "none"}, "training": {"epochs": 1}}
    run["recipe"] = {"name": "doctor", "tables": tables}  # type: ignore[assignment]
    world.s3.put("artifacts", f"runs/{name}/run.json", json.dumps(run))
    return sagemaker_event("SageMaker Training Job State Change", {"TrainingJobName": name})


def test_no_model_is_made_of_what_the_doctor_found(world: World) -> None:
    uploaded(world)
    answer = register_model(ended(world, "Completed"), Context())
    assert "ignored" in answer
    assert not world.sagemaker.packages
    assert not world.sns.mails


def test_a_job_of_the_doctor_that_failed_is_not_trained_on_another_type(world: World) -> None:
    uploaded(world)
    reason = {"FailureReason": "CapacityError: Unable to provision requested ML compute capacity."}
    event = ended(world, "Failed", **reason)
    world.sagemaker.training_jobs["demo-doctor-mine"]["Environment"]["OTHER_INSTANCE_TYPES"] = "ml.m5.xlarge"
    assert "ignored" in launch_training(event, Context())
    assert "ignored" in register_model(event, Context())
    assert len(world.sagemaker.called("CreateTrainingJob")) == 1
    assert not world.sns.mails


def test_a_job_says_what_it_is() -> None:
    assert jobs.is_doctor({"Environment": {"JOB_PACKAGE": "doctor"}})
    assert not jobs.is_doctor({"Environment": {"JOB_PACKAGE": "training_code"}})
    assert not jobs.is_doctor({})
    assert jobs.is_batch({"Environment": {"JOB_PACKAGE": "batch"}})
    trained = ("doctor", "batch", "training_code.race", "training_code", "")
    assert [jobs.trains({"Environment": {"JOB_PACKAGE": each}}) for each in trained] == [
        False,
        False,
        False,
        True,
        True,
    ]
    assert jobs.trains({})
