"""A job of the doctor: followed to its end, and what it found brought here."""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlparse

from cli import aws
from cli.console import say
from cli.errors import CliError
from cli.interrupt import Interrupted
from cli.runs.archives import unpack
from cli.runs.jobs import LOG_GROUP, RUNNING, log_of
from cli.target import Target
from contract.aws_errors import code_of
from contract.jobs import DATASET, DOCTOR_PACKAGE, package_of
from contract.picture_decisions import FILE, FINDINGS, PAGE

_FILES: Final = (FINDINGS, PAGE, FILE)
_STAGES: Final = {
    "Starting": "Starting an instance.",
    "Pending": "Waiting for an instance.",
    "Downloading": "Downloading the pictures.",
    "Uploading": "Storing what was found.",
}
"""What of SageMaker's statuses is worth a line; while it is `Training` the job's own log says more."""


class NoSuchJob(CliError):
    """There is no job of that name, or it is none of the doctor's."""


class JobFailed(CliError):
    """The doctor's job ended without having found anything out."""


class UnreadableFindings(CliError):
    """What the job left is not what the doctor writes."""


def follow(target: Target, name: str, fetch: str) -> Mapping[str, Any]:
    """Show how far a job is until it has completed; returns its description. On Ctrl-C it goes on.

    Args:
        fetch: the command that follows it and fetches what it found, for whoever has to come back.

    Raises:
        NoSuchJob: there is none, or it trains.
        JobFailed: it failed or was stopped; the message says why.
    """
    try:
        job = _until_ended(target, name)
    except KeyboardInterrupt:
        where = f"the local AWS on port {target.port}" if target.is_local else "AWS, billed until its end"
        stop = (
            ""
            if target.is_local
            else f" (or end it: aws sagemaker stop-training-job --training-job-name {name})"
        )
        raise Interrupted(
            f"Stopped watching. The job {name} goes on in {where}; fetch what it finds with `{fetch}`{stop}."
        ) from None
    status = job["TrainingJobStatus"]
    if status == "Failed":
        reason = job.get("FailureReason") or "AWS gives no reason"
        raise JobFailed(f"The job {name} failed: {reason}\nIts log: {log_of(name)}.")
    if status != "Completed":
        longest = job.get("StoppingCondition", {}).get("MaxRuntimeInSeconds", 0) // 60
        why = (
            f"reached its longest run time, {longest} minutes; give it more with --max-minutes"
            if job.get("SecondaryStatus") == "MaxRuntimeExceeded"
            else "was stopped"
        )
        raise JobFailed(f"The job {name} {why}. It left nothing.")
    return job


def _until_ended(target: Target, name: str) -> Mapping[str, Any]:
    sagemaker, log, stage = target.client("sagemaker"), _Log(target, name), ""
    while True:
        job = aws.found(sagemaker.describe_training_job, TrainingJobName=name)
        if job is None:
            raise NoSuchJob(f"There is no job {name}.")
        if package_of(job) != DOCTOR_PACKAGE:
            raise NoSuchJob(f"{name} is a training and no job of the doctor's: `classifier report` shows it.")
        if stage != (stage := job.get("SecondaryStatus", "")) and stage in _STAGES:
            say(_STAGES[stage])
        for line in log.news():
            say(line)
        if job["TrainingJobStatus"] not in RUNNING:
            return job  # type: ignore[no-any-return]
        time.sleep(target.poll_seconds)


class _Log:
    """The lines of a job's log, each once."""

    def __init__(self, target: Target, job: str) -> None:
        self._logs, self._job = target.client("logs"), job
        self._since, self._shown = 0, set[str]()

    def news(self) -> Iterator[str]:
        """What has come since the last time; nothing before the job has a log."""
        chosen = {"logStreamNamePrefix": f"{self._job}/", "startTime": self._since}
        events = aws.listed(self._logs, "filter_log_events", "events", logGroupName=LOG_GROUP, **chosen)
        try:
            for event in list(events):
                if event["eventId"] not in self._shown:
                    self._shown.add(event["eventId"])
                    self._since = max(self._since, event["timestamp"])
                    yield event["message"].rstrip()
        except self._logs.exceptions.ResourceNotFoundException:
            return


def dataset_of(job: Mapping[str, Any]) -> str:
    """The data set that a job looked at, without its version."""
    return str(job.get("HyperParameters", {}).get(DATASET, "")).partition("@")[0]


def fetch(target: Target, job: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Put the page, the decisions and the findings of a completed job into `folder`; returns the findings.

    Raises:
        UnsafeArchive, UnreadableFindings: its archive holds something else.
        JobFailed: its archive is gone.
    """
    name, place = job["TrainingJobName"], urlparse(job["ModelArtifacts"]["S3ModelArtifacts"])
    with tempfile.TemporaryDirectory() as scratch:
        archive, unpacked = Path(scratch) / "model.tar.gz", Path(scratch) / "found"
        _download(target, name, place.netloc, place.path.lstrip("/"), archive)
        unpack(archive, unpacked)
        missing = [each for each in _FILES if not (unpacked / each).is_file()]
        if missing:
            raise UnreadableFindings(f"The job {name} left no {', '.join(missing)}; start another.")
        findings = _read(unpacked / FINDINGS, name)
        folder.mkdir(parents=True, exist_ok=True)
        for each in _FILES:
            shutil.copyfile(unpacked / each, folder / each)
    return findings


def _download(target: Target, name: str, bucket: str, key: str, archive: Path) -> None:
    from botocore.exceptions import ClientError

    try:
        target.client("s3").download_file(bucket, key, str(archive))
    except ClientError as error:
        if code_of(error) not in aws.ABSENT:
            raise
        raise JobFailed(
            f"What the job {name} found is gone (s3://{bucket}/{key}): it is kept for "
            "storage.trial_outputs_days. Start another."
        ) from None


def _read(path: Path, name: str) -> dict[str, Any]:
    try:
        findings = json.loads(path.read_text(encoding="utf-8"))
        whole = isinstance(findings["findings"], list) and isinstance(findings["notes"], list)
    except (ValueError, LookupError, TypeError, RecursionError):
        whole = False
    if not whole:
        raise UnreadableFindings(f"The {FINDINGS} of the job {name} cannot be read; start another.")
    return dict(findings)
