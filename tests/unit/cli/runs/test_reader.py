"""A run is put together from what the APIs answer; what cannot change any more is asked for once."""

from __future__ import annotations

import io
from collections import Counter
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
from botocore.exceptions import ClientError

from cli.runs.newest import latest_run
from cli.runs.reader import NoSuchRun, RunReader
from tests.unit.cli.conftest import client_error

RUN = "classifier-digits-0a1b2c3d"
ARN = "arn:aws:sagemaker:us-east-1:000000000000:model-package/classifier/1"
NOW = datetime.now(UTC)


class SageMaker:
    """One finished run, its package, and what was asked."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()

    def _found(self, operation: str, name: str, known: dict[str, dict[str, Any]]) -> dict[str, Any]:
        self.asked[operation] += 1
        if name not in known:
            raise client_error("ValidationException", "Could not find it")
        return {"TrainingJobName": name, **known[name]}

    def describe_hyper_parameter_tuning_job(self, HyperParameterTuningJobName: str) -> dict[str, Any]:
        job = {
            "HyperParameterTuningJobStatus": "Completed",
            "CreationTime": NOW,
            "HyperParameterTuningEndTime": NOW + timedelta(seconds=20),
            "HyperParameterTuningJobConfig": {
                "HyperParameterTuningJobObjective": {"Type": "Maximize", "MetricName": "valid_accuracy"},
                "ResourceLimits": {"MaxNumberOfTrainingJobs": 1},
            },
            "TrainingJobDefinition": {"StaticHyperParameters": {"dataset": "digits", "dataset_version": "3"}},
        }
        return self._found("tuning", HyperParameterTuningJobName, {RUN: job})

    def get_paginator(self, name: str) -> Any:
        assert name == "list_training_jobs_for_hyper_parameter_tuning_job"
        trial = {
            "TrainingJobName": f"{RUN}-001-aabbccdd",
            "TrainingJobStatus": "Completed",
            "TunedHyperParameters": {"batch_size": '"16"'},
            "FinalHyperParameterTuningJobObjectiveMetric": {"MetricName": "valid_accuracy", "Value": 0.97},
        }
        return SimpleNamespace(paginate=lambda **_: [{"TrainingJobSummaries": [trial]}])

    def describe_training_job(self, TrainingJobName: str) -> dict[str, Any]:
        job = {
            "TrainingJobStatus": "Completed",
            "SecondaryStatus": "Completed",
            "CreationTime": NOW,
            "TrainingEndTime": NOW + timedelta(seconds=30),
            "FinalMetricDataList": [{"MetricName": "test_accuracy", "Value": 0.96}],
            "HyperParameters": {"dataset": "digits", "dataset_version": "4"},
        }
        known = {f"{RUN}-final": job, "classifier-hand": job, **self.others}
        return self._found("training", TrainingJobName, known)

    def list_model_packages(self, **_: Any) -> dict[str, Any]:
        return {"ModelPackageSummaryList": [{"ModelPackageArn": ARN}]}

    def describe_model_package(self, ModelPackageName: str) -> dict[str, Any]:
        return {
            "ModelApprovalStatus": self.approval,
            "CreationTime": NOW,
            "CustomerMetadataProperties": {
                "training_job": f"{RUN}-final",
                "verdict": "first model",
                **({"test_accuracy": self.accuracy} if self.accuracy else {}),
                **({"outcome": self.gate} if self.gate else {}),
            },
        }

    others: ClassVar[dict[str, dict[str, Any]]] = {
        name: {"Environment": {"JOB_PACKAGE": package}, "TrainingJobStatus": "Completed"}
        for name, package in (("classifier-batch-1", "batch"), ("classifier-doctor-1", "doctor"))
    }
    accuracy = ""
    approval = "Approved"
    gate = ""

    def describe_endpoint(self, EndpointName: str) -> dict[str, Any]:
        return {"EndpointStatus": "InService"}

    def list_hyper_parameter_tuning_jobs(self, **_: Any) -> dict[str, Any]:
        return {"HyperParameterTuningJobSummaries": self.tunings}

    def list_training_jobs(self, **_: Any) -> dict[str, Any]:
        return {"TrainingJobSummaries": self.trainings}

    tunings: list[dict[str, Any]] = []  # noqa: RUF012
    trainings: list[dict[str, Any]] = []  # noqa: RUF012


class Logs:
    def get_paginator(self, name: str) -> Any:
        lines = ["starting", "epoch=1 train_loss=0.9", "epoch=2 train_loss=0.4", "epoch=2 train_loss=0.3"]
        events = [{"logStreamName": f"{RUN}-final/algo-1", "message": line} for line in lines]
        events.append({"logStreamName": f"{RUN}-001-aabbccdd/algo-1", "message": "epoch=9 train_loss=9"})
        return SimpleNamespace(paginate=lambda **_: [{"events": events}])


class Stacks:
    def describe_stacks(self, StackName: str) -> dict[str, Any]:
        parameters = [
            {"ParameterKey": "CandidateParameter", "ParameterValue": "", "ResolvedValue": "none"},
            {"ParameterKey": "ChampionParameter", "ParameterValue": "", "ResolvedValue": ARN},
        ]
        outputs = [{"OutputKey": "ArtifactsBucket", "OutputValue": "artifacts"}]
        stack = {"StackStatus": "UPDATE_COMPLETE", "Parameters": parameters, "Outputs": outputs}
        return {"Stacks": [stack]}


class Bucket:
    """S3 with what `classifier stop` left, if it left anything, and the run's record."""

    exceptions = SimpleNamespace(ClientError=ClientError)

    def __init__(self, mark: bytes | None = None, record: bytes | None = None) -> None:
        self.mark, self.record = mark, record

    def get_object(self, Bucket: str, Key: str) -> dict[str, Any]:
        assert Bucket == "artifacts"
        run, _, file = Key.removeprefix("runs/").partition("/")
        assert run in ("classifier-hand", RUN)
        content = {"stopped.json": self.mark, "run.json": self.record}[file]
        if content is None:
            raise client_error("NoSuchKey")
        return {"Body": io.BytesIO(content)}


