"""A job of the doctor: followed to its end, and what it found brought here."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlparse

from cli import aws
from cli.errors import CliError
from cli.runs import following
from cli.runs.archives import unpack
from cli.runs.following import JobFailed, Kind
from cli.target import Target
from contract.aws_errors import code_of
from contract.jobs import DATASET, is_doctor
from contract.picture_decisions import FILE, FINDINGS, PAGE

_FILES: Final = (FINDINGS, PAGE, FILE)
_KIND: Final = Kind(
    what="job of the doctor's",
    is_one=is_doctor,
    stages={
        "Starting": "Starting an instance.",
        "Pending": "Waiting for an instance.",
        "Downloading": "Downloading the pictures.",
        "Uploading": "Storing what was found.",
    },
    left="It left nothing.",
    fetches="what it finds",
)


class UnreadableFindings(CliError):
    """What the job left is not what the doctor writes."""


def follow(target: Target, name: str, again: str) -> Mapping[str, Any]:
    """As `following.follow`, of a job of the doctor's."""
    return following.follow(target, name, _KIND, again)


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
