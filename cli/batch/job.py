"""A batch job: followed to its end, and its answers brought here."""

from __future__ import annotations

import gzip
import io
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import IO, Any, Final
from urllib.parse import urlparse

from cli import aws
from cli.errors import CliError
from cli.files import replacing
from cli.runs import following
from cli.runs.following import JobFailed, Kind
from cli.target import Target
from contract import objects
from contract.aws_errors import code_of
from contract.batch import (
    COUNT,
    CSV,
    FORMAT,
    JSON_LINES,
    KEYS,
    LIST,
    PAGE,
    Listed,
    Summary,
    answers_file,
    summary_file,
    together,
)
from contract.jobs import is_batch

_KIND: Final = Kind(
    what="batch",
    is_one=is_batch,
    stages={
        "Starting": "Starting an instance.",
        "Pending": "Waiting for an instance.",
        "Interrupted": "AWS took its spot instance back; the job goes on when there is another.",
        "Uploading": "Storing the answers.",
    },
    left="What it has answered is kept: the same command goes on from there.",
    fetches="the answers",
)
_FILES: Final = (".jsonl", ".csv")
_SUMMARY: Final = "summary.json"
_CHUNK: Final = 1024 * 1024


class UnreadableAnswers(CliError):
    """What the job left is not what a batch writes."""


def follow(target: Target, name: str, again: str) -> Mapping[str, Any]:
    """As `following.follow`, of a batch."""
    return following.follow(target, name, _KIND, again)


def place_of(job: Mapping[str, Any]) -> str:
    """The S3 address below which a completed job's answers lie."""
    return f"{str(job['ModelArtifacts']['S3ModelArtifacts']).rstrip('/')}/"


def is_file(out: Path) -> bool:
    """Whether the answers go to a file of this name, and not into a folder."""
    return out.suffix.lower() in _FILES and not out.is_dir()


def form_of(out: Path | None) -> str:
    """The form that a file's name asks for."""
    return CSV if out is not None and is_file(out) and out.suffix.lower() == ".csv" else JSON_LINES


def fetch(target: Target, job: Mapping[str, Any], out: Path) -> tuple[Summary, Path, Path]:
    """Bring the answers of a completed job here, those of all its instances in one file, and its page.

    Args:
        out: a file, beside which the page is put under its name, or a folder.

    Returns:
        The summary, the file of answers and the page.

    Raises:
        UnreadableAnswers: the job left something else.
        JobFailed: its answers are gone.
    """
    from reports.batch.page import render

    told, shares = job["HyperParameters"], job["ResourceConfig"]["InstanceCount"]
    form = str(told.get(FORMAT, JSON_LINES))
    folder = out.parent if is_file(out) else out
    folder.mkdir(parents=True, exist_ok=True)
    answers = out if is_file(out) else out / f"answers.{form}"
    page = out.with_suffix(".html") if is_file(out) else out / PAGE
    source = Left(target, job)
    try:
        summary = together(
            [Summary.read(source.read(summary_file(share, shares))) for share in range(shares)]
        )
    except (ValueError, TypeError, RecursionError):
        raise UnreadableAnswers(
            f"The summary of {source.name} cannot be read; run the batch again."
        ) from None
    with replacing(answers) as part, part.open("wb") as whole:
        lines = sum(
            _append(source, answers_file(each, shares, form), whole, each > 0) for each in range(shares)
        )
        if form == JSON_LINES and not lines == summary.pictures == int(told[COUNT]):
            raise UnreadableAnswers(
                f"The job {source.name} was to answer {int(told[COUNT]):,} pictures and left {lines:,} lines."
            )
    page.write_text(render(summary), encoding="utf-8")
    if not is_file(out):
        (out / _SUMMARY).write_text(summary.write(), encoding="utf-8")
    return summary, answers, page


def model_of(job: Mapping[str, Any]) -> str:
    """The ARN of the model package that answers."""
    return str(job["Environment"].get("MODEL_PACKAGE_ARN", ""))


def listed(target: Target, job: Mapping[str, Any]) -> Iterator[Listed] | None:
    """The pictures that a job was given; None where their list is gone."""
    (uri,) = (
        channel["DataSource"]["S3DataSource"]["S3Uri"]
        for channel in job["InputDataConfig"]
        if channel["ChannelName"] == LIST
    )
    place = urlparse(uri)
    packed = objects.read(target.client("s3"), place.netloc, f"{place.path.lstrip('/')}{KEYS}")
    if packed is None:
        return None
    return (Listed.read(line.decode()) for line in gzip.open(io.BytesIO(packed)))


def in_words(summary: Summary) -> Iterator[str]:
    """A batch in a few lines."""
    refused = sum(summary.refused.values())
    kept = f", {summary.kept:,} of them by earlier runs" if summary.kept else ""
    yield f"{summary.pictures:,} pictures: {summary.answered:,} answered, {refused:,} not{kept}."
    most = sorted(summary.classes.items(), key=lambda each: (-each[1], each[0]))
    if most:
        more = f" and {len(most) - 8} more classes" if len(most) > 8 else ""
        yield f"By class: {', '.join(f'{name} {count:,}' for name, count in most[:8])}{more}."
    if summary.certain + summary.uncertain:
        not_so = f"not certain {summary.uncertain:,}, unlike training {summary.unlike:,}"
        yield f"Certain {summary.certain:,}, {not_so}."
    if refused:
        reasons = sorted(summary.refused.items(), key=lambda each: (-each[1], each[0]))
        yield f"Without an answer: {', '.join(f'{code} {count:,}' for code, count in reasons)}."


class Left:
    """What a completed job left in S3."""

    def __init__(self, target: Target, job: Mapping[str, Any]) -> None:
        place = urlparse(place_of(job))
        self.name = job["TrainingJobName"]
        self._s3, self._bucket, self._key = target.client("s3"), place.netloc, place.path.lstrip("/")

    def open(self, file: str) -> Any:
        """A file's content, to be read piece by piece.

        Raises:
            JobFailed: it is gone.
        """
        from botocore.exceptions import ClientError

        try:
            return self._s3.get_object(Bucket=self._bucket, Key=self._key + file)["Body"]
        except ClientError as error:
            if code_of(error) not in aws.ABSENT:
                raise
            raise JobFailed(
                f"What the job {self.name} answered is gone (s3://{self._bucket}/{self._key}{file}): it is "
                "kept for storage.trial_outputs_days. Run the batch again."
            ) from None

    def read(self, file: str) -> bytes:
        return bytes(self.open(file).read())

    def sizes(self) -> dict[str, int]:
        """The size of each file."""
        there = objects.below(self._s3, self._bucket, self._key)
        return {each["Key"].removeprefix(self._key): each["Size"] for each in there}


def _append(source: Left, file: str, whole: IO[bytes], without_head: bool) -> int:
    """Add a file to the whole; how many lines it had. CSV's first line names the columns, once."""
    lines = 0
    rest = file.endswith(CSV) and without_head
    for chunk in iter(partial(source.open(file).read, _CHUNK), b""):
        lines += chunk.count(b"\n")
        if rest:
            _, found, chunk = chunk.partition(b"\n")
            rest = not found
        whole.write(chunk)
    return lines
