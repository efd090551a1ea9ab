"""How the race of a run came out, from what its job left."""

from __future__ import annotations

import tempfile
from pathlib import Path

from cli.errors import CliError
from cli.runs.archives import UnsafeArchive, unpack
from cli.runs.jobs import newest_attempt
from cli.stacks import outputs
from cli.target import Target
from contract import names, objects, race, storage
from contract.aws_errors import code_of


class NoRace(CliError):
    """The run began with no race, or it has not left anything yet."""


def read(target: Target, run: str) -> race.Race:
    """The race of a run: the record that its end left, or what a race without a winner has in its output.

    Raises:
        NoRace: see there.
    """
    bucket = outputs(target, "storage")["ArtifactsBucket"]
    text = objects.read(target.client("s3"), bucket, storage.of_run(run, race.FILE), race.MAX_BYTES)
    if text is None:
        text = _of_job(target, run, bucket)
    try:
        return race.read(text)
    except race.UnreadableRace as error:
        raise NoRace(f"What the race of {run} left cannot be read: {error}.") from None


def _of_job(target: Target, run: str, bucket: str) -> bytes:
    from botocore.exceptions import ClientError

    job = newest_attempt(target.client("sagemaker"), names.race_of(run))
    if job is None:
        raise NoRace(
            f"{run} has no race: its recipe names its network, or it was not started by launch-tuning."
        )
    name, status = job["TrainingJobName"], job["TrainingJobStatus"]
    nothing = NoRace(
        f"The race {name} is {status} and has left nothing to show. {job.get('FailureReason', '')}".strip()
    )
    with tempfile.TemporaryDirectory() as scratch:
        archive, folder = Path(scratch) / "output.tar.gz", Path(scratch) / "output"
        try:
            key = f"{storage.TRIALS}/{storage.output_of(name)}"
            target.client("s3").download_file(bucket, key, str(archive))
            unpack(archive, folder)
        except ClientError as error:
            if code_of(error) not in ("NoSuchKey", "404"):
                raise
            raise nothing from None
        except UnsafeArchive as error:
            raise NoRace(str(error)) from None
        try:
            return (folder / race.FILE).read_bytes()
        except OSError:
            raise nothing from None