class Parameters:
    exceptions = SimpleNamespace(ParameterNotFound=KeyError)

    def get_paginator(self, name: str) -> Any:
        page = {
            "Parameters": [
                {"Version": 2, "Value": ARN, "LastModifiedDate": NOW},
                {"Version": 1, "Value": "none", "LastModifiedDate": NOW},
            ]
        }
        return SimpleNamespace(paginate=lambda Name: [page])


@pytest.fixture
def aws(target: Any) -> Any:
    return _of(target, SageMaker())


@pytest.mark.parametrize(
    ("gate", "waits"), [("other-classes", True), ("passed", False), ("of tomorrow", False), ("", False)]
)
def test_that_a_model_waits_for_its_other_classes_is_read_from_its_package(
    aws: Any, monkeypatch: pytest.MonkeyPatch, gate: str, waits: bool
) -> None:
    monkeypatch.setattr(SageMaker, "approval", "PendingManualApproval")
    monkeypatch.setattr(SageMaker, "gate", gate)
    run = RunReader(aws, RUN).read()
    assert run.outcome == "awaiting approval"
    assert ("other classes than now (first model)" in run.reason) == waits


@pytest.mark.parametrize("kind", ["batch", "doctor"])
def test_a_job_that_trains_nothing_is_no_run_and_the_command_for_it_is_named(aws: Any, kind: str) -> None:
    with pytest.raises(NoSuchRun, match=rf"trains nothing\. `classifier {kind} --job classifier-{kind}-1"):
        RunReader(aws, f"classifier-{kind}-1")


