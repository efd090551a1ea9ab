"""Accepted corrections become a search that starts by itself, on a deployment with IAM enforced.

The champion sleeps and was never trained: what counts of it here is what the registry and its run's record
say.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Final

import pytest

from contract import given, storage
from contract.decisions import Decision, Outcome, Reason, time_of
from contract.names import NO_CHAMPION, champion_parameter
from tests.system.conftest import LOCAL_SETTINGS, PROJECT, Deployment, deploying
from tests.system.releases import Registry, until
from tests.system.rights import role_of, without

pytestmark = [pytest.mark.timeout(1800), pytest.mark.long]

NAME: Final = "digits"
RUN: Final = f"{PROJECT}-digits-before"
IMAGE: Final = "000000000000.dkr.ecr.us-east-1.amazonaws.com/serving:1"
SETTINGS: Final = {
    "corrections": {"days": 7},
    "retrain": {"corrections": 2, "on_drift": True, "max_cost_usd_month": 20},
}


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """One that starts searches by itself; its champion was trained on the data set's first version."""
    home = tmp_path_factory.mktemp("retraining")
    with deploying("local", home, LOCAL_SETTINGS | SETTINGS) as deployed:
        pictures = deployed.home / "digits"
        deployed.cli("demo-data", str(pictures))
        deployed.cli("upload", str(pictures), "--dataset", NAME, "--yes")
        champion(deployed)
        yield deployed


def champion(deployment: Deployment) -> None:
    bucket = deployment.outputs["artifacts_bucket"]
    package = Registry(deployment.client, PROJECT, bucket).register(
        IMAGE, f"s3://{bucket}/jobs/x/model.tar.gz"
    )
    facts = {"training_job": f"{RUN}-final", "run": RUN, "recipe": "digits", "dataset": NAME}
    sagemaker = deployment.client("sagemaker")
    sagemaker.update_model_package(ModelPackageArn=package, CustomerMetadataProperties=facts)
    recipe = {
        "model": {"arch": "resnet18", "weights": "none"},
        "data": {"image_size": 32},
        "training": {"epochs": 1, "batch_size": 16, "learning_rate": 0.1},
    }
    record = {
        "run": RUN,
        "kind": "tuning",
        "request_id": "before",
        "dataset": NAME,
        "dataset_version": 1,
        "code_prefix": "code/x/",
        "recipe": {"name": "digits", "tables": recipe},
    }
    key = storage.of_run(RUN, storage.RUN_RECORD)
    deployment.client("s3").put_object(Bucket=bucket, Key=key, Body=json.dumps(record).encode())
    time = time_of(datetime.now(UTC))
    asleep = Decision(0, NO_CHAMPION, time, package, time, Reason(Outcome.ASKED_TO_SLEEP))
    deployment.client("ssm").put_parameter(
        Name=champion_parameter(PROJECT), Value=NO_CHAMPION, Description=asleep.text(), Overwrite=True
    )


def correct(deployment: Deployment, *numbers: int) -> None:
    """Pictures of a nine that are given, accepted, and put into the data set."""
    stack = deployment.client("cloudformation").describe_stacks(StackName=f"{PROJECT}-api")["Stacks"][0]
    (bucket,) = (each["OutputValue"] for each in stack["Outputs"] if each["OutputKey"] == "GivenBucket")
    s3 = deployment.client("s3")
    nines = sorted((deployment.home / "digits" / "test" / "9").iterdir())
    requests = []
    for number in numbers:
        body = nines[number].read_bytes() + bytes(number)
        request = f"00000000-0000-4000-8000-{number:012d}"
        answer = {"predicted_class": "4", "confidence": 0.6, "predictions": [{"class": "4"}, {"class": "9"}]}
        at, digest = datetime.now(UTC).isoformat(), sha256(body).hexdigest()
        record = given.Given(request, at, sender="ann", sha256=digest, size=len(body), answer=answer)
        said = given.Feedback(request, at, label="9")
        s3.put_object(Bucket=bucket, Key=given.picture_of(request), Body=body)
        s3.put_object(Bucket=bucket, Key=given.answer_of(request), Body=record.to_json())
        s3.put_object(Bucket=bucket, Key=given.feedback_of(request), Body=said.to_json())
        requests += ["--accept", request]
    deployment.cli("corrections", *requests, "--apply", "--dataset", NAME)


