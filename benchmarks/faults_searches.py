"""Searches of the campaign: as small as the real training code allows, and each on data of its own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.faults_installation import Installation, until
from benchmarks.faults_judged import Found, Job, wrong_job, wrong_search
from cli.runs.launch import launch

PICTURES_PER_CLASS = {"train": 20, "valid": 4, "test": 4}
SECONDS = 240


@dataclass(frozen=True)
class Searches:
    """Searches on an installation, with pictures from a folder of digits."""

    installation: Installation
    digits: Path

    def fresh_data(self, name: str) -> str:
        """A dataset nobody has read yet."""
        s3, bucket = self.installation.client("s3"), self.installation.outputs["data_bucket"]
        for split, path in _chosen(self.digits):
            key = f"{name}/{split}/{path.parent.name}/{path.name}"
            s3.put_object(Bucket=bucket, Key=key, Body=path.read_bytes(), ContentType="image/png")
        return name

    def begin(self, dataset: str, trials: int = 2) -> str:
        """Start a search of that many trials, all at once, which nothing follows; its name."""
        request = {
            "recipe": "digits",
            "dataset": dataset,
            "training": {"epochs": 1},
            "tuning": {"max_jobs": trials, "parallel_jobs": trials},
        }
        run = launch(self.installation.target, "launch-tuning", request).run
        # The mark of `classifier stop`, without its stop: the search ends, and no final training comes of it.
        self.installation.client("s3").put_object(
            Bucket=self.installation.outputs["artifacts_bucket"],
            Key=f"runs/{run}/stopped.json",
            Body=json.dumps({"why": "the campaign"}).encode(),
        )
        return run

    def train(self, dataset: str) -> tuple[str, str]:
        """Start one training of three epochs; the run's name and the job's."""
        request = {"recipe": "digits", "dataset": dataset, "final": {"epochs": 3}}
        launched = launch(self.installation.target, "launch-training", request)
        return launched.run, launched.job

    def ended(self, run: str) -> str:
        """Wait for a search's end; its status."""

        def status() -> str:
            sagemaker = self.installation.client("sagemaker")
            found = sagemaker.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName=run)
            status = str(found["HyperParameterTuningJobStatus"])
            return "" if status in ("InProgress", "Stopping") else status

        return until(status, SECONDS, f"the end of {run}")

    def trials(self, run: str) -> list[Job]:
        sagemaker = self.installation.client("sagemaker")
        listed = sagemaker.list_training_jobs_for_hyper_parameter_tuning_job(HyperParameterTuningJobName=run)
        return [self.job(each["TrainingJobName"]) for each in listed["TrainingJobSummaries"]]

    def job(self, name: str) -> Job:
        job = self.installation.client("sagemaker").describe_training_job(TrainingJobName=name)
        artifact = job.get("ModelArtifacts", {}).get("S3ModelArtifacts", "")
        reason = job.get("FailureReason", "")
        return Job(name, job["TrainingJobStatus"], reason, bool(artifact) and self._is_there(artifact))

    def _is_there(self, uri: str) -> bool:
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        s3 = self.installation.client("s3")
        try:
            size: int = s3.head_object(Bucket=bucket, Key=key)["ContentLength"]
            return size > 0 and len(s3.get_object(Bucket=bucket, Key=key)["Body"].read()) == size
        except s3.exceptions.ClientError:
            return False


def judge(status: str, trials: list[Job], found: Found, server_killed: bool = False) -> None:
    """Note what is wrong with an ended search."""
    found.add("wrong_outcomes", [wrong_search(status, trials, server_killed)])
    found.add("wrong_outcomes", [wrong_job(trial, killed=True) for trial in trials])


def cold(searches: Searches, count: int) -> Iterator[dict[str, Any]]:
    """Searches one after the other, two trials at the same moment on fresh data: a row for each."""
    for number in range(1, count + 1):
        found = Found()
        run = searches.begin(searches.fresh_data(f"cold-{number}"))
        status, trials = searches.ended(run), searches.trials(run)
        lost = [f"{trial.name}: {trial.reason}" for trial in trials if trial.status != "Completed"]
        found.add("failed_trials", lost)
        judge(status, trials, found)
        yield {"system": "cold search", "number": number, "trials": len(trials), **found.counts}
        for line in found.lines:
            print(f"  {line}", flush=True)


def _chosen(digits: Path) -> Iterator[tuple[str, Path]]:
    for split, count in PICTURES_PER_CLASS.items():
        for label in sorted((digits / split).iterdir()):
            for path in sorted(label.glob("*.png"))[:count]:
                yield split, path
