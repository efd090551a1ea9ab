"""Whatever a client sends the local AWS: its mistake is answered as AWS answers it, never as a failure."""

from __future__ import annotations

import asyncio
import io
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from local_aws.autoscaling import variants
from local_aws.core.api import JsonService
from local_aws.core.errors import ValidationException
from local_aws.images import dockerfile
from local_aws.images.dockerfile import DockerfileError
from local_aws.sagemaker.hosting import runtime
from local_aws.sagemaker.s3_files import S3Uri
from local_aws.sagemaker.training import metrics
from local_aws.sagemaker.training.manifests import sources
from tests.unit.anything import DEEP, LONG, edited, json_values, refusal, texts


@pytest.fixture(scope="module")
def service() -> JsonService:
    made = JsonService("sagemaker")
    made.operation("CreateModel")(lambda request: {"ModelArn": "arn"})
    return made


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(text=json_values(["ModelName", "PrimaryContainer", "Tags", "Key", "Value"]).map(json.dumps))
@example(text=DEEP)
@example(text=LONG)
@example(text="{")
def test_any_body_of_a_request_is_answered_and_never_failed_over(service: JsonService, text: str) -> None:
    headers = {"x-amz-target": "SageMaker.CreateModel"}
    status, _, body = asyncio.run(service.handle("POST", "/", headers, text.encode(), {}))
    assert status in (200, 400), body


@pytest.mark.parametrize(
    "resource", ["endpoint/a/variant/b\n", "endpoint/a\n/variant/b", "x\nendpoint/a/variant/b"]
)
def test_a_variant_is_named_as_a_whole(resource: str) -> None:
    with pytest.raises(ValidationException):
        variants.parse(resource)


@pytest.mark.parametrize("path", ["/endpoints/a/invocations\n", "/endpoints/a\nb/invocations"])
def test_an_invocation_is_addressed_as_a_whole(path: str) -> None:
    assert runtime._PATH.fullmatch(path) is None
    assert variants.component_of("inference-component/a\n") is None


@given(texts("(", "[", "valid_accuracy=([0-9.]+)", "(?P<a>", "*"))
def test_any_metric_definition_is_one_or_refused(regex: str) -> None:
    refusal(ValidationException, metrics.check, [{"Name": "m", "Regex": regex}])


DOCKERFILE = (
    'FROM scratch AS a\nARG B=1\nENV C="${B:-2}"\nCOPY --from=a ["x", "/y/"]\nENTRYPOINT ["python", "z"]\n'
)


@given(edited(DOCKERFILE) | st.text())
@example(f"FROM scratch\nCOPY {DEEP} /x\nCMD {DEEP}")
def test_any_dockerfile_is_read_or_refused_by_name(text: str) -> None:
    def read() -> None:
        for instruction in dockerfile.parse(text):
            rest = dockerfile.expand(instruction.rest, {"B": "1"})
            dockerfile.words(rest)
            dockerfile.command(rest)
            dockerfile.assignments(rest)

    refusal(DockerfileError, read)


class _S3:
    def __init__(self, body: bytes) -> None:
        self._body = body

    def get_object(self, **_: str) -> dict[str, Any]:
        return {"Body": io.BytesIO(self._body)}

    def head_object(self, **_: str) -> dict[str, Any]:
        return {"ContentLength": 1, "ETag": '"e"', "LastModified": datetime(2026, 11, 20, tzinfo=UTC)}


MANIFESTS = json_values(["prefix"], ["s3://bucket/key/", "a.png"])


@given(MANIFESTS.map(json.dumps) | st.sampled_from([DEEP, LONG, '[{"prefix": "s3://b/k/"}, 5]', "{"]))
def test_any_manifest_is_read_or_refused_as_no_manifest(text: str) -> None:
    refusal(ValueError, sources, _S3(text.encode()), S3Uri("bucket", "manifest"))