def test_a_finished_run_is_read_whole(aws: Any) -> None:
    run = RunReader(aws, RUN).read()
    assert run.outcome == "serving"
    assert run.tuning is not None
    assert run.tuning.best is not None
    assert run.tuning.best.hyperparameters == {"batch_size": "16"}
    assert run.training is not None
    assert run.training.metrics == {"test_accuracy": 0.96}
    assert run.package is not None
    assert run.package.version == "1"
    assert run.data == "digits@3"


@pytest.mark.parametrize(
    ("record", "scheduled"),
    [
        (b'{"scheduled": {"corrections": 212, "drift": 0.314}}', {"corrections": 212, "drift": 0.314}),
        (b'{"scheduled": {"corrections": "many", "whim": 1}}', {}),
        (b'{"scheduled": 7}', {}),
        (b"{", {}),
        (None, {}),
    ],
)
def test_why_a_run_started_by_itself_is_read_from_its_record(
    target: Any, record: bytes | None, scheduled: dict[str, float]
) -> None:
    run = RunReader(_of(target, SageMaker(), Bucket(record=record)), RUN).read()
    assert run.scheduled == scheduled


def test_a_resumed_job_s_repeated_epoch_counts_once(aws: Any) -> None:
    run = RunReader(aws, RUN).read()
    assert run.training is not None
    assert [row["train_loss"] for row in run.training.epochs] == [0.9, 0.3]


def test_finished_jobs_are_not_asked_for_again(aws: Any) -> None:
    reader = RunReader(aws, RUN)
    reader.read()
    asked = aws.client("sagemaker").asked.copy()
    reader.read()
    assert aws.client("sagemaker").asked == asked


def test_a_final_training_s_name_finds_its_run(aws: Any) -> None:
    assert RunReader(aws, f"{RUN}-final").read().name == RUN


def test_a_training_by_hand_is_a_run(aws: Any) -> None:
    run = RunReader(aws, "classifier-hand").read()
    assert run.tuning is None
    assert run.training is not None
    assert run.data == "digits@4"


def test_an_unknown_run_is_named(aws: Any) -> None:
    with pytest.raises(NoSuchRun, match="classifier-nothing"):
        RunReader(aws, "classifier-nothing")


def test_the_newest_run_is_neither_a_trial_nor_a_final_training(aws: Any) -> None:
    def job(name: str, age: int) -> dict[str, Any]:
        return {"TrainingJobName": name, "CreationTime": NOW - timedelta(seconds=age)}

    sagemaker = aws.client("sagemaker")
    with pytest.raises(NoSuchRun, match=r"Nothing has been run yet.*tune --recipe RECIPE --dataset NAME"):
        latest_run(aws)
    sagemaker.tunings = [{"HyperParameterTuningJobName": RUN, "CreationTime": NOW - timedelta(seconds=50)}]
    sagemaker.trainings = [job(f"{RUN}-001-aabbccdd", 1), job(f"{RUN}-final", 2), job("my-classifier-x", 3)]
    assert latest_run(aws) == RUN
    sagemaker.trainings.append(job("classifier-digits-99", 10))
    assert latest_run(aws) == "classifier-digits-99"


def test_a_job_of_the_doctor_is_no_run_but_one_of_a_recipe_of_that_name_is(aws: Any) -> None:
    ours, recipes = "classifier-doctor-11", "classifier-doctor-22"
    sagemaker = aws.client("sagemaker")
    sagemaker.describe_training_job = lambda TrainingJobName: {
        "Environment": {"JOB_PACKAGE": "doctor"} if TrainingJobName == ours else {}
    }
    sagemaker.trainings = [{"TrainingJobName": recipes, "CreationTime": NOW}]
    sagemaker.trainings += [{"TrainingJobName": ours, "CreationTime": NOW + timedelta(seconds=9)}]
    assert latest_run(aws) == recipes


def test_the_test_accuracy_is_the_new_model_s_and_not_the_champion_s(aws: Any) -> None:
    # SageMaker took the last number that its pattern found in the log, which was the champion's.
    aws.client("sagemaker").accuracy = "0.871"
    run = RunReader(aws, RUN).read()
    assert run.training is not None
    assert run.training.metrics["test_accuracy"] == 0.96
    assert run.test_accuracy == 0.871


