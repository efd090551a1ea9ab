"""The page of a training job, or of several beside each other, from what they left in S3 or in a folder.

A job's own report.html is in its model; this draws it again from the job's output, which a failed or stopped
job leaves as well, together with the quality gate's word and the seconds that are billed. What a crashed job
left is read by the training code, in a process of its own: the command line knows only where things lie.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

from cli import aws
from cli.cost import spending as cost
from cli.errors import BadArgument, CliError
from cli.files import replacing
from cli.runs.archives import UnsafeArchive, unpack
from cli.runs.jobs import newest_attempt
from cli.target import ROOT, Target
from contract import names
from contract.aws_errors import code_of
from contract.storage import of_run, output_of
from reports import REPORT, Record
from reports.ended import jobs as ended
from reports.ended.jobs import BILLED, VERDICT


class NoSuchJob(BadArgument):
    """There is no training job of that name, and no folder either."""


class NotWatched(BadArgument):
    """The job is a trial of a search: those are not watched, and leave no report."""


class NothingLeft(CliError):
    """The job has left nothing to report."""


def write_page(target: Target, jobs: Sequence[str], page: Path) -> None:
    """Draw the report of one job, or the comparison of several, into `page`.

    Args:
        jobs: training jobs, tuning jobs (their last training is meant), or folders that a job left.

    Raises:
        NoSuchJob: one of them is neither a job nor a folder.
        NotWatched: one is a trial of a search.
        NothingLeft: a job has no output, or none that says anything.
        UnsafeArchive: its output is damaged, or holds what no job of this project leaves.
    """
    page.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch, replacing(page) as part:
        folders = [_folder(target, job, Path(scratch) / str(number)) for number, job in enumerate(jobs)]
        try:
            text = ended.render([_record(folder, Path(scratch) / REPORT) for folder in folders])
        except ended.NoReport as error:
            raise NothingLeft(str(error)) from None
        part.write_text(text, encoding="utf-8", errors="xmlcharrefreplace")


def left_by_a_job(folder: Path) -> bool:
    """Whether this is a folder with something of a job's output, whatever that is worth."""
    return any((folder / name).exists() for name in (REPORT, "debug", "names.json"))


def _record(folder: Path, remains: Path) -> Record:
    """The record in a job's folder; where a crash left none, `remains` is made to say what is there."""
    if (folder / REPORT).exists():
        return ended.read(folder / REPORT, folder)
    made = subprocess.run(
        [sys.executable, "-m", "training_code.output.remains", str(folder), str(remains)],
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode:
        lines = made.stderr.strip().splitlines() or [f"what {folder} holds cannot be read"]
        raise NothingLeft(lines[-1].removeprefix("error: "))
    return ended.read(remains, folder)


def _folder(target: Target, job: str, scratch: Path) -> Path:
    """What a job left, unpacked."""
    if Path(job).is_dir():
        return Path(job).resolve()
    described = _described(target, job)
    name = str(described["TrainingJobName"])
    if search := described.get("TuningJobArn"):
        run = str(search).rpartition("/")[2]
        raise NotWatched(
            f"{name} is a trial of the search {run}. Trials are not watched and have no report; their "
            f"results are on the page of the search: {target.command(f'tuning-report {run}')}"
        )
    scratch.mkdir()
    place = urlparse(f"{described['OutputDataConfig']['S3OutputPath'].rstrip('/')}/{output_of(name)}")
    archive, folder = scratch / "output.tar.gz", scratch / name
    s3 = target.client("s3")
    if not _download(s3, place.netloc, place.path.lstrip("/"), archive):
        status = described.get("TrainingJobStatus", "")
        reason = described.get("FailureReason", "")
        raise NothingLeft(
            f"The training job {name} ({status}) has left no output at {place.geturl()}."
            + (f" It failed: {reason}" if reason else " A job writes it when it ends.")
        )
    unpack(archive, folder)
    for name_of_ours in (VERDICT, BILLED):
        if (folder / name_of_ours).exists():
            raise UnsafeArchive(f"{place.geturl()} holds a {name_of_ours}, which no job writes.")
    _download(s3, place.netloc, of_run(name, VERDICT), folder / VERDICT)
    billed = cost.of_job(described, datetime.now(UTC))
    if billed.usd is not None:
        each = billed.seconds / described["ResourceConfig"].get("InstanceCount", 1)
        bill = {"seconds": each, "usd": billed.usd, "hourly_usd": billed.usd_per_hour}
        (folder / BILLED).write_text(json.dumps(bill), encoding="utf-8")
    return folder


def _described(target: Target, job: str) -> dict[str, Any]:
    """The training job's description; of a search, that of its last training."""
    sagemaker = target.client("sagemaker")
    for name in (job, names.final_of(job)):
        if described := newest_attempt(sagemaker, name):
            return described
    if search := aws.found(
        sagemaker.describe_hyper_parameter_tuning_job, HyperParameterTuningJobName=names.run_of(job)
    ):
        run, status = names.run_of(job), search["HyperParameterTuningJobStatus"]
        raise NothingLeft(
            f"{run} has no last training: its search is {status}. The page of the search and its trials: "
            f"`{target.command(f'tuning-report {run}')}`"
        )
    if newest_attempt(sagemaker, names.race_of(job)):
        raise NothingLeft(
            f"{job} has a race of networks so far, and no training. The page of the race: "
            f"`{target.command(f'race-report {job}')}`"
        )
    raise NoSuchJob(
        f"There is no training job {job!r}, nor one {names.final_of(job)!r}, nor a folder of that name. "
        f"`{target.command('status')}` shows the newest run."
    )


def _download(s3: Any, bucket: str, key: str, path: Path) -> bool:
    """Whether the object was there."""
    from botocore.exceptions import ClientError

    try:
        s3.download_file(bucket, key, str(path))
    except ClientError as error:
        if code_of(error) in ("404", "NoSuchKey", "403"):
            return False
        raise
    return True
