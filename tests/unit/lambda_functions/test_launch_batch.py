"""launch-batch starts a job that answers what lies below an address, or says what is wrong."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest

from contract.batch import KEYS, Listed
from contract.decisions import Outcome, Reason
from contract.storage import batch_list
from functions.common import champion
from functions.launch_batch import pictures
from functions.launch_batch.handler import handler
from functions.register_model.handler import handler as register_model
from tests.unit.lambda_functions.fakes import NOW, AwsFailure, Context, World, package_arn, sagemaker_event
from tests.unit.lambda_functions.test_launch_dataset import channels

SOURCE = "s3://data/holiday/"
ARCHIVE = "s3://artifacts/jobs/demo-x-final/output/model.tar.gz"


@pytest.fixture(autouse=True)
def model(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A champion, version 1, and pictures."""
    monkeypatch.setenv("MODEL_PACKAGES", package_arn(1).removesuffix("1"))
    registered(world, 1)
    serve(package_arn(1))
    for name in ("a.jpg", "deep/er/b.png", "c"):
        world.s3.put("data", f"holiday/{name}", name)
    for name in (".hidden/x.jpg", "deep/.DS_Store", "Thumbs.db", "deep/"):
        world.s3.put("data", f"holiday/{name}", "x")
    world.s3.put("data", "holiday2/d.jpg", "d")


def registered(world: World, version: int, archive: str = ARCHIVE, **metadata: str) -> None:
    world.sagemaker.packages[package_arn(version)] = {
        "ModelPackageGroupName": "demo",
        "InferenceSpecification": {"Containers": [{"ModelDataUrl": archive}]},
        "CustomerMetadataProperties": metadata,
        "CreationTime": NOW,
    }
    world.s3.put("artifacts", archive.removeprefix("s3://artifacts/"), b"model")


def serve(arn: str, asleep: str = "") -> None:
    champion.decide("/demo/champion", arn, champion.now(), Reason(Outcome.BY_HAND), asleep=asleep)


def ask(request_id: str = "request-1", **payload: Any) -> dict[str, Any]:
    return handler({"source": SOURCE, **payload}, Context(request_id))


def job(world: World) -> dict[str, Any]:
    return world.sagemaker.called("CreateTrainingJob")[-1]


def listed(world: World) -> list[Listed]:
    key = f"{batch_list(job(world)['TrainingJobName'])}{KEYS}"
    text = gzip.decompress(world.s3.objects["artifacts", key]).decode()
    return [Listed.read(line) for line in text.splitlines()]


def test_a_job_answers_what_lies_below_an_address(world: World) -> None:
    answer = ask()
    assert answer["statusCode"] == 202
    started = job(world)
    name = started["TrainingJobName"]
    assert name == answer["training_job"]
    assert name.startswith("demo-batch-")
    assert answer["watch"]["command"] == f"classifier batch --job {name}"
    assert channels(started) == {
        "pictures": ("S3Prefix", SOURCE, "FastFile"),
        "list": ("S3Prefix", f"s3://artifacts/batch/lists/{name}/", "File"),
        "model": ("S3Prefix", ARCHIVE, "File"),
        "code": ("S3Prefix", "s3://artifacts/code/abc/", "File"),
    }
    assert started["Environment"] == {"JOB_PACKAGE": "batch", "MODEL_PACKAGE_ARN": package_arn(1)}
    assert started["EnableManagedSpotTraining"] is True
    assert started["StoppingCondition"] == {"MaxRuntimeInSeconds": 3600, "MaxWaitTimeInSeconds": 7200}
    assert started["EnableNetworkIsolation"] is True
    assert started["OutputDataConfig"] == {
        "S3OutputPath": "s3://artifacts/batch/answers",
        "CompressionType": "NONE",
    }
    assert started["HyperParameters"]["pictures"] == "3"
    assert not world.s3.keys("artifacts", "runs/"), "no run has it"


def test_features_are_kept_where_they_are_asked_for_and_their_size_is_said(world: World) -> None:
    planned = ask(features=True, dry_run=True, expected=1_000_000)
    assert "at most 512.0 MB" in str(planned["notes"])
    assert "features" not in str(ask(dry_run=True)["notes"])
    ask("1")
    assert "features" not in job(world)["HyperParameters"]
    place = job(world)["CheckpointConfig"]
    ask("2", features=True)
    assert job(world)["HyperParameters"]["features"] == "true"
    assert job(world)["CheckpointConfig"] == place, "it goes on with what was answered"
    assert ask("3", features="yes")["statusCode"] == 400