def test_a_package_without_a_usable_accuracy_leaves_the_job_s(aws: Any) -> None:
    for aws.client("sagemaker").accuracy in ("", "unknown"):
        assert RunReader(aws, RUN).read().test_accuracy == 0.96


class WithoutAnInstance(SageMaker):
    """A last training that AWS had no instance for, and what followed on it."""

    def __init__(self, *following: str) -> None:
        super().__init__()
        self.following = following

    def describe_training_job(self, TrainingJobName: str) -> dict[str, Any]:
        now = datetime.now(UTC)  # what follows is waited for, and five minutes from NOW no more
        job = {
            "TrainingJobStatus": "Failed",
            "CreationTime": now,
            "TrainingEndTime": now,
            "FailureReason": "CapacityError: Unable to provision requested ML compute capacity.",
            "Environment": {"OTHER_INSTANCE_TYPES": "ml.m5.2xlarge"},
        }
        running = {"TrainingJobStatus": "InProgress", "CreationTime": NOW}
        known = {f"{RUN}-final": job, **dict.fromkeys(self.following, running)}
        return self._found("training", TrainingJobName, known)


@pytest.mark.parametrize(
    ("mark", "why"),
    [(b'{"why": "too dear"}', "too dear"), (b"[]", "nobody said why"), (b"{", "nobody said why")],
)
def test_a_run_that_was_stopped_has_not_failed_and_says_why(target: Any, mark: bytes, why: str) -> None:
    run = RunReader(_of(target, WithoutAnInstance(), Bucket(mark)), RUN).read()
    assert (run.outcome, run.reason, run.over) == ("stopped", why, True)


def test_a_training_without_an_instance_has_not_failed_while_another_type_is_left(target: Any) -> None:
    run = RunReader(_of(target, WithoutAnInstance()), RUN).read()
    assert run.training is not None
    assert (run.training.name, run.outcome) == (f"{RUN}-final", "running")


def _of(target: Any, sagemaker: SageMaker, s3: Bucket | None = None) -> Any:
    clients = {"logs": Logs(), "cloudformation": Stacks(), "ssm": Parameters(), "s3": s3 or Bucket()}
    return target(sagemaker=sagemaker, **clients)


def test_the_job_on_the_next_type_is_the_runs_training_then(target: Any) -> None:
    sagemaker = WithoutAnInstance()
    following = RunReader(_of(target, sagemaker), RUN)
    following.read()
    sagemaker.following = (f"{RUN}-final-type-2",)
    training = following.read().training
    assert training is not None
    assert (training.name, training.status) == (f"{RUN}-final-type-2", "InProgress")
    assert RunReader(_of(target, sagemaker), f"{RUN}-final-type-2").read().name == RUN


@pytest.mark.parametrize("reason", ["the server was stopped", "the server was stopped.", ""])
def test_why_a_search_failed_and_what_its_trial_said_are_two_sentences(target: Any, reason: str) -> None:
    class Failed(SageMaker):
        def describe_hyper_parameter_tuning_job(self, HyperParameterTuningJobName: str) -> dict[str, Any]:
            job = super().describe_hyper_parameter_tuning_job(HyperParameterTuningJobName)
            return job | {"HyperParameterTuningJobStatus": "Failed", "FailureReason": reason}

        def get_paginator(self, name: str) -> Any:
            trial = {"TrainingJobName": f"{RUN}-001-aa", "TrainingJobStatus": "Failed", "FailureReason": "no"}
            return SimpleNamespace(paginate=lambda **_: [{"TrainingJobSummaries": [trial]}])

    tuning = RunReader(_of(target, Failed()), RUN).read().tuning
    assert tuning is not None
    own = "the server was stopped. " if reason else ""
    assert tuning.reason.startswith(f"{own}{RUN}-001-aa said: no (")
