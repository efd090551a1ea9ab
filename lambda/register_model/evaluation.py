"""The numbers a training job leaves in output.tar.gz, read without trusting the archive.

The archive is streamed, nothing is unpacked to disk, only a regular file named `evaluation.json` at its top
is read, and both what is searched and what is read have a limit: a user's own code fills this archive.
"""

from __future__ import annotations

import json
import math
import struct
import tarfile
import zlib
from dataclasses import dataclass
from typing import IO, Any

from common.clients import error_code
from common.errors import EvaluationInvalid

FILE = "evaluation.json"
MAX_EVALUATION_BYTES = 8 * 1024 * 1024
MAX_MEMBERS = 10_000
MAX_UNPACKED_BYTES = 2 * 1024**3

# tarfile's stream reader falls over a malformed gzip header with whatever its code happens to raise.
_UNREADABLE = (
    tarfile.TarError,
    zlib.error,
    EOFError,
    OSError,
    TypeError,
    ValueError,
    IndexError,
    struct.error,
)


@dataclass(frozen=True)
class Again:
    """The champion, asked the candidate's test pictures by the candidate's job; or why it could not be."""

    training_job: str
    accuracy: float = 0.0
    predicted: tuple[int, ...] = ()
    """Class indices, in the order of the candidate's own; empty when the file has none."""
    why_not: str = ""


@dataclass(frozen=True)
class Evaluation:
    """How a model did on the test split. `raw` is the file as it is, for the registry to keep."""

    accuracy: float
    loss: float
    count: int
    fingerprint: str
    largest_class: int
    """Test pictures of the most frequent class: what always guessing it would get right."""
    classes: tuple[str, ...]
    arch: str
    raw: bytes
    recalls: tuple[tuple[str, float], ...] = ()
    """Each class that has test pictures, with the share of them that was found."""
    labels: tuple[int, ...] = ()
    predicted: tuple[int, ...] = ()
    """Class indices, one per test picture in the order of file names; empty when the file has none."""
    champion: Again | None = None
    latency_ms: float | None = None
    """Milliseconds a picture takes in the form that serves it, as the training job measured it."""

    @property
    def lowest_class(self) -> tuple[str, float] | None:
        """The class that is found worst, with its recall."""
        return min(self.recalls, key=lambda each: each[1], default=None)

    @property
    def chance(self) -> float:
        """The accuracy of always answering the most frequent class."""
        return self.largest_class / self.count


def fetch(s3: Any, bucket: str, key: str) -> Evaluation:
    """The evaluation in a training job's output archive.

    Raises:
        EvaluationInvalid: no archive, no such file in it, or not one that can be believed.
    """
    where = f"s3://{bucket}/{key}"
    try:
        answer = s3.get_object(Bucket=bucket, Key=key)
    except s3.exceptions.ClientError as error:
        if error_code(error) not in ("NoSuchKey", "404"):
            raise
        raise EvaluationInvalid(f"{where} is missing: the training left nothing in output/data") from None
    with answer["Body"] as body:
        return parse(find(body, where), where)


def find(archive: IO[bytes], where: str) -> bytes:
    """The bytes of evaluation.json in a gzipped tar stream.

    Raises:
        EvaluationInvalid: not such an archive, too large to search, or the file is missing, too large or a
        link.
    """
    unpacked = 0
    try:
        with tarfile.open(fileobj=archive, mode="r|gz") as tar:
            for number, member in enumerate(tar):
                unpacked += member.size
                if member.name in (FILE, f"./{FILE}"):
                    return _content(tar, member, where)
                if number >= MAX_MEMBERS or unpacked > MAX_UNPACKED_BYTES:
                    raise EvaluationInvalid(
                        f"{where}: no {FILE} in its first {MAX_MEMBERS} files or {MAX_UNPACKED_BYTES} bytes"
                    )
    except _UNREADABLE as error:
        raise EvaluationInvalid(f"{where} is not a readable .tar.gz: {error}") from error
    raise EvaluationInvalid(f"{where} has no {FILE}: the training code has to write it to output/data")


def parse(raw: bytes, where: str) -> Evaluation:
    """The evaluation in the file's bytes.

    Raises:
        EvaluationInvalid: not JSON, a field is missing, or a number cannot be (an accuracy above 1, no
        pictures).
    """
    try:
        body = json.loads(raw)
        test = body["test"]
        evaluation = Evaluation(
            accuracy=float(test["accuracy"]),
            loss=float(test["loss"]),
            count=int(test["count"]),
            fingerprint=str(test["fingerprint"]),
            largest_class=max(int(each["count"]) for each in test["per_class"]),
            classes=tuple(str(name) for name in body["classes"]),
            arch=str(body["arch"]),
            raw=raw,
            recalls=tuple(
                (str(each["class"]), float(each["recall"]))
                for each in test["per_class"]
                if int(each["count"]) and "recall" in each
            ),
            labels=tuple(int(each) for each in test.get("labels") or ()),
            predicted=tuple(int(each) for each in test.get("predicted") or ()),
            champion=_again(body.get("champion")),
            latency_ms=_latency(body.get("serving") or {}),
        )
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise EvaluationInvalid(f"{where}: {FILE} cannot be used: {type(error).__name__}: {error}") from None
    believable = (
        math.isfinite(evaluation.accuracy)
        and 0 <= evaluation.accuracy <= 1
        and 0 < evaluation.largest_class <= evaluation.count
        and len(evaluation.classes) >= 2
        and evaluation.fingerprint
        and len(evaluation.labels) == len(evaluation.predicted)
        and len(evaluation.labels) in (0, evaluation.count)
        and all(0 <= recall <= 1 for _, recall in evaluation.recalls)
        and (evaluation.champion is None or len(evaluation.champion.predicted) in (0, evaluation.count))
    )
    if not believable:
        raise EvaluationInvalid(
            f"{where}: {FILE} cannot be believed: accuracy {evaluation.accuracy}, {evaluation.count} tested "
            f"({evaluation.largest_class} in the largest class), {len(evaluation.classes)} classes"
        )
    return evaluation


def _again(told: dict[str, Any] | None) -> Again | None:
    if not told:
        return None
    job = str(told["training_job"])
    if "why" in told:
        return Again(job, why_not=str(told["why"])[:200])
    predicted = tuple(int(each) for each in told.get("predicted") or ())
    return Again(job, float(told["accuracy"]), predicted)


def _latency(serving: dict[str, Any]) -> float | None:
    """Of the candidate form that was accepted, in milliseconds; None when no form was measured."""
    accepted = [each for each in serving.get("candidates", []) if each.get("accepted")]
    return float(accepted[-1]["milliseconds"]) if accepted else None


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo, where: str) -> bytes:
    if not member.isreg() or member.size > MAX_EVALUATION_BYTES:
        raise EvaluationInvalid(
            f"{where}: {FILE} has to be a plain file of at most {MAX_EVALUATION_BYTES} bytes"
        )
    file = tar.extractfile(member)
    content = file.read() if file is not None else b""
    if len(content) != member.size:
        raise EvaluationInvalid(f"{where}: {FILE} is cut off")
    return content