def test_the_list_has_each_picture_once_with_its_content(world: World) -> None:
    ask()
    assert [each.key for each in listed(world)] == ["holiday/a.jpg", "holiday/c", "holiday/deep/er/b.png"]
    before = {each.key: each.identity for each in listed(world)}
    world.s3.put("data", "holiday/a.jpg", "another")
    ask("request-2")
    after = {each.key: each.identity for each in listed(world)}
    assert {key for key in after if after[key] != before[key]} == {"holiday/a.jpg"}


def test_runs_of_the_same_pictures_and_model_share_their_answers(world: World) -> None:
    registered(world, 2)

    def kept(request_id: str, **payload: Any) -> str:
        ask(request_id, **payload)
        return str(job(world)["CheckpointConfig"]["S3Uri"])

    first = kept("1")
    assert first.startswith("s3://artifacts/batch/parts/")
    assert kept("2", format="csv", spot=False, instance_count=3) == first
    others = [kept("3", version=2), kept("4", relative=True), kept("5", afresh=True), kept("6", afresh=True)]
    assert len({first, *others}) == 5
    assert kept("7", source="s3://data/holiday") == first
    assert kept("8", source="s3://data/holiday2/") != first


def test_the_champion_answers_while_it_sleeps(world: World) -> None:
    serve("none", asleep=package_arn(1))
    assert ask()["statusCode"] == 202
    assert job(world)["Environment"]["MODEL_PACKAGE_ARN"] == package_arn(1)


def test_a_model_that_serves_on_a_gpu_answers_by_its_weights(world: World) -> None:
    registered(world, 2, image_target="gpu")
    answer = ask(version=2, dry_run=True)
    assert any("on a GPU" in note for note in answer["notes"])
    ask(version=2, instance_type="ml.g5.xlarge")
    assert job(world)["Environment"]["SERVE_FORM"] == "pytorch"
    assert job(world)["AlgorithmSpecification"]["TrainingImage"].endswith("/training-gpu:1")


def test_a_dry_run_tells_the_cost_and_starts_and_writes_nothing(world: World) -> None:
    answer = ask(dry_run=True, max_minutes=30, instance_count=2)
    assert answer["would_start"] == (
        "version 1 answers 3 pictures below s3://data/holiday/, 2 × ml.c7i.2xlarge, managed spot"
    )
    assert "30 + 5 minutes" in answer["cost"]["explained"]
    assert answer["cost"]["explained"].endswith("; spot costs less")
    assert answer["machines"]["spot"] is True
    assert "150,000 pictures" in ask(dry_run=True, expected=150_000, source="s3://data/new/")["would_start"]
    assert not world.sagemaker.called("CreateTrainingJob")
    assert not world.s3.keys("artifacts", "batch/")


def test_the_same_request_twice_is_the_same_job(world: World) -> None:
    assert ask() == ask()
    assert len(world.sagemaker.called("CreateTrainingJob")) == 1
    assert ask("request-2", name="demo-batch-mine")["statusCode"] == 202
    assert ask("request-3", name="demo-batch-mine")["error"]["code"] == "JobExists"


@pytest.mark.parametrize(
    ("payload", "code", "named"),
    [
        ({"source": None}, "InvalidPayload", "source"),
        ({"source": "holiday"}, "InvalidPayload", "S3 address"),
        ({"source": "s3://data/"}, "InvalidPayload", "S3 address of a folder"),
        ({"source": "s3://data"}, "InvalidPayload", "S3 address"),
        ({"source": f"s3://data/{'x' * 2000}"}, "InvalidPayload", "S3 address"),
        ({"source": "s3://data/nothing"}, "NoPictures", "s3://data/nothing/"),
        ({"source": "s3://elsewhere/x"}, "ForeignBucket", "aws s3 sync s3://elsewhere/x/ s3://data/x/"),
        ({"source": "s3://elsewhere/x"}, "ForeignBucket", 'Add "elsewhere" to batch.read_buckets'),
        ({"version": 7}, "UnknownModel", "no version 7"),
        ({"version": 0}, "InvalidPayload", "version"),
        ({"version": "1"}, "InvalidPayload", "version"),
        ({"format": "xml"}, "InvalidPayload", "jsonl or csv"),
        ({"spot": "no"}, "InvalidPayload", "spot"),
        ({"expected": 4}, "InvalidPayload", "dry_run"),
        ({"instance_count": 0}, "InvalidPayload", "instance_count"),
        ({"instance_type": "ml.c7i.2xlarg"}, "InvalidPayload", "ml.c7i.2xlarge"),
        ({"max_cost_usd": 0.01}, "CostTooHigh", "max_minutes, instance_count or the instance type"),
        ({"name": "demo-mine"}, "InvalidName", "demo-batch-"),
        ({"sauce": "s3://data/holiday"}, "InvalidPayload", "source"),
    ],
)
def test_what_cannot_be_done_is_named_and_nothing_is_started(
    world: World, payload: dict[str, Any], code: str, named: str
) -> None:
    answer = ask(**payload)
    assert answer["error"]["code"] == code, answer
    assert named in answer["error"]["message"]
    assert not world.sagemaker.called("CreateTrainingJob")
    assert not world.s3.keys("artifacts", "batch/")


