"""The numbers a training job leaves in output.tar.gz, read without trusting the archive.

The archive is streamed, nothing is unpacked to disk, only a regular file named `evaluation.json` at its top
is read, and both what is searched and what is read have a limit: a user's own code fills this archive.
"""

from __future__ import annotations

import gzip
import tarfile
from functools import partial
from typing import IO

from botocore.exceptions import ClientError

from contract import archives
from contract.aws_errors import code_of
from contract.evaluation import FILE, MAX_BYTES, MAX_OUTPUT_BYTES, MAX_OUTPUT_FILES
from functions.common.clients import client
from functions.common.errors import EvaluationInvalid
from functions.common.evaluation import Evaluation, parse

_CHUNK = 1024 * 1024


def fetch(bucket: str, key: str) -> Evaluation:
    """The evaluation in a training job's output archive.

    Raises:
        EvaluationInvalid: no archive, no such file in it, or not one that can be believed.
    """
    where = f"s3://{bucket}/{key}"
    try:
        answer = client("s3").get_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if code_of(error) not in ("NoSuchKey", "404"):
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
        stream = gzip.GzipFile(fileobj=archive)
        for number, (member, file) in enumerate(archives.members(stream, MAX_OUTPUT_BYTES)):
            unpacked += member.size
            if member.name in (FILE, f"./{FILE}"):
                return _content(member, file, where)
            if number >= MAX_OUTPUT_FILES or unpacked > MAX_OUTPUT_BYTES:
                raise EvaluationInvalid(
                    f"{where}: no {FILE} in its first {MAX_OUTPUT_FILES} files or {MAX_OUTPUT_BYTES} bytes"
                )
    except archives.DAMAGED as error:
        raise EvaluationInvalid(f"{where} is not a readable .tar.gz: {error}") from error
    raise EvaluationInvalid(f"{where} has no {FILE}: the training code has to write it to output/data")


def _content(member: tarfile.TarInfo, file: IO[bytes] | None, where: str) -> bytes:
    if file is None or member.size > MAX_BYTES:
        raise EvaluationInvalid(f"{where}: {FILE} has to be a plain file of at most {MAX_BYTES} bytes")
    content = b"".join(iter(partial(file.read, _CHUNK), b""))
    if len(content) != member.size:
        raise EvaluationInvalid(f"{where}: {FILE} is cut off")
    return content
