"""A finished batch that kept features, found by its job or by what it answered.

What a person gives wrong is said with the command that puts it right.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cli import aws
from cli.batch.folder import Folder
from cli.batch.job import model_of
from cli.errors import CliError
from cli.runs.jobs import RUNNING
from cli.target import Target
from contract.batch import (
    FEATURES,
    FORMAT,
    JSON_LINES,
    NAMED_BELOW,
    SOURCE,
    answers_file,
    features_file,
)
from contract.jobs import is_batch
from contract.names import batch_jobs, version_of

_JOB: Final = re.compile(r"[A-Za-z0-9-]{1,63}")
_MOST_LOOKED_AT: Final = 200
"""Batches of which it is asked what they answered, the newest first."""


class NoBatch(CliError):
    """There is no batch that pictures could be chosen from; the message says what to run."""


@dataclass(frozen=True)
class Batch:
    """A batch job, as DescribeTrainingJob tells it."""

    job: Mapping[str, Any]

    @property
    def name(self) -> str:
        return str(self.job["TrainingJobName"])

    @property
    def model(self) -> str:
        """The ARN of the model package that answered."""
        return model_of(self.job)

    @property
    def source(self) -> str:
        """The S3 address that all its pictures lie below."""
        return self._told(SOURCE)

    @property
    def named_below(self) -> str:
        return self._told(NAMED_BELOW)

    @property
    def form(self) -> str:
        return self._told(FORMAT) or JSON_LINES

    @property
    def shares(self) -> int:
        return int(self.job["ResourceConfig"]["InstanceCount"])

    @property
    def files(self) -> tuple[tuple[str, str], ...]:
        """The answers and the features of each of its instances."""
        of = range(self.shares)
        return tuple(
            (answers_file(share, self.shares, self.form), features_file(share, self.shares)) for share in of
        )

    @property
    def in_words(self) -> str:
        return f"{self.name} (version {version_of(self.model)} on {self.source})"

    def _told(self, key: str) -> str:
        return str(self.job["HyperParameters"].get(key, ""))


def find(target: Target, asked: str, data_bucket: str) -> Batch:
    """The batch of a job's name; of an S3 address or a folder, the newest that answered it and kept features.

    Raises:
        NoBatch: there is none that is done and has features.
    """
    if asked.startswith("s3://"):
        return _newest(target, f"{asked.rstrip('/')}/", asked)
    if Path(asked).is_dir():
        return _newest(target, f"s3://{data_bucket}/{Folder(Path(asked), {}, ()).prefix}", asked)
    describe = target.client("sagemaker").describe_training_job
    job = aws.found(describe, TrainingJobName=asked) if _JOB.fullmatch(asked) else None
    if job is None or not is_batch(job):
        raise NoBatch(
            f"There is no folder {asked}, and no batch of that name. Give the s3://BUCKET/PREFIX or the "
            "FOLDER that a batch with --features answered, or the name of its job."
        )
    why_not = _why_not(target, job, again(target, job))
    if why_not:
        raise NoBatch(why_not)
    return Batch(job)


def _newest(target: Target, source: str, asked: str) -> Batch:
    sagemaker, why_not = target.client("sagemaker"), ""
    command = target.command(f"batch {shlex.quote(asked)} --features")
    listed = aws.listed(
        sagemaker,
        "list_training_jobs",
        "TrainingJobSummaries",
        NameContains=batch_jobs(target.project),
        SortBy="CreationTime",
        SortOrder="Descending",
    )
    for _, summary in zip(range(_MOST_LOOKED_AT), listed, strict=False):
        job = aws.found(sagemaker.describe_training_job, TrainingJobName=summary["TrainingJobName"])
        if job is None or not is_batch(job) or job["HyperParameters"].get(SOURCE) != source:
            continue
        problem = _why_not(target, job, command)
        if not problem:
            return Batch(job)
        why_not = why_not or problem
    raise NoBatch(why_not or f"No batch has answered {asked} yet. Run one, with features: `{command}`.")


def again(target: Target, job: Mapping[str, Any]) -> str:
    """The command that answers a batch's pictures once more."""
    told = job["HyperParameters"]
    source = "FOLDER" if told.get(NAMED_BELOW) else shlex.quote(str(told.get(SOURCE)))
    return target.command(f"batch {source} --features")


def _why_not(target: Target, job: Mapping[str, Any], command: str) -> str:
    """Why no picture can be chosen from a batch, with the command that changes it; empty where they can."""
    name, status = job["TrainingJobName"], job["TrainingJobStatus"]
    if FEATURES not in job["HyperParameters"]:
        return (
            f"The batch {name} kept no features, by which pictures are chosen. Ask for them: `{command}` "
            "answers the same pictures once more and keeps them."
        )
    if status in RUNNING:
        follow = target.command(f"batch --job {name}")
        return f"The batch {name} is not done yet. Follow it: `{follow}`."
    if status != "Completed":
        return f"The batch {name} did not come to its end ({status}). Go on with it: `{command}`."
    return ""
