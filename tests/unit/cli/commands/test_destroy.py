"""Before anything is removed it is said what goes, and running jobs are stopped so that nothing bills on."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner

from cli.__main__ import cli
from cli.commands import destroy as removal
from cli.deploy.cdk_output import Deployment
from cli.errors import CdkFailed, ExitCode
from tests.unit.cli.conftest import client_error


class Aws:
    """A project with two buckets (one kept), two running jobs, and an endpoint, in a shared account."""

    def __init__(self) -> None:
        self.stopped: list[str] = []
        self.stacks = ["classifier-storage", "classifier-api"]
        self.streams = ["classifier-a-1-final/algo-1", "my-classifier-a-1/algo-1"]
        self.described: list[str] = []
        self.exceptions = SimpleNamespace(ResourceNotFoundException=KeyError)

    def get_paginator(self, name: str) -> Any:
        pages: dict[str, dict[str, Any]] = {
            "list_hyper_parameter_tuning_jobs": {
                "HyperParameterTuningJobSummaries": [
                    {"HyperParameterTuningJobName": "classifier-a-1"},
                    {"HyperParameterTuningJobName": "my-classifier-a-1"},
                ]
            },
            "list_training_jobs": {"TrainingJobSummaries": [{"TrainingJobName": "classifier-a-1-final"}]},
            "list_objects_v2": {"Contents": [{}] * 7},
            "list_stack_resources": {"StackResourceSummaries": self.resources()},
            "describe_log_streams": {"logStreams": [{"logStreamName": name} for name in self.streams]},
        }
        if "log_streams" in name:
            return SimpleNamespace(
                paginate=lambda logStreamNamePrefix="", **_: self._logs(pages[name], logStreamNamePrefix)
            )
        return SimpleNamespace(
            paginate=lambda **_: [pages[name], pages[name]][: 2 if "object" in name else 1]
        )

    @staticmethod
    def _logs(page: dict[str, Any], prefix: str) -> list[dict[str, Any]]:
        return [{"logStreams": [s for s in page["logStreams"] if s["logStreamName"].startswith(prefix)]}]

    def delete_log_stream(self, logGroupName: str, logStreamName: str) -> None:
        self.streams.remove(logStreamName)

    def delete_log_group(self, logGroupName: str) -> None:
        raise AssertionError("the group holds streams of others")

    def describe_training_job(self, TrainingJobName: str) -> dict[str, Any]:
        self.described.append(TrainingJobName)
        return {"TrainingJobStatus": "Stopping" if len(self.described) < 3 else "Stopped"}

    def stop_hyper_parameter_tuning_job(self, HyperParameterTuningJobName: str) -> None:
        self.stopped.append(HyperParameterTuningJobName)

    def stop_training_job(self, TrainingJobName: str) -> None:
        raise client_error("ValidationException", "The job is in status Completed")

    def describe_stacks(self, StackName: str) -> dict[str, Any]:
        if StackName not in self.stacks:
            raise client_error("ValidationError", "does not exist")
        return {"Stacks": [{"StackStatus": "CREATE_COMPLETE"}]}

    def get_template(self, StackName: str) -> dict[str, Any]:
        resources = {
            "Data": {"DeletionPolicy": "Retain"},
            "Artifacts": {"DeletionPolicy": "Delete"},
            "Role": {},
        }
        return {"TemplateBody": {"Resources": resources}}

    def describe_endpoint(self, EndpointName: str) -> dict[str, Any]:
        assert EndpointName == "classifier"
        return {"EndpointName": EndpointName}

    def resources(self) -> list[dict[str, str]]:
        def one(logical: str, kind: str) -> dict[str, str]:
            return {"LogicalResourceId": logical, "PhysicalResourceId": logical.lower(), "ResourceType": kind}

        buckets = [one("Data", "AWS::S3::Bucket"), one("Artifacts", "AWS::S3::Bucket")]
        return [*buckets, one("Role", "AWS::IAM::Role")]


@pytest.fixture
def there() -> Aws:
    return Aws()


@pytest.fixture
def aws(target: Any, there: Aws) -> Any:
    return target(sagemaker=there, cloudformation=there, s3=there, logs=there)


def test_everything_of_the_project_and_nothing_of_others_is_named(aws: Any) -> None:
    text = "\n".join(removal.describe(aws, removal.look(aws)))
    assert "stacks: classifier-storage, classifier-api" in text
    assert "the endpoint classifier" in text
    assert "running jobs are stopped: classifier-a-1, classifier-a-1-final" in text
    assert "s3://data: 14 objects; is kept" in text
    assert "s3://artifacts: 14 objects; goes" in text
    assert "my-classifier" not in text


def test_what_is_kept_is_said_at_the_end_and_that_it_is_billed(aws: Any) -> None:
    found = removal.look(aws)
    said = removal.farewell(aws, found)
    assert "s3://data" in said
    assert "s3://artifacts" not in said
    gone = replace(found, buckets=tuple(each for each in found.buckets if not each.kept))
    assert "s3://" not in removal.farewell(aws, gone)


def test_running_jobs_are_stopped_and_one_that_just_ended_is_no_trouble(
    aws: Any, there: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(removal, "tear_down_stacks", lambda *_: there.stacks.clear())
    removal.remove(aws, removal.look(aws))
    assert there.stopped == ["classifier-a-1"]


def test_stacks_go_after_the_jobs_have_ended_and_the_jobs_logs_go_with_them(
    aws: Any, there: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)

    def tear_down(*_: Any) -> None:
        assert len(there.described) == 3, "a job was still stopping"
        there.stacks.clear()

    monkeypatch.setattr(removal, "tear_down_stacks", tear_down)
    removal.remove(aws, removal.look(aws))
    assert there.streams == ["my-classifier-a-1/algo-1"]


def test_a_stack_that_stays_is_an_error(aws: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(removal, "tear_down_stacks", lambda *_: None)
    with pytest.raises(CdkFailed, match="Still there: classifier-storage, classifier-api"):
        removal.remove(aws, removal.look(aws))


def test_while_the_buckets_are_emptied_it_is_said_what_is_left(aws: Any, there: Aws) -> None:
    left, deployment = removal.LeftToDelete(aws, removal.look(aws).buckets), Deployment("destroy")
    deployment.read("classifier-api: destroying... [1/2]")
    assert left.told(deployment) == ""
    deployment.read("classifier-storage: destroying... [2/2]")
    assert left.told(deployment) == "s3://artifacts: 14 of 14 objects left"
    deployment.read(" ✅  classifier-storage: destroyed")
    assert left.told(deployment) == ""


def test_a_count_that_took_long_is_not_repeated_soon(aws: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    left, deployment = removal.LeftToDelete(aws, removal.look(aws).buckets), Deployment("destroy")
    deployment.read("classifier-storage: destroying... [1/1]")
    now, counts = [1000.0], [70, 30]

    def counted(*_: Any) -> int:
        now[0] += 8
        return counts.pop(0)

    monkeypatch.setattr(removal.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(removal, "_objects", counted)
    assert "70 of 14" in left.told(deployment)
    now[0] += 79
    assert "70 of 14" in left.told(deployment)
    now[0] += 2
    assert "30 of 14" in left.told(deployment)


def test_a_destroy_that_is_cut_short_says_how_to_go_on(aws: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def cut(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("cli.commands.options.resolve", lambda *_, **__: aws)
    monkeypatch.setattr("time.sleep", lambda _: None)
    monkeypatch.setattr(removal, "tear_down_stacks", cut)
    done = CliRunner().invoke(cli, ["destroy", "--yes"])
    assert done.exit_code == ExitCode.INTERRUPTED
    assert "the rest: classifier destroy; to deploy what is missing: classifier up;" in done.stderr
