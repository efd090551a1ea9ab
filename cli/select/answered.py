"""What a finished batch answered, read: classes, confidences, features, and what S3 knows of the pictures."""

from __future__ import annotations

import csv
import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from typing import IO, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cli.batch.job import Left, UnreadableAnswers, listed
from cli.select.finished import Batch, NoBatch, again
from cli.target import Target
from contract.batch import CSV

_ETAG: Final = "S40"


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
    pictures = listed(target, batch.job)
    if pictures is None:
        raise NoBatch(
            f"The list of the pictures of {batch.name} is gone: it is kept for storage.trial_outputs_days. "
            f"Run the batch again: `{again(target, batch.job)}`."
        )
    etags, sizes = np.zeros(len(names), _ETAG), np.zeros(len(names), np.int64)
    row_of = {name: row for row, name in enumerate(names)}
    for picture in pictures:
        row = row_of.get(picture.key.removeprefix(batch.named_below))
        if row is not None:
            etags[row], sizes[row] = picture.etag.encode(), picture.size
    return etags, sizes
