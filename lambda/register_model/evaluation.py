"""The numbers a training job leaves in output.tar.gz, read without trusting the archive.

The archive is streamed, nothing is unpacked to disk, only a regular file named `evaluation.json` at its top
is read, and both what is searched and what is read have a limit: a user's own code fills this archive.
"""

from __future__ import annotations

import struct
import tarfile
import zlib
from typing import IO, Any

from common.clients import error_code
from common.errors import EvaluationInvalid
from common.evaluation import FILE, MAX_EVALUATION_BYTES, Evaluation, parse

MAX_MEMBERS = 50_000
MAX_UNPACKED_BYTES = 4 * 1024**3
"""What is searched; what a job of ours leaves is bounded below these (training_code/debugging/capture.py)."""

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
