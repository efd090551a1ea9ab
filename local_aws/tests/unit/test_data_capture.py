"""Captured requests lie in S3 as SageMaker's own would."""

from __future__ import annotations

import base64
import json
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_aws.core.context import LocalAws
from local_aws.sagemaker.serving import data_capture
from local_aws.sagemaker.serving.data_capture import CaptureRule, DataCapture, Exchange, line

CONFIG = {
    "InitialSamplingPercentage": 100,
    "DestinationS3Uri": "s3://bucket/kept/",
    "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
    "CaptureContentTypeHeader": {"JsonContentTypes": ["application/json"], "CsvContentTypes": ["text/csv"]},
}
NOW = datetime(2026, 11, 21, 9, 8, 7, 654_321, UTC)


class Aws:
    """Takes what is put into S3, unless the role may not."""

    def __init__(self, *, denied: bool = False) -> None:
        self.denied = denied
        self.put: dict[str, bytes] = {}
        self.roles: list[str | None] = []
        self.told: list[str] = []

    def client(self, service: str, role_arn: str | None, session: str) -> Aws:
        self.roles.append(role_arn)
        return self

    def put_object(self, Bucket: str, Key: str, Body: bytes, **members: str) -> None:
        if self.denied:
            raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "PutObject")
        self.put[f"{Bucket}/{Key}"] = Body

    def log(self, group: str, stream: str) -> Aws:
        return self

    def write(self, line: str) -> None:
        self.told.append(line)

    def close(self) -> None:
        return


def capturing(aws: Any, pick: float = 0.0) -> DataCapture:
    real: LocalAws = aws
    return DataCapture(real, lambda: pick)


def rule(**changes: Any) -> CaptureRule:
    found = CaptureRule.of({**CONFIG, **changes}, "arn:role")
    assert found is not None
    return found


def exchange(body: bytes = b"1,2", content_type: str = "text/csv", endpoint: str = "e") -> Exchange:
    answer = ("application/json; charset=utf-8", b'{"class": "x"}')
    return Exchange(endpoint, "main", NOW, (content_type, body), answer, "mine")


def test_a_line_is_one_request_in_the_documented_form() -> None:
    document = json.loads(line(rule(), exchange()))
    event = document["eventMetadata"].pop("eventId")
    assert len(event) == 36
    assert document == {
        "captureData": {
            "endpointInput": {
                "observedContentType": "text/csv",
                "mode": "INPUT",
                "data": "1,2",
                "encoding": "CSV",
            },
            "endpointOutput": {
                "observedContentType": "application/json; charset=utf-8",
                "mode": "OUTPUT",
                "data": '{"class": "x"}',
                "encoding": "JSON",
            },
        },
        "eventMetadata": {"inferenceTime": "2026-11-21T09:08:07Z", "inferenceId": "mine"},
        "eventVersion": "0",
    }


@pytest.mark.parametrize(("content_type", "body"), [("image/png", b"\x89PNG"), ("text/csv", b"\xff\xfe")])
def test_what_is_no_text_is_kept_in_base64(content_type: str, body: bytes) -> None:
    side = json.loads(line(rule(), exchange(body, content_type)))["captureData"]["endpointInput"]
    assert (side["encoding"], base64.b64decode(side["data"])) == ("BASE64", body)


def test_only_the_asked_side_is_kept() -> None:
    answers = rule(CaptureOptions=[{"CaptureMode": "Output"}])
    assert list(json.loads(line(answers, exchange()))["captureData"]) == ["endpointOutput"]
    both = rule(CaptureOptions=[{"CaptureMode": "InputAndOutput"}])
    assert len(json.loads(line(both, exchange()))["captureData"]) == 2


def test_what_comes_together_is_one_file_per_endpoint_written_under_the_role() -> None:
    aws = Aws()
    capture = capturing(aws)
    for each in (exchange(), exchange(b"3,4"), exchange(endpoint="other")):
        capture.record(rule(), each)
    capture.stop()
    first, second = sorted(aws.put)
    assert first.startswith("bucket/kept/e/main/2026/11/21/09/08-07-654-")
    assert second.startswith("bucket/kept/other/main/2026/11/21/09/")
    assert [
        json.loads(each)["captureData"]["endpointInput"]["data"] for each in aws.put[first].splitlines()
    ] == [
        "1,2",
        "3,4",
    ]
    assert set(aws.roles) == {"arn:role"}
    capture.write()
    assert len(aws.put) == 2


@pytest.mark.parametrize(("pick", "kept"), [(0.19, 1), (0.2, 0)])
def test_chance_keeps_the_asked_share(pick: float, kept: int) -> None:
    aws = Aws()
    capture = capturing(aws, pick)
    capture.record(rule(InitialSamplingPercentage=20), exchange())
    capture.record(None, exchange())
    capture.write()
    assert len(aws.put) == kept


def test_records_that_cannot_be_written_are_told_of_and_the_next_ones_go_on() -> None:
    aws = Aws(denied=True)
    capture = capturing(aws)
    capture.record(rule(), exchange())
    capture.write()
    assert "1 captured records are lost" in aws.told[0]
    assert "AccessDenied" in aws.told[0]
    aws.denied = False
    capture.record(rule(), exchange())
    capture.write()
    assert len(aws.put) == 1


def test_waiting_records_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data_capture, "MAX_WAITING_BYTES", 40)
    aws = Aws()
    capture = capturing(aws)
    for _ in range(5):
        capture.record(rule(), exchange())
    capture.write()
    assert sum(len(body.splitlines()) for body in aws.put.values()) == 2


def test_a_rule_survives_the_store_and_none_is_made_of_one_switched_off() -> None:
    assert CaptureRule.load(json.loads(json.dumps(asdict(rule(KmsKeyId="key"))))) == rule(KmsKeyId="key")
    assert rule(KmsKeyId="key").describe()["KmsKeyId"] == "key"
    assert CaptureRule.of({**CONFIG, "EnableCapture": False}, None) is None
