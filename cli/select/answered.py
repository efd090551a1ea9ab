"""A finished batch that kept features: found by its job or by what it answered, and read.

What a person gives wrong is said with the command that puts it right.
"""

from __future__ import annotations

import csv
import gzip
import json
import re
import shlex
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from io import TextIOWrapper
from pathlib import Path
from typing import IO, Any, Final, NamedTuple
from urllib.parse import urlparse

import numpy as np
from numpy.typing import NDArray

from cli import aws
from cli.batch.folder import Folder
from cli.batch.job import Left, UnreadableAnswers
from cli.errors import CliError
from cli.runs.jobs import RUNNING
from cli.target import Target
from contract import objects
from contract.batch import (
    CSV,
    FEATURES,
    FORMAT,
    JSON_LINES,
    KEYS,
    LIST,
    NAMED_BELOW,
    SOURCE,
    Listed,
    answers_file,
    features_file,
)
from contract.jobs import is_batch
from contract.names import batch_jobs, version_of

_JOB: Final = re.compile(r"[A-Za-z0-9-]{1,63}")
_MOST_LOOKED_AT: Final = 200
"""Batches of which it is asked what they answered, the newest first."""
_ETAG: Final = "S40"


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
        return str(self.job["Environment"].get("MODEL_PACKAGE_ARN", ""))

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


class Answers(NamedTuple):
    """What a batch says of the pictures that it classified; a row is a picture."""

    names: list[str]
    classes: list[str]
    best: NDArray[np.int32]
    """The two likeliest classes, by their place in `classes`, (n, 2)."""
    shares: NDArray[np.float32]
    """Their confidences, (n, 2)."""
    unlike: NDArray[np.bool_]
    features: NDArray[np.float16]
    etags: NDArray[np.bytes_]
    sizes: NDArray[np.int64]


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
    why_not = _why_not(target, job, _again(target, job))
    if why_not:
        raise NoBatch(why_not)
    return Batch(job)


def _newest(target: Target, source: str, asked: str) -> Batch:
    sagemaker, why_not = target.client("sagemaker"), ""
    again = target.command(f"batch {shlex.quote(asked)} --features")
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
        problem = _why_not(target, job, again)
        if not problem:
            return Batch(job)
        why_not = why_not or problem
    raise NoBatch(why_not or f"No batch has answered {asked} yet. Run one, with features: `{again}`.")


def _again(target: Target, job: Mapping[str, Any]) -> str:
    told = job["HyperParameters"]
    source = "FOLDER" if told.get(NAMED_BELOW) else shlex.quote(str(told.get(SOURCE)))
    return target.command(f"batch {source} --features")


def _why_not(target: Target, job: Mapping[str, Any], again: str) -> str:
    """Why no picture can be chosen from a batch; empty where they can."""
    name, status = job["TrainingJobName"], job["TrainingJobStatus"]
    if FEATURES not in job["HyperParameters"]:
        return (
            f"The batch {name} kept no features, by which pictures are chosen. Ask for them: `{again}` "
            "answers the same pictures once more and keeps them."
        )
    if status in RUNNING:
        follow = target.command(f"batch --job {name}")
        return f"The batch {name} is not done yet. Follow it: `{follow}`."
    if status != "Completed":
        return f"The batch {name} did not come to its end ({status}). Go on with it: `{again}`."
    return ""


def fetched_bytes(target: Target, batch: Batch) -> int:
    """How much `read` fetches, but for the list of the pictures."""
    sizes = Left(target, batch.job).sizes()
    return sum(sizes.get(file, 0) for files in batch.files for file in files)


