"""Jobs as clients nobody here wrote see them: boto3 with its waiters, SageMaker's own SDK, the AWS CLI.

Everything is real: the server, IAM (as a role that may do only so much), S3, a container with a Dockerfile.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import os
import subprocess
import sys
import tarfile
import textwrap
import time
from collections.abc import Callable, Iterator
from typing import Any

import psutil
import pytest
from botocore.exceptions import ClientError, WaiterError

from local_aws.core.store import Store
from local_aws.images.store import ImageStore
from local_aws.testing.local_server import LocalServer
from system.sdk import sagemaker_sdk

IMAGE = "trainer:latest"
TRAINER = """
    import json, os, pathlib, signal, sys, time
    base = pathlib.Path(os.environ["SAGEMAKER_BASE_DIR"])
    hyperparameters = json.loads((base / "input/config/hyperparameters.json").read_text())
    print("hello from", sys.argv[1])
    if hyperparameters.get("fail"):
        (base / "output/failure").write_text("asked to fail")
        sys.exit(7)
    def stop(*_):
        print("stopping")
        (base / "model/weights.txt").write_text("so far")
        sys.exit(0)
    signal.signal(signal.SIGTERM, stop)
    for epoch in range(1, int(hyperparameters.get("epochs", "2")) + 1):
        print(f"epoch={epoch} score={float(hyperparameters.get('x', '1')) * epoch:.4f}")
        time.sleep(float(hyperparameters.get("pause", "0")))
    files = sorted(path.name for path in (base / "input/data").rglob("*") if path.is_file())
    (base / "model/weights.txt").write_text(" ".join(files))
    (base / "output/data/result.json").write_text(json.dumps(hyperparameters))
"""
DOCKERFILE = """
    ARG BASE_IMAGE=python:3.12-slim
    FROM ${BASE_IMAGE}
    COPY train.py /opt/program/train.py
    ENTRYPOINT ["python", "/opt/program/train.py"]
