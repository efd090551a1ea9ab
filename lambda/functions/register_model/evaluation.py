"""The numbers a training job leaves in output.tar.gz, read without trusting the archive.

The archive is streamed, nothing is unpacked to disk, only a regular file named `evaluation.json` at its top
is read, and both what is searched and what is read have a limit: a user's own code fills this archive.
"""

from __future__ import annotations

import gzip
import struct
import tarfile
import zlib
from functools import partial
from typing import IO, Any

from functions.common.clients import error_code
from functions.common.errors import EvaluationInvalid
from functions.common.evaluation import FILE, MAX_EVALUATION_BYTES, Evaluation, parse

MAX_MEMBERS = 50_000
MAX_UNPACKED_BYTES = 4 * 1024**3
"""What is searched; what a job of ours leaves is bounded below these (training_code/debugging/capture.py)."""
_CHUNK = 1024 * 1024

# tarfile and gzip fail over a damaged archive with whatever their code happens to raise.
_UNREADABLE = (
    *(tarfile.TarError, zlib.error, struct.error, OSError, EOFError, RuntimeError),
    *(ValueError, TypeError, ArithmeticError, LookupError, AttributeError),
)


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
        stream = _Forward(gzip.GzipFile(fileobj=archive), where)
        with tarfile.open(fileobj=stream, mode="r:") as tar:  # type: ignore[call-overload]
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


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo, where: str) -> bytes:
    if not member.isreg() or member.size > MAX_EVALUATION_BYTES:
        raise EvaluationInvalid(
            f"{where}: {FILE} has to be a plain file of at most {MAX_EVALUATION_BYTES} bytes"
        )
    file = tar.extractfile(member)
    content = b"".join(iter(partial(file.read, _CHUNK), b"")) if file is not None else b""
    if len(content) != member.size:
        raise EvaluationInvalid(f"{where}: {FILE} is cut off")
    return content


class _Forward:
    """A stream as tarfile may read it: forward, to a limit, and never much at once.

    tarfile reads a long name or a pax header whole, however long it claims to be, and some versions follow
    a negative size back for ever (CVE-2025-8194).
    """

    def __init__(self, file: gzip.GzipFile, where: str) -> None:
        self._file = file
        self._where = where
        self._place = 0

    def tell(self) -> int:
        return self._place

    def seek(self, place: int) -> None:
        while self._place < place and self.read(min(_CHUNK, place - self._place)):
            pass
        if place < self._place:
            raise EvaluationInvalid(f"{self._where} has a member of a size that cannot be")

    def read(self, size: int) -> bytes:
        if not 0 <= size <= _CHUNK:
            raise EvaluationInvalid(f"{self._where} has a header that claims to have {size} bytes")
        data = self._file.read(size)
        self._place += len(data)
        if self._place > MAX_UNPACKED_BYTES:
            raise EvaluationInvalid(f"{self._where} unpacks to more than {MAX_UNPACKED_BYTES} bytes")
        return data
