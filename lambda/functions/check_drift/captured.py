"""What the endpoint answered lately, from the files that SageMaker's data capture leaves in S3.

One JSON line per captured request, in `<prefix>/<endpoint>/<variant>/yyyy/mm/dd/hh/<name>.jsonl`. Source:
https://docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-data-capture-endpoint.html
"""

from __future__ import annotations

import base64
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from contract import objects
from contract.evaluation import CONFIDENCE_BINS
from functions.check_drift.psi import bin_of
from functions.common.clients import client

MAX_FILE_BYTES = 64 * 1024 * 1024


@dataclass
class Predictions:
    """How often each class was predicted, and how surely (counts per bin of the confidence).

    `unlike` counts the pictures called unlike training's, `judged` those of which that was told either way.
    """

    classes: Counter[str] = field(default_factory=Counter)
    confidences: list[int] = field(default_factory=lambda: [0] * CONFIDENCE_BINS)

    unlike: int = 0
    judged: int = 0

    @property
    def count(self) -> int:
        return sum(self.confidences)


def read(bucket: str, folder: str, version: str, now: datetime, hours: int) -> Predictions:
    """The predictions of one model version in the last hours; lines that tell nothing are passed over."""
    found = Predictions()
    for back in range(hours):
        hour = (now - timedelta(hours=back)).strftime("%Y/%m/%d/%H")
        for answer in _answers(bucket, f"{folder}/{hour}/"):
            try:
                if str(answer["model"]["version"]) != version:
                    continue
                label, confidence = str(answer["predicted_class"]), float(answer["confidence"])
            except (LookupError, TypeError, ValueError, OverflowError):
                continue
            if 0 <= confidence <= 1:
                found.classes[label] += 1
                found.confidences[bin_of(confidence)] += 1
                unlike = answer.get("unlike_training")
                found.judged += isinstance(unlike, bool)
                found.unlike += unlike is True
    return found


def _answers(bucket: str, prefix: str) -> Iterator[Any]:
    for page in client("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for each in page.get("Contents", []):
            body = objects.read(client("s3"), bucket, each["Key"], MAX_FILE_BYTES) or b""
            for line in body.splitlines():
                try:
                    output = json.loads(line)["captureData"]["endpointOutput"]
                    data = output["data"]
                    yield json.loads(base64.b64decode(data) if output["encoding"] == "BASE64" else data)
                except (ValueError, LookupError, TypeError, RecursionError):
                    continue
