"""Reports and comparisons are drawn from what jobs left, wherever it lies."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cli.runs.archives import UnsafeArchive
from cli.runs.job_report import NoSuchJob, NothingLeft, NotWatched, write_page
from cli.target import Target


def record(job: str, accuracy: float) -> dict[str, Any]:
    """A report.json, as small as one can be."""
    right = round(100 * accuracy)
    return {
        "format": 1,
        "job": job,
        "arch": "resnet18",
        "dataset": "ants",
        "classes": ["ant", "bee"],
        "epochs": 2,
        "schedule": "cosine",
        "best_epoch": 1,
        "stopped": False,
        "history": [
            {"train_loss": 0.5, "valid_loss": 0.6, "valid_accuracy": accuracy, "images_per_second": 10.0}
        ],
        "evaluations": {
            "test": {
                "accuracy": accuracy,
                "loss": 0.5,
                "count": 200,
                "per_class": [[accuracy, accuracy, 100], [accuracy, accuracy, 100]],
                "confusion": [[0, 0, right], [0, 1, 100 - right], [1, 0, 100 - right], [1, 1, right]],
            }
        },
        "confused": [],
        "hyperparameters": {"learning_rate": accuracy, "seed": 7},
        "data": {"test": {"count": 200, "skipped": 0, "fingerprint": "f" * 64}},
        "leaked": 0,
        "skipped": [],
        "machine": "1 CPU thread",
        "versions": {},
        "code_version": "c" * 64,
        "seconds": 12.0,
        "hourly_usd": 0.36,
    }


TUNING = "arn:aws:sagemaker:us-east-1:000000000000:hyper-parameter-tuning-job"


class Jobs:
    """SageMaker and S3 with one training job in each state."""

    instance = "ml.c7i.2xlarge"
    files = ("report.json",)

    def __init__(self, records: dict[str, dict[str, Any]]) -> None:
        self.records = records

    def describe_training_job(self, *, TrainingJobName: str) -> dict[str, Any]:
        if TrainingJobName not in self.records:
            error = {"Code": "ValidationException", "Message": "Requested resource not found."}
            raise ClientError({"Error": error}, "DescribeTrainingJob")
        return {
            "TrainingJobName": TrainingJobName,
            "TrainingJobStatus": "Failed",
            "FailureReason": "it broke",
            "ResourceConfig": {"InstanceType": self.instance, "InstanceCount": 1, "VolumeSizeInGB": 0},
            "BillableTimeInSeconds": 180,
            "OutputDataConfig": {"S3OutputPath": "s3://artifacts/jobs"},
            **({"TuningJobArn": f"{TUNING}/c-one"} if TrainingJobName == "c-one-001-0a" else {}),
        }

    def describe_hyper_parameter_tuning_job(self, *, HyperParameterTuningJobName: str) -> dict[str, Any]:
        if HyperParameterTuningJobName != "c-stopped":
            raise ClientError({"Error": {"Code": "ResourceNotFound"}}, "DescribeHyperParameterTuningJob")
        return {"HyperParameterTuningJobStatus": "Stopped"}

    def download_file(self, bucket: str, key: str, path: str) -> None:
        name = key.split("/")[1]
        if key == f"runs/{name}/verdict.json" and self.records[name]:
            Path(path).write_text(
                json.dumps({"passed": True, "approval": "Approved", "reason": "better than the champion"})
            )
            return
        if key != f"jobs/{name}/output/output.tar.gz" or not self.records[name]:
            raise ClientError({"Error": {"Code": "404", "Message": "Not Found"}}, "HeadObject")
        content = json.dumps(self.records[name]).encode()
        with tarfile.open(path, "w:gz") as packed:
            for name in self.files:
                entry = tarfile.TarInfo(name)
                entry.size = len(content)
                packed.addfile(entry, io.BytesIO(content))


@pytest.fixture
def there(target: Callable[..., Target]) -> Target:
    jobs = Jobs(
        {
            "c-one-final": record("c-one-final", 0.9),
            "c-two": record("c-two", 0.7),
            "c-bare": {},
            "c-one-001-0a": {},
        },
    )
    return target(sagemaker=jobs, s3=jobs)


def test_the_report_of_a_search_is_that_of_its_last_training_with_the_gates_word(
    there: Target, tmp_path: Path
) -> None:
    write_page(there, ["c-one"], tmp_path / "new" / "page.html")
    text = (tmp_path / "new" / "page.html").read_text()
    assert "90.0% of 200 test pictures are classified right" in text
    assert "The quality gate let it pass." in text
    assert "Better than the champion." in text
    assert "$0.0214" in text, "what is billed, and not what the training code saw of it"
    assert "180 s billed at 0.4284 USD an hour" in text


def test_where_nobody_knows_what_is_billed_the_job_s_own_time_is_said_to_be_the_least(
    there: Target, tmp_path: Path
) -> None:
    there.client("sagemaker").instance = "ml.unheard.of"
    write_page(there, ["c-one"], tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text()
    assert "over $0.0012" in text
    assert "the training code's time alone" in unescape(text)


def test_a_comparison_names_the_best_and_what_differs(there: Target, tmp_path: Path) -> None:
    write_page(there, ["c-one", "c-two"], tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text()
    assert "c-one-final is ahead: 90.0% of 200 test pictures right, c-two 70.0%." in text
    assert "learning_rate" in text
    assert "passed: better than the champion" in text
    assert '<th scope="row">seed</th>' not in text


@pytest.mark.parametrize("name", ["verdict.json", "billed.json", "../report.json", "/tmp/report.json"])
def test_a_job_cannot_say_what_only_others_know_nor_write_elsewhere(
    there: Target, tmp_path: Path, name: str
) -> None:
    there.client("sagemaker").files = ("report.json", name)
    with pytest.raises(UnsafeArchive):
        write_page(there, ["c-one"], tmp_path / "page.html")
    assert list(tmp_path.iterdir()) == []


def test_a_job_that_left_nothing_and_one_that_is_not_there_are_told_apart(
    there: Target, tmp_path: Path
) -> None:
    with pytest.raises(NothingLeft, match=r"c-bare .Failed. has left no output.*it broke"):
        write_page(there, ["c-bare"], tmp_path / "page.html")
    with pytest.raises(NoSuchJob, match="no training job 'c-none'"):
        write_page(there, ["c-none"], tmp_path / "page.html")
    with pytest.raises(NothingLeft, match=r"neither report\.json nor the debug folder"):
        write_page(there, [str(tmp_path)], tmp_path / "page.html")


@pytest.mark.parametrize(
    ("run", "says"),
    [
        ("c-stopped", "no last training: its search is Stopped.*`classifier tuning-report c-stopped`"),
        ("c-races", "`classifier race-report c-races`"),
    ],
)
def test_a_run_without_a_last_training_says_which_page_there_is(
    there: Target, tmp_path: Path, run: str, says: str
) -> None:
    there.client("sagemaker").records["c-races-race"] = {}
    with pytest.raises(NothingLeft, match=says):
        write_page(there, [run], tmp_path / "page.html")


@pytest.mark.parametrize("jobs", [["c-one-001-0a"], ["c-two", "c-one-001-0a"]])
def test_a_trial_has_no_report_and_the_page_of_its_search_is_named(
    there: Target, tmp_path: Path, jobs: list[str]
) -> None:
    with pytest.raises(NotWatched, match="classifier tuning-report c-one"):
        write_page(there, jobs, tmp_path / "page.html")
    assert list(tmp_path.iterdir()) == []
