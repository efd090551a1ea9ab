"""What the endpoint answered, from the files that SageMaker's data capture leaves in S3.

One JSON line per captured request, in `<prefix>/<endpoint>/<variant>/yyyy/mm/dd/hh/<name>.jsonl`. Source:
https://docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-data-capture-endpoint.html
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from contract import objects
from functions.common.clients import client

MAX_FILE_BYTES = 64 * 1024 * 1024
_HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Captured:
    """One answer of the endpoint."""

    answer: Any
    """Its JSON, whatever that is."""
    inference_id: str
    """What its sender called the request; empty where it has no name."""
    time: str
    """When it was answered, in the form of `Decision.time`."""


def between(bucket: str, folder: str, start: datetime, end: datetime) -> Iterator[Captured]:
    """The answers of one variant in the hours from start to end; lines that tell nothing are passed over."""
    hour = start.replace(minute=0, second=0, microsecond=0)
    while hour <= end:
        for each in objects.below(client("s3"), bucket, f"{folder}/{hour:%Y/%m/%d/%H}/"):
            body = objects.read(client("s3"), bucket, each["Key"], MAX_FILE_BYTES) or b""
            yield from filter(None, map(_captured, body.splitlines()))
        hour += _HOUR


def _captured(line: bytes) -> Captured | None:
    try:
        record = json.loads(line)
        output = record["captureData"]["endpointOutput"]
        data = output["data"]
        answer = json.loads(base64.b64decode(data) if output["encoding"] == "BASE64" else data)
        metadata = record.get("eventMetadata", {})
        return Captured(answer, str(metadata.get("inferenceId", "")), str(metadata.get("inferenceTime", "")))
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None