def test_without_a_model_it_says_how_to_get_one(world: World) -> None:
    serve("none")
    answer = ask()
    assert answer["error"]["code"] == "UnknownModel"
    assert "classifier tune" in answer["error"]["message"]


def test_pictures_of_others_are_answered_where_the_settings_name_their_bucket(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("READ_BUCKETS", "other,theirs")
    world.s3.put("theirs", "shelf/a.jpg")
    answer = ask(source="s3://theirs/shelf")
    (job,) = world.sagemaker.called("CreateTrainingJob")
    assert "s3://theirs/shelf/" in channels(job)["pictures"]
    assert "1 pictures below s3://theirs/shelf/" in answer["started"]


@pytest.mark.parametrize(("bucket", "code"), [("theirs", "NotAllowed"), ("data", "AccessDenied")])
def test_a_bucket_whose_owner_allows_nothing_is_named_with_the_roles_to_allow(
    world: World, monkeypatch: pytest.MonkeyPatch, bucket: str, code: str
) -> None:
    monkeypatch.setenv("READ_BUCKETS", "theirs")

    listed = world.s3.on["ListObjectsV2"]

    def denied(params: dict[str, Any]) -> dict[str, Any]:
        if params["Bucket"] == bucket:
            raise AwsFailure("AccessDenied", "not authorized to perform s3:ListBucket", 403)
        return listed(params)

    world.s3.on["ListObjectsV2"] = denied
    if bucket == "data":  # its own role lacks a right: that is no mistake of who asks
        with pytest.raises(Exception, match=code):
            ask(source=f"s3://{bucket}/holiday")
        return
    answer = ask(source=f"s3://{bucket}/holiday")
    assert (answer["statusCode"], answer["error"]["code"]) == (403, code)
    for part in ("demo-launch-batch", "role/demo-training-job", "s3:GetObject"):
        assert part in answer["error"]["message"]


def test_a_model_that_no_job_may_read_is_refused(world: World) -> None:
    registered(world, 2, "s3://elsewhere/jobs/x/output/model.tar.gz")
    registered(world, 3, "s3://artifacts/jobs/gone/output/model.tar.gz")
    world.s3.objects.pop(("artifacts", "jobs/gone/output/model.tar.gz"))
    for version, named in ((2, "s3://elsewhere"), (3, "gone")):
        answer = ask(version=version)
        assert answer["error"]["code"] == "UnusableModel"
        assert named in answer["error"]["message"]


def test_more_pictures_than_can_be_listed_are_to_be_named_in_parts(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pictures, "MOST", 2)
    assert ask()["error"]["code"] == "TooManyPictures"


def test_where_no_spot_instance_is_allowed_it_says_what_to_do(world: World) -> None:
    world.sagemaker.refuse_with = AwsFailure(
        "ResourceLimitExceeded", "The account-level limit is 0 Instances."
    )
    answer = ask()
    assert answer["error"]["code"] == "QuotaExceeded"
    assert "--on-demand" in answer["error"]["message"]


def test_nothing_follows_a_batch(world: World) -> None:
    name = ask(name="demo-batch-mine")["training_job"]
    world.sagemaker.training_jobs[name] |= {"TrainingJobStatus": "Completed"}
    run = {"run": name, "kind": "training", "request_id": "x", "dataset": "pets", "code_prefix": "code/abc/"}
    tables = {"model": {"arch": "resnet18", "weights": "none"}, "training": {"epochs": 1}}
    run["recipe"] = {"name": "batch", "tables": tables}  # type: ignore[assignment]
    world.s3.put("artifacts", f"runs/{name}/run.json", json.dumps(run))
    packages = dict(world.sagemaker.packages)
    event = sagemaker_event("SageMaker Training Job State Change", {"TrainingJobName": name})
    assert "ignored" in register_model(event, Context())
    assert world.sagemaker.packages == packages