"""
PERMISSIONS = [
    {
        "Effect": "Allow",
        "Action": ["s3:GetObject", "s3:ListBucket"],
        "Resource": ["arn:aws:s3:::data", "arn:aws:s3:::data/*"],
    },
    {"Effect": "Allow", "Action": ["s3:PutObject"], "Resource": ["arn:aws:s3:::artifacts/*"]},
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    folder = tmp_path_factory.mktemp("jobs")
    server = LocalServer(folder / "state")
    (folder / "image").mkdir()
    (folder / "image/Dockerfile").write_text(textwrap.dedent(DOCKERFILE))
    (folder / "image/train.py").write_text(textwrap.dedent(TRAINER))
    images = ImageStore(Store(server.state / "local_aws.db"), server.state / "local_aws" / "images")
    images.build(folder / "image", uri=IMAGE)
    server.start()
    s3 = server.client("s3")
    for bucket in ("data", "artifacts"):
        s3.create_bucket(Bucket=bucket)
    for name in ("cat/1.jpg", "dog/2.jpg"):
        s3.put_object(Bucket="data", Key=f"set/train/{name}", Body=name.encode())
    make_role(server, "training", "sagemaker.amazonaws.com", PERMISSIONS)
    yield server
    server.stop()


def make_role(server: LocalServer, name: str, service: str, statements: list[dict[str, Any]]) -> str:
    iam = server.client("iam")
    principal = {"Service": service} if "." in service else {"AWS": "arn:aws:iam::000000000000:root"}
    trust = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
    arn: str = iam.create_role(
        RoleName=name,
        AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}),
    )["Role"]["Arn"]
    policy = {"Version": "2012-10-17", "Statement": statements}
    iam.put_role_policy(RoleName=name, PolicyName="work", PolicyDocument=json.dumps(policy))
    return arn


def job(name: str, **members: Any) -> dict[str, Any]:
    return {
        "TrainingJobName": name,
        "AlgorithmSpecification": {
            "TrainingImage": IMAGE,
            "TrainingInputMode": "File",
            "MetricDefinitions": [{"Name": "score", "Regex": "score=([0-9.]+)"}],
        },
        "RoleArn": "arn:aws:iam::000000000000:role/training",
        "InputDataConfig": [
            {
                "ChannelName": "train",
                "DataSource": {
                    "S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://data/set/train/"},
                },
            }
        ],
        "OutputDataConfig": {"S3OutputPath": "s3://artifacts/jobs"},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 5},
        "StoppingCondition": {"MaxRuntimeInSeconds": 600},
        **members,
    }


def tuning(name: str, **static: str) -> dict[str, Any]:
    definition = job(name)
    del definition["TrainingJobName"]
    return {
        "HyperParameterTuningJobName": name,
        "HyperParameterTuningJobConfig": {
            "Strategy": "Bayesian",
            "HyperParameterTuningJobObjective": {"Type": "Maximize", "MetricName": "score"},
            "ResourceLimits": {"MaxNumberOfTrainingJobs": 3, "MaxParallelTrainingJobs": 2},
            "ParameterRanges": {
                "ContinuousParameterRanges": [{"Name": "x", "MinValue": "0.1", "MaxValue": "1"}]
            },
        },
        "TrainingJobDefinition": {**definition, "StaticHyperParameters": {"epochs": "2", **static}},
        "Tags": [{"Key": "run", "Value": name}],
    }


def until(condition: Callable[[], object], seconds: float = 150.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.2)


def wait(server: LocalServer, name: str) -> dict[str, Any]:
    sagemaker = server.client("sagemaker")
    waiter = sagemaker.get_waiter("training_job_completed_or_stopped")
    with contextlib.suppress(WaiterError):  # its word for a failed job
        waiter.wait(TrainingJobName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 120})
    description: dict[str, Any] = sagemaker.describe_training_job(TrainingJobName=name)
    return description


def archive(server: LocalServer, uri: str) -> dict[str, str]:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    body = server.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    with tarfile.open(fileobj=io.BytesIO(body)) as tar:
        return {name: tar.extractfile(name).read().decode() for name in tar.getnames()}  # type: ignore[union-attr]


def log_lines(server: LocalServer, name: str) -> list[str]:
    logs = server.client("logs")
    group = "/aws/sagemaker/TrainingJobs"
    found = logs.describe_log_streams(logGroupName=group, logStreamNamePrefix=f"{name}/")["logStreams"]
    if not found:
        return []
    (stream,) = found
    events = logs.get_log_events(
        logGroupName=group, logStreamName=stream["logStreamName"], startFromHead=True
    )
    return [event["message"] for event in events["events"]]


def test_boto3_trains_and_finds_model_log_and_metrics(server: LocalServer) -> None:
    server.client("sagemaker").create_training_job(**job("boto", HyperParameters={"epochs": "2"}))
    description = wait(server, "boto")
    assert description["TrainingJobStatus"] == "Completed"
    assert archive(server, description["ModelArtifacts"]["S3ModelArtifacts"]) == {
        "weights.txt": "1.jpg 2.jpg"
    }
    output = archive(server, "s3://artifacts/jobs/boto/output/output.tar.gz")
    assert json.loads(output["result.json"]) == {"epochs": "2"}
    assert log_lines(server, "boto") == ["hello from train", "epoch=1 score=1.0000", "epoch=2 score=2.0000"]
    assert description["FinalMetricDataList"][0]["Value"] == 2.0
    metrics = server.client("cloudwatch").list_metrics(Namespace="/aws/sagemaker/TrainingJobs")["Metrics"]
    dimensions = [{"Name": "TrainingJobName", "Value": "boto"}]
    assert {
        "Namespace": "/aws/sagemaker/TrainingJobs",
        "MetricName": "score",
        "Dimensions": dimensions,
    } in metrics


def test_a_failing_job_ends_the_waiter_and_names_its_reason(server: LocalServer) -> None:
    sagemaker = server.client("sagemaker")
    sagemaker.create_training_job(**job("failing", HyperParameters={"fail": "1"}))
    waiter = sagemaker.get_waiter("training_job_completed_or_stopped")
    with pytest.raises(WaiterError, match="Failed"):
        waiter.wait(TrainingJobName="failing", WaiterConfig={"Delay": 1, "MaxAttempts": 120})
    description = sagemaker.describe_training_job(TrainingJobName="failing")
    assert description["FailureReason"] == "AlgorithmError: asked to fail, exit code: 7"


def test_a_stopped_job_saves_its_model(server: LocalServer) -> None:
    sagemaker = server.client("sagemaker")
    sagemaker.create_training_job(**job("stopping", HyperParameters={"epochs": "100", "pause": "1"}))
    until(
        lambda: sagemaker.describe_training_job(TrainingJobName="stopping")["SecondaryStatus"] == "Training"
    )
    until(lambda: "hello from train" in log_lines(server, "stopping"))
    sagemaker.stop_training_job(TrainingJobName="stopping")
    description = wait(server, "stopping")
    assert description["TrainingJobStatus"] == "Stopped"
    assert archive(server, description["ModelArtifacts"]["S3ModelArtifacts"]) == {"weights.txt": "so far"}


def test_sagemakers_own_sdk_trains_waits_and_lists(
    server: LocalServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    resources = sagemaker_sdk(server, monkeypatch)
    training = resources.TrainingJob.create(**snake(job("sdk")))
    training.wait(poll=1)
    assert training.training_job_status == "Completed"
    assert training.secondary_status_transitions[-1].status == "Completed"
    assert "sdk" in [found.training_job_name for found in resources.TrainingJob.get_all(name_contains="sdk")]
    assert resources.TrainingJob.get("sdk").model_artifacts.s3_model_artifacts.endswith("model.tar.gz")


def test_sagemakers_own_sdk_tunes_and_finds_the_best(
    server: LocalServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    resources = sagemaker_sdk(server, monkeypatch)
    tuner = resources.HyperParameterTuningJob.create(**snake(tuning("sdk-tuning")))
    tuner.wait(poll=1)
    assert tuner.hyper_parameter_tuning_job_status == "Completed"
    children = list(tuner.get_all_training_jobs())
    assert len(children) == 3
    best = tuner.best_training_job
    score = best.final_hyper_parameter_tuning_job_objective_metric.value
    assert score == max(child.final_hyper_parameter_tuning_job_objective_metric.value for child in children)
    assert tuner.training_job_status_counters.completed == 3


def test_the_aws_cli_creates_describes_lists_and_tags(server: LocalServer) -> None:
    request = json.dumps(job("cli"))
    arn = aws_cli(server, "create-training-job", "--cli-input-json", request)["TrainingJobArn"]
    aws_cli(server, "wait", "training-job-completed-or-stopped", "--training-job-name", "cli")
    described = aws_cli(server, "describe-training-job", "--training-job-name", "cli")
    assert described["TrainingJobStatus"] == "Completed"
    listed = aws_cli(server, "list-training-jobs", "--name-contains", "cli", "--status-equals", "Completed")
    assert [entry["TrainingJobName"] for entry in listed["TrainingJobSummaries"]] == ["cli"]
    aws_cli(server, "add-tags", "--resource-arn", arn, "--tags", "Key=owner,Value=me")
    tags = aws_cli(server, "list-tags", "--resource-arn", arn)["Tags"]
    assert tags == [{"Key": "owner", "Value": "me"}]


def test_state_changes_reach_rules_on_the_event_bus(server: LocalServer) -> None:
    sqs, events = server.client("sqs"), server.client("events")
    queue = sqs.create_queue(QueueName="changes")["QueueUrl"]
    pattern = {
        "source": ["aws.sagemaker"],
        "detail-type": ["SageMaker HyperParameter Tuning Job State Change"],
        "detail": {
            "HyperParameterTuningJobStatus": ["Completed"],
            "HyperParameterTuningJobName": [{"prefix": "evented"}],
        },
    }
    events.put_rule(Name="changes", EventPattern=json.dumps(pattern))
    queue_arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"][
        "QueueArn"
    ]
    policy = {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": queue_arn,
    }
    sqs.set_queue_attributes(
        QueueUrl=queue, Attributes={"Policy": json.dumps({"Version": "2012-10-17", "Statement": [policy]})}
    )
    events.put_targets(Rule="changes", Targets=[{"Id": "queue", "Arn": queue_arn}])
    server.client("sagemaker").create_hyper_parameter_tuning_job(**tuning("evented"))
    messages: list[dict[str, Any]] = []

    def received() -> bool:
        messages.extend(sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=1).get("Messages", []))
        return bool(messages)

    until(received)
    event = json.loads(messages[0]["Body"])
    assert event["detail"]["HyperParameterTuningJobName"] == "evented"
    assert event["detail"]["Tags"] == {"run": "evented"}
    assert event["detail"]["BestTrainingJob"]["TrainingJobName"].startswith("evented-0")


def test_a_role_without_the_permission_fails_the_job_as_on_aws(server: LocalServer) -> None:
    role = make_role(server, "no-upload", "sagemaker.amazonaws.com", PERMISSIONS[:1])
    server.client("sagemaker").create_training_job(**job("no-upload", RoleArn=role))
    description = wait(server, "no-upload")
    assert description["TrainingJobStatus"] == "Failed"
    assert "s3:PutObject" in description["FailureReason"]
    blind = make_role(server, "blind", "sagemaker.amazonaws.com", PERMISSIONS[1:])
    with pytest.raises(ClientError, match=r"No S3 objects found under S3 URL \"s3://data/set/train/\""):
        server.client("sagemaker").create_training_job(**job("blind", RoleArn=blind))


def test_a_caller_who_may_not_pass_the_role_starts_nothing(server: LocalServer) -> None:
    allowed = {"Effect": "Allow", "Action": "sagemaker:*", "Resource": "*"}
    arn = make_role(server, "caller", "account", [allowed])
    keys = server.client("sts").assume_role(RoleArn=arn, RoleSessionName="test")["Credentials"]
    sagemaker = server.client("sagemaker", keys)
    with pytest.raises(ClientError, match="iam:PassRole"):
        sagemaker.create_training_job(**job("not-passed"))
    with pytest.raises(ClientError, match="iam:PassRole"):
        sagemaker.create_hyper_parameter_tuning_job(**tuning("not-passed"))
    assert sagemaker.list_training_jobs(NameContains="not-passed")["TrainingJobSummaries"] == []


def test_after_kill_9_nothing_is_lost_and_running_jobs_are_failed(server: LocalServer) -> None:
    sagemaker = server.client("sagemaker")
    sagemaker.create_training_job(**job("finished"))
    wait(server, "finished")
    sagemaker.create_hyper_parameter_tuning_job(**tuning("killed", epochs="1000", pause="1"))
    until(lambda: trainers(server))
    assert server.process is not None
    server.kill()
    until(lambda: not trainers(server))
    server.start()
    assert sagemaker.describe_training_job(TrainingJobName="finished")["TrainingJobStatus"] == "Completed"
    description = sagemaker.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName="killed")
    assert description["HyperParameterTuningJobStatus"] == "Failed"
    assert "the local AWS was stopped while this job ran" in description["FailureReason"]
    counters = description["TrainingJobStatusCounters"]
    assert counters["InProgress"] == 0
    assert counters["NonRetryableError"] >= 1


def trainers(server: LocalServer) -> list[int]:
    """Training containers of this server that are alive."""
    marker = str(server.state)
    return [
        found.pid
        for found in psutil.process_iter(["cmdline"])
        if any(marker in word and word.endswith("train.py") for word in found.info["cmdline"] or [])
        and found.status() != psutil.STATUS_ZOMBIE
    ]


def aws_cli(server: LocalServer, *arguments: str) -> Any:
    done = subprocess.run(
        [sys.executable, "-m", "awscli", "--endpoint-url", server.url, "sagemaker", *arguments],
        env={**os.environ, **server.keys, "AWS_PAGER": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout) if done.stdout.strip() else None


def snake(value: Any) -> Any:
    """A request as the SDK wants it: member names in snake case (names of hyperparameters as they are)."""
    pascal_to_snake = importlib.import_module("sagemaker.core.utils.code_injection.codec").pascal_to_snake
    if isinstance(value, dict):
        return {
            pascal_to_snake(key): item if key == "StaticHyperParameters" else snake(item)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [snake(item) for item in value]
    return value