def read(target: Target, batch: Batch) -> Answers:
    """What a batch answered.

    Raises:
        UnreadableAnswers: its files do not fit each other.
        JobFailed: they are gone.
    """
    left = Left(target, batch.job)
    index: dict[str, int] = {}
    names: list[str] = []
    best: list[tuple[int, int]] = []
    shares: list[tuple[float, float]] = []
    unlike: list[bool] = []
    features: list[NDArray[np.float16]] = []
    for answers, numbers in batch.files:
        before = len(names)
        for line in _lines(left, answers, batch.form):
            names.append(line.name)
            first, second = (index.setdefault(each, len(index)) for each in line.classes)
            best.append((first, second))
            shares.append(line.shares)
            unlike.append(line.unlike)
        features.append(_array(left, numbers))
        if len(features[-1]) != len(names) - before:
            raise UnreadableAnswers(
                f"{batch.name} left {len(names) - before:,} answers beside {len(features[-1]):,} rows of "
                "features; run the batch again with --afresh."
            )
    whole = [each for each in features if len(each)]
    etags, sizes = _contents(target, batch, names)
    return Answers(
        names,
        list(index),
        np.array(best, np.int32).reshape(-1, 2),
        np.array(shares, np.float32).reshape(-1, 2),
        np.array(unlike, bool),
        np.concatenate(whole) if whole else np.empty((0, 0), np.float16),
        etags,
        sizes,
    )


class _Line(NamedTuple):
    name: str
    classes: tuple[str, str]
    shares: tuple[float, float]
    unlike: bool


def _lines(left: Left, file: str, form: str) -> Iterator[_Line]:
    """The answers of one file, without refusals."""
    with _local(left, file) as content:
        text = TextIOWrapper(content, encoding="utf-8", newline="\n")
        yield from _of_columns(text) if form == CSV else _of_json(text)


def _of_json(text: TextIOWrapper) -> Iterator[_Line]:
    for each in text:
        line = json.loads(each)
        if "error" not in line:
            first, second = (line["predictions"] * 2)[:2]
            yield _Line(
                line["key"],
                (first["class"], second["class"]),
                (first["confidence"], second["confidence"]),
                line["unlike_training"] is True,
            )


def _of_columns(text: TextIOWrapper) -> Iterator[_Line]:
    for row in csv.DictReader(text):
        if not row["error"]:
            first, second = (json.loads(row["classes"]) * 2)[:2]
            one, other = (json.loads(row["confidences"]) * 2)[:2]
            yield _Line(row["key"], (first, second), (one, other), row["unlike_training"] == "true")


def _array(left: Left, file: str) -> NDArray[np.float16]:
    with _local(left, file) as content:
        try:
            found = np.load(content, allow_pickle=False)
        except (ValueError, EOFError) as error:
            raise UnreadableAnswers(f"{file} of {left.name} cannot be read: {error}") from None
    return np.asarray(found, np.float16)


@contextmanager
def _local(left: Left, file: str) -> Iterator[IO[bytes]]:
    """A file of the batch, brought here: it may be larger than memory should hold."""
    with tempfile.TemporaryFile() as content:
        shutil.copyfileobj(left.open(file), content, 1024 * 1024)
        content.seek(0)
        yield content


def _contents(target: Target, batch: Batch, names: list[str]) -> tuple[NDArray[np.bytes_], NDArray[np.int64]]:
    """What S3 tells the pictures' contents by, and their sizes, by the list that the job was given."""
    (uri,) = (
        channel["DataSource"]["S3DataSource"]["S3Uri"]
        for channel in batch.job["InputDataConfig"]
        if channel["ChannelName"] == LIST
    )
    place = urlparse(uri)
    packed = objects.read(target.client("s3"), place.netloc, f"{place.path.lstrip('/')}{KEYS}")
    if packed is None:
        raise NoBatch(
            f"The list of the pictures of {batch.name} is gone: it is kept for storage.trial_outputs_days. "
            f"Run the batch again: `{_again(target, batch.job)}`."
        )
    etags, sizes = np.zeros(len(names), _ETAG), np.zeros(len(names), np.int64)
    row_of = {name: row for row, name in enumerate(names)}
    for line in gzip.decompress(packed).splitlines():
        listed = Listed.read(line.decode())
        row = row_of.get(listed.key.removeprefix(batch.named_below))
        if row is not None:
            etags[row], sizes[row] = listed.etag.encode(), listed.size
    return etags, sizes
