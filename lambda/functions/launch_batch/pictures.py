"""The list of the pictures below an address: what there was when the batch began, each with its content."""

from __future__ import annotations

import gzip
import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from contract import names, storage
from contract.aws_errors import code_of, message_of
from contract.batch import KEYS, Listed
from contract.datasets.rules import is_hidden
from contract.environment import BatchEnvironment
from contract.objects import below
from functions.common.errors import UserError
from functions.launch_batch.request import BatchRequest

MOST: Final = 2_000_000
"""Keys that are listed in the time that a function has."""
_DENIED: Final = ("AccessDenied", "AllAccessDisabled", "403")


class NoPictures(UserError):
    """Nothing lies at the address."""

    status = 404


class TooManyPictures(UserError):
    """More than one batch takes."""


class ForeignBucket(UserError):
    """The pictures lie where no job of this project may read."""


class NotAllowed(UserError):
    """The bucket's owner lets nobody of this project list it."""

    status = 403


@dataclass(frozen=True)
class Pictures:
    """All that a batch answers."""

    count: int
    gigabytes: float
    listed: bytes
    """As the job reads it."""


def find(s3: Any, request: BatchRequest, env: BatchEnvironment) -> Pictures:
    """List what lies below the source. Hidden files and what systems put beside people's are left out.

    Raises:
        NoPictures, TooManyPictures, ForeignBucket, NotAllowed: with what to do.
    """
    _must_be_ours_to_read(request, env)
    buffer, count, size = io.BytesIO(), 0, 0
    with gzip.GzipFile(fileobj=buffer, mode="wb", compresslevel=6, mtime=0) as packed:
        for each in _listed(s3, request, env):
            count, size = count + 1, size + each.size
            if count > MOST:
                raise TooManyPictures(
                    f"more than {MOST:,} pictures lie below {request.source}; name its folders one by one"
                )
            packed.write(each.line().encode())
    if not count:
        raise NoPictures(f"nothing lies below {request.source}; name a folder of pictures")
    return Pictures(count, size / 1e9, buffer.getvalue())


def keep(s3: Any, job: str, pictures: Pictures, env: BatchEnvironment) -> str:
    """Put the list where a job reads it; its S3 address."""
    key = f"{storage.batch_list(job)}{KEYS}"
    s3.put_object(Bucket=env.artifacts_bucket, Key=key, Body=pictures.listed, ContentType="application/gzip")
    return f"s3://{env.artifacts_bucket}/{storage.batch_list(job)}"


def _must_be_ours_to_read(request: BatchRequest, env: BatchEnvironment) -> None:
    readable = (env.data_bucket, *env.read_buckets)
    if request.bucket in readable:
        return
    raise ForeignBucket(
        f"jobs of this project read pictures in {', '.join(readable)} only, and {request.source} is not "
        f'there. Add "{request.bucket}" to batch.read_buckets in cdk.json and run classifier up, or bring '
        f"them: aws s3 sync {request.source} s3://{env.data_bucket}/{request.key}"
    )


def _listed(s3: Any, request: BatchRequest, env: BatchEnvironment) -> Iterator[Listed]:
    try:
        for each in below(s3, request.bucket, request.key):
            parts = each["Key"].removeprefix(request.key).split("/")
            if parts[-1] and not any(is_hidden(part) for part in parts):
                yield Listed(each["Key"], each["ETag"].strip('"'), each["Size"])
    except s3.exceptions.NoSuchBucket:
        raise NoPictures(f"there is no bucket {request.bucket} (any more)") from None
    except s3.exceptions.ClientError as error:
        if code_of(error) not in _DENIED or request.bucket not in env.read_buckets:
            raise
        launcher = names.function(env.project, "launch-batch")
        raise NotAllowed(
            f"the owner of the bucket {request.bucket} does not let this project list it: "
            f"{message_of(error)}. Its policy has to allow s3:ListBucket to the role of {launcher}, and "
            f"s3:ListBucket and s3:GetObject to {env.training_role_arn}"
        ) from None
