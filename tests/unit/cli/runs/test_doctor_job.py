"""A data set is looked at by a job: its cost first, its log as it comes, and what it found into a folder."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import pytest

from cli.commands import doctor as command
from cli.interrupt import Interrupted
from cli.runs import doctor_job, following
from cli.target import Target
from tests.unit.cli.conftest import Paginated, Terminal, client_error
from tests.unit.cli.runs.test_launch import Function

JOB = "classifier-doctor-0a1b2c3d"
FINDING = {
    "kind": "leak",
    "reason": "also in test",
    "classes": ["ant"],
    "pictures": [{"picture": "train/ant/1.png"}],
}
FINDINGS = {"findings": [FINDING], "notes": ["dark pictures are usual here"], "statistics": {"readable": 9}}
FOUND = {
    "findings.json": json.dumps(FINDINGS).encode(),
    "doctor.html": b"<html>",
    "decisions.csv": b"picture,sha256\n",
}


def archive(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return out.getvalue()


class Account:
    """A job that goes through these descriptions, with a line of its log for each look, and its archive."""

    def __init__(self, *statuses: tuple[str, str], found: bytes | None = None, **more: Any) -> None:
        self.statuses, self.more, self.looks = list(statuses), more, 0
        self.found = archive(FOUND) if found is None else found

    def describe_training_job(self, TrainingJobName: str) -> dict[str, Any]:
        if TrainingJobName != JOB:
            raise client_error("ValidationException", "Requested resource not found.")
        status, secondary = self.statuses[min(self.looks, len(self.statuses) - 1)]
        self.looks += 1
        return {
            "TrainingJobName": JOB,
            "TrainingJobStatus": status,
            "SecondaryStatus": secondary,
            "HyperParameters": {"dataset": "pets@3"},
            "Environment": {"JOB_PACKAGE": "doctor"},
            "StoppingCondition": {"MaxRuntimeInSeconds": 1800},
            "ModelArtifacts": {"S3ModelArtifacts": f"s3://artifacts/doctor/{JOB}/output/model.tar.gz"},
            **self.more,
        }

    def pages(self, logGroupName: str, logStreamNamePrefix: str, startTime: int) -> list[dict[str, Any]]:
        assert (logGroupName, logStreamNamePrefix) == ("/aws/sagemaker/TrainingJobs", f"{JOB}/")
        events = [{"eventId": str(n), "timestamp": n, "message": f"line {n}\n"} for n in range(self.looks)]
        return [{"events": [each for each in events if each["timestamp"] >= startTime]}]

    def download_file(self, bucket: str, key: str, path: str) -> None:
        assert (bucket, key) == ("artifacts", f"doctor/{JOB}/output/model.tar.gz")
        if not self.found:
            raise client_error("404")
        Path(path).write_bytes(self.found)


DONE = ("Completed", "Completed")
RUNNING = ("InProgress", "Training")


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    printed: list[str] = []
    for module in (following, command):
        monkeypatch.setattr(module, "say", printed.append)
    monkeypatch.setattr(following.time, "sleep", lambda _: None)
    return printed


def of(target: Any, account: Account, kind: str = "local", **more: Any) -> Target:
    class ResourceNotFoundException(Exception):
        pass

    logs = Paginated(
        filter_log_events_pages=account.pages,
        exceptions=SimpleNamespace(ResourceNotFoundException=ResourceNotFoundException),
    )
    made: Target = target(kind, sagemaker=account, s3=account, logs=logs, **more)
    return made


def test_each_line_of_the_log_is_told_once_until_the_job_has_completed(target: Any, lines: list[str]) -> None:
    account = Account(("InProgress", "Downloading"), ("InProgress", "Downloading"), RUNNING, DONE)
    assert doctor_job.follow(of(target, account), JOB, "again")["TrainingJobStatus"] == "Completed"
    assert lines == ["Downloading the pictures.", "line 0", "line 1", "line 2", "line 3"]


def test_while_it_waits_it_says_for_what_whenever_that_changes(target: Any, lines: list[str]) -> None:
    messages = ["2 jobs before it", "2 jobs before it", "1 job before it", ""]
    account = Account(*[("InProgress", "Pending") for _ in messages], DONE)
    describe = account.describe_training_job

    def described(TrainingJobName: str) -> dict[str, Any]:
        message = messages[min(account.looks, len(messages) - 1)]
        transitions = [{"Status": "Pending", "StatusMessage": message}] if message else []
        return {**describe(TrainingJobName), "SecondaryStatusTransitions": transitions}

    account.describe_training_job = described  # type: ignore[method-assign]
    doctor_job.follow(of(target, account), JOB, "again")
    assert [line for line in lines if not line.startswith("line ")] == [
        "Waiting for an instance. AWS says: 2 jobs before it",
        "Waiting for an instance. AWS says: 1 job before it",
        "Waiting for an instance.",
    ]


@pytest.mark.parametrize(
    ("status", "more", "says"),
    [
        (
            ("Failed", "Failed"),
            {"FailureReason": "NothingToExamine: no pictures"},
            "NothingToExamine: no pic",
        ),
        (("Failed", "Failed"), {}, "AWS gives no reason"),
        (("Stopped", "Stopped"), {}, "was stopped"),
        (("Stopped", "MaxRuntimeExceeded"), {}, "30 minutes; give it more with --max-minutes"),
    ],
)
def test_a_job_that_found_nothing_out_says_why(
    target: Any, lines: list[str], status: tuple[str, str], more: dict[str, Any], says: str
) -> None:
    with pytest.raises(following.JobFailed) as failed:
        doctor_job.follow(of(target, Account(RUNNING, status, **more)), JOB, "again")
    assert says in failed.value.message


def test_a_training_is_none_of_the_doctors_jobs(target: Any, lines: list[str]) -> None:
    with pytest.raises(following.NoSuchJob, match="is no job of the doctor"):
        doctor_job.follow(of(target, Account(DONE, Environment={})), JOB, "again")
    with pytest.raises(following.NoSuchJob, match="There is no job"):
        doctor_job.follow(of(target, Account(DONE)), "classifier-doctor-x", "again")


def test_a_watcher_who_leaves_is_told_how_to_come_back(
    target: Any, lines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def leave(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(following.time, "sleep", leave)
    with pytest.raises(Interrupted, match=f"{JOB} goes on in the local AWS .* `classifier doctor --job x`"):
        doctor_job.follow(of(target, Account(RUNNING)), JOB, "classifier doctor --job x")


def test_what_was_found_replaces_what_an_earlier_job_found(target: Any, tmp_path: Path) -> None:
    account, folder = Account(DONE), tmp_path / "found"
    folder.mkdir()
    (folder / "doctor.html").write_text("older")
    job = account.describe_training_job(JOB)
    assert doctor_job.fetch(of(target, account), job, folder) == FINDINGS
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == FOUND


@pytest.mark.parametrize(
    ("found", "says"),
    [
        (archive({"model.safetensors": b"x"}), "left no findings.json, doctor.html, decisions.csv"),
        (archive({**FOUND, "findings.json": b"{}"}), "cannot be read"),
        (archive({**FOUND, "findings.json": b"[1]"}), "cannot be read"),
        (archive({**FOUND, "../out": b"x"}), "would be written outside"),
        (b"no archive", "cannot be unpacked"),
        (b"", "is gone"),
    ],
)
def test_what_the_doctor_does_not_write_is_not_taken(
    target: Any, tmp_path: Path, found: bytes, says: str
) -> None:
    account = Account(DONE, found=found)
    with pytest.raises(click.ClickException, match=says):
        doctor_job.fetch(of(target, account), account.describe_training_job(JOB), tmp_path / "found")
    assert not (tmp_path / "found").exists()


def run(target: Target, monkeypatch: pytest.MonkeyPatch, *arguments: str, text: str = "") -> Any:
    monkeypatch.setattr("cli.commands.options.resolve", lambda kind: target)
    monkeypatch.setattr("cli.data.sets.meant", lambda target, text: text)
    return Terminal().invoke(command.doctor, arguments, input=text)


def launcher() -> Function:
    answer = {"statusCode": 202, "training_job": JOB, "run": JOB, "started": "the doctor on pets@3"}
    return Function(answer | {"cost": {"most_usd": 0.42, "explained": "1 job"}})


def test_a_data_set_is_looked_at_and_what_was_found_is_told(
    target: Any, lines: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    function = launcher()
    aws = of(target, Account(RUNNING, DONE), **{"lambda": function})
    done = run(
        aws, monkeypatch, "--dataset", "pets@3", "--max-cost", "2", "--weights", "s3://a/weights/x.pth"
    )
    assert done.exit_code == 0, done.output
    asked = {"dataset": "pets@3", "max_cost_usd": 2.0, "weights": "s3://a/weights/x.pth"}
    dry, real = function.requests
    assert dry == ("classifier-launch-doctor", {**asked, "dry_run": True})
    assert real == ("classifier-launch-doctor", asked)
    assert "on AWS at most 0.42 USD (1 job)" in lines[0]
    assert lines[-3:] == [
        "1 picture in two splits, such as train/ant/1.png: also in test",
        "dark pictures are usual here",
        "Look at doctor-pets/doctor.html, mark what you think, and save decisions.csv from there.",
    ]
    assert (tmp_path / "doctor-pets" / "decisions.csv").is_file()


def test_on_aws_nothing_is_started_before_somebody_agrees(
    target: Any, lines: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    function = launcher()
    aws = of(target, Account(DONE), "aws", **{"lambda": function})
    monkeypatch.setattr(Target, "region", "eu-west-1")
    done = run(aws, monkeypatch, "--dataset", "pets", text="n\n")
    assert done.exit_code == 1
    assert "billed by the second" in done.output
    assert [request for _, request in function.requests] == [{"dataset": "pets", "dry_run": True}]
    assert run(aws, monkeypatch, "--dataset", "pets", "--yes").exit_code == 0


def test_a_job_is_come_back_to_without_another_being_started(
    target: Any, lines: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    function = launcher()
    aws = of(target, Account(DONE), **{"lambda": function})
    done = run(aws, monkeypatch, "--job", JOB, "--out", str(tmp_path / "here"))
    assert done.exit_code == 0, done.output
    assert not function.requests
    assert (tmp_path / "here" / "doctor.html").is_file()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "Give one of FOLDER, --dataset NAME and --job NAME"),
        (["folder", "--dataset", "pets"], "Give one of"),
        (["--dataset", "pets", "--job", JOB], "Give one of"),
        (["--dataset", "pets", "--jobs", "2"], "--jobs goes with FOLDER"),
        (["folder", "--max-cost", "2"], "--max-cost goes with --dataset"),
        (["--job", JOB, "--instance-type", "ml.m5.large"], "--instance-type goes with --dataset"),
        (["--job", JOB, "--weights", "x"], "--weights goes with"),
    ],
)
def test_options_that_contradict_each_other_are_named(
    target: Any, monkeypatch: pytest.MonkeyPatch, arguments: list[str], says: str
) -> None:
    done = run(of(target, Account(DONE)), monkeypatch, *arguments)
    assert done.exit_code == 2
    assert says in " ".join(done.output.split())


def test_what_was_found_does_not_replace_a_file(
    target: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("mine")
    function = launcher()
    aws = of(target, Account(DONE), **{"lambda": function})
    done = run(aws, monkeypatch, "--dataset", "pets", "--out", str(tmp_path / "file"))
    assert "is a file" in done.output
    assert not function.requests


def test_classes_are_told_in_a_sentence() -> None:
    overlap = {"kind": "overlap", "pictures": [{"picture": "train/ant/1.png"}], "classes": ["ant", "bee"]}
    small = {"kind": "small-class", "pictures": [], "classes": ["fly"], "reason": "has 3 pictures"}
    found = [overlap | {"reason": "are hard to tell apart"}, small, small]
    assert [*command.summary({"findings": found, "notes": []})] == [
        "1 pair of classes that overlap, such as ant and bee, which are hard to tell apart",
        "2 small classes, such as fly, which has 3 pictures",
    ]
