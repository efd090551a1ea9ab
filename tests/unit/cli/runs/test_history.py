"""Runs are listed with what they led to, took and cost, and found by any part of their names."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError
from click.testing import CliRunner

from cli.__main__ import cli
from cli.errors import Ambiguous, ExitCode
from cli.release import registry
from cli.runs import find, history
from cli.runs.following import NoSuchJob
from cli.runs.reader import NoSuchRun
from cli.target import Target
from tests.unit.cli.conftest import client_error
from tests.unit.cli.runs.pipeline_runs import GROUP, START, at
from tests.unit.cli.runs.test_reader import Parameters, Stacks

DIGITS, DOGS, HAND = "classifier-digits-0a1b", "classifier-dogs-5c6d", "classifier-digits-hand"
TRIAL = f"{DIGITS}-001-aabbccdd"
TYPE = {"InstanceType": "ml.m5.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 0}


def training(name: str, created: float, status: str = "Completed", **more: Any) -> dict[str, Any]:
    return {
        "TrainingJobName": name,
        "TrainingJobStatus": status,
        "CreationTime": at(created),
        "TrainingStartTime": at(created),
        "TrainingEndTime": at(created + 3600),
        "ResourceConfig": TYPE,
        **more,
    }


class Past:
    """A search with a served model, a search that failed, a training by hand, and a job of the doctor."""

    def __init__(self) -> None:
        self.searches = {DIGITS: ("Completed", 0.0), DOGS: ("Failed", 9000.0)}
        trained = [
            training(TRIAL, 1),
            training(f"{DIGITS}-final", 3601, HyperParameters={"dataset": "digits", "dataset_version": "3"}),
            training(HAND, 20000, "Stopped"),
            training("classifier-doctor-1", 30000, Environment={"JOB_PACKAGE": "doctor"}),
        ]
        self.trainings = {job["TrainingJobName"]: job for job in trained}
        self.exceptions = SimpleNamespace(ClientError=ClientError)

    def get_paginator(self, name: str) -> Any:
        searches = [
            {"HyperParameterTuningJobName": name, "CreationTime": at(made)}
            for name, (_, made) in self.searches.items()
        ]
        trials = [training(TRIAL, 1)]
        pages = {
            "list_hyper_parameter_tuning_jobs": lambda **_: {"HyperParameterTuningJobSummaries": searches},
            "list_training_jobs": lambda **_: {"TrainingJobSummaries": list(self.trainings.values())},
            "list_training_jobs_for_hyper_parameter_tuning_job": lambda **job: {
                "TrainingJobSummaries": trials if job["HyperParameterTuningJobName"] == DIGITS else []
            },
        }
        return SimpleNamespace(paginate=lambda **request: [pages[name](**request)])

    def describe_hyper_parameter_tuning_job(self, HyperParameterTuningJobName: str) -> dict[str, Any]:
        if HyperParameterTuningJobName not in self.searches:
            raise client_error("ResourceNotFound")
        status, made = self.searches[HyperParameterTuningJobName]
        return {
            "HyperParameterTuningJobStatus": status,
            "CreationTime": at(made),
            **({"HyperParameterTuningEndTime": at(made + 3600)} if status != "InProgress" else {}),
            "HyperParameterTuningJobConfig": {},
            "TrainingJobDefinition": {
                "ResourceConfig": TYPE,
                "StaticHyperParameters": {"dataset": "digits", "dataset_version": "3"},
            },
        }

    def describe_training_job(self, TrainingJobName: str) -> dict[str, Any]:
        if TrainingJobName not in self.trainings:
            raise client_error("ValidationException")
        return self.trainings[TrainingJobName]

    def list_model_packages(self, **_: Any) -> dict[str, Any]:
        summary = {"ModelPackageArn": f"{GROUP}/1", "ModelApprovalStatus": "Approved"}
        return {"ModelPackageSummaryList": [summary]}

    def describe_model_package(self, ModelPackageName: str) -> dict[str, Any]:
        if not ModelPackageName.endswith("/1"):
            raise client_error("ValidationException")
        return {
            "ModelPackageArn": f"{GROUP}/1",
            "ModelApprovalStatus": "Approved",
            "CreationTime": at(8000),
            "CustomerMetadataProperties": {
                "training_job": f"{DIGITS}-final",
                "test_accuracy": "0.97",
                "latency_ms": "3.5",
            },
        }

    def describe_endpoint(self, EndpointName: str) -> dict[str, Any]:
        return {"EndpointStatus": "InService"}

    def get_object(self, Bucket: str, Key: str) -> dict[str, Any]:
        if Key != f"runs/{DIGITS}/run.json":
            raise client_error("NoSuchKey")
        written = {"recipe": {"name": "digits"}, "scheduled": {"corrections": 212}}
        return {"Body": io.BytesIO(json.dumps(written).encode())}


@pytest.fixture
def there(target: Callable[..., Target], monkeypatch: pytest.MonkeyPatch) -> Target:
    past = Past()
    made = target(sagemaker=past, s3=past, logs=object(), cloudformation=Stacks(), ssm=Parameters())
    monkeypatch.setattr("cli.commands.options.resolve", lambda *_, **__: made)
    return made


def test_runs_are_listed_newest_first_without_trials_and_the_doctors_jobs(there: Target) -> None:
    assert [past.run.name for past in history.read(there, 10)] == [HAND, DOGS, DIGITS]
    assert [past.run.name for past in history.read(there, 2)] == [HAND, DOGS]


def test_a_run_is_listed_with_what_it_led_to_took_and_cost(there: Target) -> None:
    by_name = {past.run.name: past.row() for past in history.read(there, 10)}
    digits = by_name[DIGITS]
    assert (digits["outcome"], digits["accuracy"], digits["version"]) == ("serving", 0.97, 1)
    assert (digits["recipe"], digits["dataset"]) == ("digits", "digits@3")
    assert (digits["scheduled"], by_name[HAND]["scheduled"]) == ({"corrections": 212}, {})
    assert "digits, scheduled" in CliRunner().invoke(cli, ["runs"]).stdout
    assert digits["seconds"] == 7201
    assert digits["created"] == START.isoformat()
    assert digits["usd"] == pytest.approx(2 * 0.2304), "an hour of the trial and one of the last training"
    assert (by_name[DOGS]["outcome"], by_name[DOGS]["version"]) == ("failed", None)
    assert (by_name[HAND]["outcome"], by_name[HAND]["recipe"]) == ("stopped", "")


def test_trials_that_may_be_on_several_types_cost_what_the_first_does(
    there: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = Past.describe_hyper_parameter_tuning_job

    def of_several(self: Past, HyperParameterTuningJobName: str) -> dict[str, Any]:
        job = plain(self, HyperParameterTuningJobName)
        definition = job["TrainingJobDefinition"]
        types = [definition.pop("ResourceConfig"), TYPE | {"InstanceType": "ml.unheard.of"}]
        definition["HyperParameterTuningResourceConfig"] = {"InstanceConfigs": types}
        return job

    monkeypatch.setattr(Past, "describe_hyper_parameter_tuning_job", of_several)
    usd = {past.run.name: past.usd for past in history.read(there, 10)}
    assert usd[DIGITS] == pytest.approx(2 * 0.2304)


def test_the_best_of_all_runs_is_found_past_the_newest(there: Target) -> None:
    done = CliRunner().invoke(cli, ["runs", "--sort", "accuracy", "--limit", "1", "--json"])
    assert [row["name"] for row in json.loads(done.stdout)["data"]] == [DIGITS]
    newest = CliRunner().invoke(cli, ["runs", "--limit", "1"])
    assert HAND in newest.stdout
    assert DIGITS not in newest.stdout


def test_models_are_listed_with_what_serves(there: Target) -> None:
    done = CliRunner().invoke(cli, ["models", "--json"])
    (model,) = json.loads(done.stdout)["data"]
    assert (model["version"], model["accuracy"], model["latency_ms"]) == (1, 0.97, 3.5)
    assert (model["run"], model["state"]) == (DIGITS, "serving")
    assert DIGITS in CliRunner().invoke(cli, ["models"]).stdout


@pytest.mark.parametrize(
    ("part", "run"),
    [
        (DIGITS, DIGITS),
        ("dogs", DOGS),
        ("0a1b", DIGITS),
        (f"{DIGITS}-final", DIGITS),
        (f"{DIGITS}-final-type-2", DIGITS),
        (TRIAL, DIGITS),
        ("aabbcc", DIGITS),
        ("1", DIGITS),
        ("endpoint", DIGITS),
    ],
)
def test_a_run_is_found_by_any_part_of_its_name_or_of_its_jobs(there: Target, part: str, run: str) -> None:
    assert find.run(there, part) == run


def test_a_part_of_several_names_lists_them_and_is_the_users_mistake(there: Target) -> None:
    with pytest.raises(Ambiguous, match=f"2 runs(.|\n)*{HAND}\n  {DIGITS}"):
        find.run(there, "digits")
    done = CliRunner().invoke(cli, ["status", "digits"])
    assert done.exit_code == ExitCode.USAGE
    assert DIGITS in done.stderr


def test_a_name_that_nothing_has_is_answered_with_the_nearest(there: Target) -> None:
    with pytest.raises(NoSuchRun, match=f'Did you mean "{DOGS}"'):
        find.run(there, "classifier-dogs-5c7d")
    with pytest.raises(NoSuchRun):
        find.run(there, "77")


def test_a_name_that_nothing_has_is_answered_with_runs_alone(there: Target) -> None:
    jobs = there.client("sagemaker").trainings
    for name in ("classifier-batch-7f", "classifier-batch-8f", "classifier-doctor-9f"):
        jobs[name] = training(name, 40000)
    with pytest.raises(NoSuchRun) as told:
        find.run(there, "nosuch")
    assert f"There are: {HAND}, {DOGS}, {DIGITS}." in str(told.value)
    with pytest.raises(Ambiguous, match="2 runs and other jobs"):
        find.run(there, "batch")
    assert find.run(there, "7f") == "classifier-batch-7f", "whoever reads it says what it is"


def test_a_run_s_name_without_the_project_s_is_that_run_whatever_else_has_it(there: Target) -> None:
    there.client("sagemaker").searches["classifier-digits"] = ("Completed", 100.0)
    assert find.run(there, "digits") == "classifier-digits"


@pytest.mark.parametrize(
    ("part", "job"),
    [
        ("0a1b", f"{DIGITS}-final"),
        (DIGITS, f"{DIGITS}-final"),
        ("1", f"{DIGITS}-final"),
        ("hand", HAND),
        (TRIAL, TRIAL),
        ("dogs", DOGS),
    ],
)
def test_a_part_means_the_last_training_of_its_run(there: Target, part: str, job: str) -> None:
    assert find.training(there, part) == job


def test_a_job_of_a_kind_is_found_by_a_part_among_its_like(there: Target) -> None:
    prefix = "classifier-doctor-"
    there.client("sagemaker").trainings[f"{prefix}7f"] = training(f"{prefix}7f", 40000)
    assert find.job(there, "7f", prefix, "doctor's jobs") == f"{prefix}7f"
    assert find.job(there, HAND, prefix, "doctor's jobs") == HAND, "who follows it says that it is none"
    with pytest.raises(Ambiguous, match="2 doctor's jobs"):
        find.job(there, "doctor", prefix, "doctor's jobs")
    with pytest.raises(NoSuchJob, match=f'Did you mean "{prefix}7f"'):
        find.job(there, f"{prefix}8f", prefix, "doctor's jobs")


@pytest.mark.parametrize("which", ["1", "0a1b", f"{DIGITS}-final"[:-6], f"{GROUP}/1"])
def test_a_model_is_found_by_its_version_or_by_a_part_of_its_runs_name(there: Target, which: str) -> None:
    assert registry.find(there, which)["ModelPackageArn"] == f"{GROUP}/1"


@pytest.mark.parametrize(
    "command", [["stop"], ["status"], ["tuning-report"], ["race-report"], ["report"], ["compare", DIGITS]]
)
def test_every_command_of_a_run_takes_a_part_and_lists_what_has_it(there: Target, command: list[str]) -> None:
    done = CliRunner().invoke(cli, [*command, "digits"])
    assert (done.exit_code, HAND in done.stderr) == (ExitCode.USAGE, True)
    done = CliRunner().invoke(cli, [*command, "classifier-dogs-5c7d"])
    assert (done.exit_code, f'Did you mean "{DOGS}"' in done.stderr) == (ExitCode.USAGE, True)


def test_a_part_stops_the_run_that_has_it(there: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.commands.stop.stop_run", lambda target, name, why: [f"{name}: {why}"])
    assert CliRunner().invoke(cli, ["stop", "dogs", "--reason", "dear"]).stdout == f"{DOGS}: dear\n"


def test_to_stop_no_run_says_which_go_on_and_stops_none(there: Target) -> None:
    done = CliRunner().invoke(cli, ["stop"])
    assert done.exit_code == ExitCode.USAGE
    assert "None of the newest 20 is running" in done.stderr
    there.client("sagemaker").searches[DOGS] = ("InProgress", 9000.0)
    done = CliRunner().invoke(cli, ["stop"])
    assert done.exit_code == ExitCode.USAGE
    assert f"  classifier stop {DOGS}    (running)" in done.stderr.splitlines()
    assert DIGITS not in done.stderr


def test_no_run_at_all_says_how_to_start_one(there: Target) -> None:
    past = there.client("sagemaker")
    past.searches, past.trainings = {}, {}
    assert "classifier tune" in CliRunner().invoke(cli, ["runs"]).stdout
    assert json.loads(CliRunner().invoke(cli, ["runs", "--json"]).stdout)["data"] == []


def test_the_time_of_a_run_ends_with_its_last_job(there: Target) -> None:
    (past,) = [each for each in history.read(there, 10) if each.run.name == DOGS]
    assert timedelta(seconds=past.seconds) == timedelta(hours=1)


def test_a_folder_that_no_job_left_hides_no_run(
    there: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr("cli.runs.job_report.write_page", lambda target, jobs, page: asked.extend(jobs))
    monkeypatch.chdir(tmp_path)
    for name in ("dogs", "pictures", "left"):
        (tmp_path / name).mkdir()
    (tmp_path / "left" / "report.json").write_text("{}")
    for name in ("dogs", "pictures", "left"):
        done = CliRunner().invoke(cli, ["report", name])
        assert done.exit_code == 0, done.output
    assert asked[0].startswith(DOGS)
    assert asked[1:] == ["pictures", "left"]