def look(deployment: Deployment, payload: Any = None) -> dict[str, Any]:
    return deployment.invoke("launch-retraining", payload or {})


def test_while_somebody_trains_nothing_starts(deployment: Deployment) -> None:
    correct(deployment, 1)
    assert look(deployment) == {"saw": "1 of 2 corrections"}
    correct(deployment, 2)
    request = {"recipe": "digits", "dataset": NAME, "hyperparameters": {"epochs": 200}}
    job = deployment.invoke("launch-training", request)["training_job"]
    assert look(deployment) == {"saw": f"{job} is running"}
    role = role_of(deployment, "launch-retraining")
    with without(deployment, role, "sagemaker:DescribeTrainingJob"):
        assert "sagemaker:DescribeTrainingJob" in look(deployment)["errorMessage"]
    deployment.cli("stop", job)
    sagemaker = deployment.client("sagemaker")
    until(
        lambda: sagemaker.describe_training_job(TrainingJobName=job)["TrainingJobStatus"] == "Stopped",
        120,
        lambda: str(sagemaker.describe_training_job(TrainingJobName=job)["TrainingJobStatus"]),
    )


def test_each_right_is_needed_and_with_all_of_them_one_search_starts(deployment: Deployment) -> None:
    data, artifacts = (deployment.outputs[f"{name}_bucket"] for name in ("data", "artifacts"))
    role = role_of(deployment, "launch-retraining")
    # s3:ListBucket makes AWS say of an object that it is missing; the local AWS says so without it.
    for action, resource in (
        ("s3:GetObject", f"{data}/datasets/*/newest.json"),
        ("s3:GetObject", f"{data}/datasets/*/versions/*"),
        ("s3:ListBucket", data),
        ("s3:GetObject", f"{artifacts}/recipes/*"),
        ("s3:GetObject", f"{artifacts}/runs/*"),
        ("s3:GetObject", f"{artifacts}/retraining/*"),
        ("s3:PutObject", f"{artifacts}/retraining/*"),
        ("ssm:GetParameterHistory", f"parameter/{PROJECT}/champion"),
        ("sagemaker:DescribeModelPackage", f"model-package/{PROJECT}/*"),
        ("sagemaker:ListHyperParameterTuningJobs", "*"),
        ("sagemaker:ListTrainingJobs", "*"),
        ("lambda:InvokeFunction", f"function:{PROJECT}-launch-tuning"),
        ("sns:Publish", f"{PROJECT}-alerts"),  # the last: it is started by then
    ):
        with without(deployment, role, action, resource):
            answer = look(deployment)
        assert action in answer.get("errorMessage", ""), (action, answer)
    answer = look(deployment)
    assert answer["why"] == "2 corrections", answer
    assert "saw" in look(deployment)
    assert "saw" in look(deployment, {"drift": 0.5}), "a search of the same champion and pictures"

    run = answer["started"]
    sagemaker = deployment.client("sagemaker")
    (search,) = sagemaker.list_hyper_parameter_tuning_jobs()["HyperParameterTuningJobSummaries"]
    assert search["HyperParameterTuningJobName"] == run
    arn = search["HyperParameterTuningJobArn"]
    tags = {each["Key"]: each["Value"] for each in sagemaker.list_tags(ResourceArn=arn)["Tags"]}
    assert (tags["scheduled"], tags["dataset"], tags["dataset-version"]) == ("corrections", NAME, "3")
    status = json.loads(deployment.cli("status", run, "--json", check=False).stdout)["data"]
    assert (status["scheduled"], status["dataset"]) == ({"corrections": 2}, f"{NAME}@3")
    deployment.cli("stop", run)
