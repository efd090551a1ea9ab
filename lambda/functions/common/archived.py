"""One file out of a training job's output.tar.gz, read without trusting the archive.

The archive is streamed, nothing is unpacked to disk, only a regular file of that name at its top is read, and
both what is searched and what is read have a limit: a user's own code fills this archive.
"""

from __future__ import annotations

import gzip
import tarfile
from functools import partial
from typing import IO

from botocore.exceptions import ClientError

from contract import archives
from contract.aws_errors import code_of
from contract.evaluation import MAX_OUTPUT_BYTES, MAX_OUTPUT_FILES
from functions.common.clients import client
from functions.common.errors import OutputInvalid

_CHUNK = 1024 * 1024


def fetch(bucket: str, key: str, name: str, most: int) -> bytes:
    """The content of the file `name` in the archive at `key`.

    Raises:
        OutputInvalid: no archive, no such file in it, or one of more than `most` bytes.
    """
    where = f"s3://{bucket}/{key}"
    try:
        answer = client("s3").get_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if code_of(error) not in ("NoSuchKey", "404"):
            raise
        raise OutputInvalid(f"{where} is missing: the job left nothing in output/data") from None
    with answer["Body"] as body:
        return find(body, where, name, most)


def find(archive: IO[bytes], where: str, name: str, most: int) -> bytes:
    """The bytes of the file `name` in a gzipped tar stream.

    Raises:
        OutputInvalid: not such an archive, too large to search, or the file is missing, too large or a link.
    """
    unpacked = 0
    try:
        stream = gzip.GzipFile(fileobj=archive)
        for number, (member, file) in enumerate(archives.members(stream, MAX_OUTPUT_BYTES)):
            unpacked += member.size
            if member.name in (name, f"./{name}"):
                return _content(member, file, where, name, most)
            if number >= MAX_OUTPUT_FILES or unpacked > MAX_OUTPUT_BYTES:
                raise OutputInvalid(
                    f"{where}: no {name} in its first {MAX_OUTPUT_FILES} files or {MAX_OUTPUT_BYTES} bytes"
                )
    except archives.DAMAGED as error:
        raise OutputInvalid(f"{where} is not a readable .tar.gz: {error}") from error
    raise OutputInvalid(f"{where} has no {name}: the job's code has to write it to output/data")


def _content(member: tarfile.TarInfo, file: IO[bytes] | None, where: str, name: str, most: int) -> bytes:
    if file is None or member.size > most:
        raise OutputInvalid(f"{where}: {name} has to be a plain file of at most {most} bytes")
    content = b"".join(iter(partial(file.read, _CHUNK), b""))
    if len(content) != member.size:
        raise OutputInvalid(f"{where}: {name} is cut off")
    return content
