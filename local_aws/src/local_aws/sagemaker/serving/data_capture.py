"""Data capture: what an endpoint was asked and answered, kept in S3 as SageMaker keeps it.

One JSON line per request that got a prediction, in `<destination>/<endpoint>/<variant>/yyyy/mm/dd/hh/`,
written with the credentials of the model's role by a thread, every few seconds.
https://docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-data-capture-endpoint.html
"""

from __future__ import annotations

import base64
import json
import random
import threading
import uuid
from collections import defaultdict
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from local_aws.core.context import LocalAws
from local_aws.core.errors import AwsError
from local_aws.sagemaker.s3_files import S3Uri, encryption

PERIOD_SECONDS = 2.0
# Of records that wait to be written; further ones are dropped, as SageMaker does when a disk fills up.
MAX_WAITING_BYTES = 128 * 2**20
_INPUT, _OUTPUT = "Input", "Output"


@dataclass(frozen=True, kw_only=True)
class CaptureRule:
    """What an endpoint configuration says of capturing, down to what it takes to do it."""

    percent: int
    destination: str
    """An S3 URI."""
    kms_key: str | None
    modes: tuple[str, ...]
    csv_types: tuple[str, ...]
    json_types: tuple[str, ...]
    role_arn: str | None

    @classmethod
    def of(cls, config: Mapping[str, Any] | None, role_arn: str | None) -> CaptureRule | None:
        """The rule of a DataCaptureConfig; None if there is none or it is switched off."""
        if not config or not config.get("EnableCapture", True):
            return None
        options = [option["CaptureMode"] for option in config["CaptureOptions"]]
        both = "InputAndOutput" in options
        types = config.get("CaptureContentTypeHeader", {})
        return cls(
            percent=config["InitialSamplingPercentage"],
            destination=config["DestinationS3Uri"].rstrip("/"),
            kms_key=config.get("KmsKeyId"),
            modes=tuple(mode for mode in (_INPUT, _OUTPUT) if both or mode in options),
            csv_types=tuple(types.get("CsvContentTypes", ())),
            json_types=tuple(types.get("JsonContentTypes", ())),
            role_arn=role_arn,
        )

    @classmethod
    def load(cls, document: Mapping[str, Any]) -> CaptureRule:
        """The rule stored as `asdict` wrote it."""
        lists = {key: tuple(document[key]) for key in ("modes", "csv_types", "json_types")}
        return cls(**{**document, **lists})

    def describe(self) -> dict[str, Any]:
        """The rule as DescribeEndpoint shows it."""
        described = {
            "EnableCapture": True,
            "CaptureStatus": "Started",
            "CurrentSamplingPercentage": self.percent,
            "DestinationS3Uri": self.destination,
        }
        return {**described, "KmsKeyId": self.kms_key} if self.kms_key else described


@dataclass(frozen=True)
class Exchange:
    """One request and its answer."""

    endpoint: str
    variant: str
    time: datetime
    """In UTC."""
    request: tuple[str, bytes]
    answer: tuple[str, bytes]
    """Content type and body."""
    inference_id: str | None = None

    @property
    def size(self) -> int:
        return len(self.request[1]) + len(self.answer[1])


class DataCapture:
    """The records of all endpoints, and the thread that writes them."""

    def __init__(self, aws: LocalAws, pick: Callable[[], float] = random.random) -> None:
        self._aws = aws
        self._pick = pick
        self._lock = threading.Lock()
        self._waiting: list[tuple[CaptureRule, Exchange]] = []
        self._bytes = 0
        self._stopped = threading.Event()

    def record(self, rule: CaptureRule | None, exchange: Exchange) -> None:
        """Keep this exchange if the rule and chance want it."""
        if rule is None or self._pick() * 100 >= rule.percent:
            return
        with self._lock:
            if self._bytes + exchange.size <= MAX_WAITING_BYTES:
                self._waiting.append((rule, exchange))
                self._bytes += exchange.size

    def start(self) -> None:
        """Write from now on, until `stop`."""
        self._aws.spawn(self._write_often, "data capture")

    def stop(self) -> None:
        """Write what there is, and no more."""
        self._stopped.set()
        self.write()

    def write(self) -> None:
        """Bring to S3 what came together: one file per rule, variant and hour."""
        with self._lock:
            waiting, self._waiting, self._bytes = self._waiting, [], 0
        files: dict[tuple[CaptureRule, str, str, str], list[Exchange]] = defaultdict(list)
        for rule, exchange in waiting:
            files[rule, exchange.endpoint, exchange.variant, f"{exchange.time:%Y/%m/%d/%H}"].append(exchange)
        for (rule, endpoint, variant, hour), exchanges in files.items():
            first = exchanges[0].time
            name = f"{first:%M-%S}-{first.microsecond // 1000:03d}-{uuid.uuid4()}.jsonl"
            url = f"{rule.destination}/{endpoint}/{variant}/{hour}/{name}"
            try:
                self._put(rule, url, b"".join(line(rule, exchange) for exchange in exchanges))
            except (AwsError, ClientError, BotoCoreError) as error:
                self._tell(endpoint, variant, f"{len(exchanges)} captured records are lost: {url}: {error}")

    def _put(self, rule: CaptureRule, url: str, body: bytes) -> None:
        target, extra = S3Uri.parse(url), {"ContentType": "application/jsonlines", **encryption(rule.kms_key)}
        s3 = self._aws.client("s3", rule.role_arn, "SageMaker")
        s3.put_object(Bucket=target.bucket, Key=target.key, Body=body, **extra)

    def _tell(self, endpoint: str, variant: str, message: str) -> None:
        with closing(self._aws.log(f"/aws/sagemaker/Endpoints/{endpoint}", f"{variant}/data-capture")) as log:
            log.write(message)

    def _write_often(self) -> None:
        while not self._stopped.wait(PERIOD_SECONDS):
            self.write()


def line(rule: CaptureRule, exchange: Exchange) -> bytes:
    """The record of one exchange as a line of JSON."""
    sides = {
        _INPUT: ("endpointInput", exchange.request),
        _OUTPUT: ("endpointOutput", exchange.answer),
    }
    captured = {
        name: {"observedContentType": content_type, "mode": mode.upper(), **_data(rule, content_type, body)}
        for mode, (name, (content_type, body)) in sides.items()
        if mode in rule.modes
    }
    metadata = {
        "eventId": str(uuid.uuid4()),
        "inferenceTime": f"{exchange.time:%Y-%m-%dT%H:%M:%SZ}",
    }
    if exchange.inference_id is not None:
        metadata["inferenceId"] = exchange.inference_id
    document = {"captureData": captured, "eventMetadata": metadata, "eventVersion": "0"}
    return json.dumps(document).encode() + b"\n"


def _data(rule: CaptureRule, content_type: str, body: bytes) -> dict[str, str]:
    """As text where the content type is one the rule calls JSON or CSV, else in base64."""
    kind = content_type.partition(";")[0].strip().lower()
    for encoding, types in (("JSON", rule.json_types), ("CSV", rule.csv_types)):
        if kind in (each.partition(";")[0].strip().lower() for each in types):
            try:
                return {"data": body.decode(), "encoding": encoding}
            except UnicodeDecodeError:
                break
    return {"data": base64.b64encode(body).decode(), "encoding": "BASE64"}
