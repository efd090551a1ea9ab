"""AWS in memory, behind real boto3 clients.

A fake answers in place of the network, so every request first passes botocore's own serialiser and parameter
validator, and then the constraints of the service model (patterns, lengths, enums) that AWS would check.
"""

from __future__ import annotations

import hashlib
import io
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import boto3
from botocore.awsrequest import AWSResponse
from botocore.response import StreamingBody

from local_aws.core.errors import AwsError
from local_aws.core.validation import parse

Handler = Callable[[dict[str, Any]], dict[str, Any]]

ACCOUNT, REGION = "000000000000", "us-east-1"
NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


class AwsFailure(Exception):
    """What AWS answers instead of a result."""

    def __init__(self, code: str, message: str, status: int = 400, **more: Any) -> None:
        super().__init__(f"{code}: {message}")
        self.parsed = {"Error": {"Code": code, "Message": message}, **more}
        self.status = status


class Fake:
    """One service: `on[operation]` answers, `calls` remembers, `client` is a real boto3 client."""

    service = ""

    def __init__(self) -> None:
        self.client = _client(self.service)
        _answering[self.service] = self
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.on: dict[str, Handler] = {}
        self._asked = threading.local()  # boto3 clients are asked by several threads

    def called(self, operation: str) -> list[dict[str, Any]]:
        return [params for name, params in self.calls if name == operation]

    def remember(self, params: dict[str, Any]) -> None:
        self._asked.params = dict(params)

    def answer(self, model: Any) -> tuple[AWSResponse, dict[str, Any]]:
        params = self._asked.params
        if self.service == "sagemaker":
            try:
                parse(model.input_shape, params)
            except AwsError as error:
                raise AssertionError(f"{model.name} would be refused by AWS: {error.message}") from None
        self.calls.append((model.name, params))
        status, parsed = 200, {}
        try:
            parsed = self.on[model.name](params)
        except AwsFailure as failure:
            status, parsed = failure.status, failure.parsed
        metadata = {"HTTPStatusCode": status, "RequestId": "fake", "HTTPHeaders": {}, "RetryAttempts": 0}
        return AWSResponse("https://fake", status, {}, None), {**parsed, "ResponseMetadata": metadata}


_answering: dict[str, Fake] = {}
"""The fake that answers for a service now: clients are slow to make, so all tests share them."""


@cache
def _client(service: str) -> Any:
    session = boto3.session.Session("test", "test", region_name=REGION)
    client = session.client(service)
    events = client.meta.events
    events.register("provide-client-params.*", lambda params, **_: _answering[service].remember(params))
    events.register("before-call.*", lambda model, **_: _answering[service].answer(model))
    return client


class FakeS3(Fake):
    service = "s3"
    page = 1000
    """Entries of one answer of ListObjectsV2."""

    def __init__(self) -> None:
        super().__init__()
        self.objects: dict[tuple[str, str], bytes] = {}
        self.on = {
            "GetObject": self._get,
            "HeadObject": self._head,
            "PutObject": self._put,
            "DeleteObject": self._delete,
            "ListObjectsV2": self._list,
        }

    def put(self, bucket: str, key: str, body: bytes | str = b"x") -> None:
        self.objects[bucket, key] = body.encode() if isinstance(body, str) else body

    def json(self, bucket: str, key: str) -> Any:
        return json.loads(self.objects[bucket, key])

    def keys(self, bucket: str, prefix: str = "") -> list[str]:
        return sorted(key for where, key in self.objects if where == bucket and key.startswith(prefix))

    def _get(self, params: dict[str, Any]) -> dict[str, Any]:
        body, whole = self._found(params), _etag(self._found(params))
        if "Range" in params:
            first, last = params["Range"].removeprefix("bytes=").split("-")
            body = body[int(first) : int(last) + 1]
            if not body:
                raise AwsFailure("InvalidRange", "The requested range is not satisfiable", 416)
        return {"Body": StreamingBody(io.BytesIO(body), len(body)), "ContentLength": len(body), "ETag": whole}

    def _head(self, params: dict[str, Any]) -> dict[str, Any]:
        body = self._found(params)
        return {"ContentLength": len(body), "ETag": _etag(body), "LastModified": NOW}

    def _found(self, params: dict[str, Any]) -> bytes:
        body = self.objects.get((params["Bucket"], params["Key"]))
        if body is None:
            raise AwsFailure("NoSuchKey", "The specified key does not exist.", 404)
        return body

    def _put(self, params: dict[str, Any]) -> dict[str, Any]:
        where = params["Bucket"], params["Key"]
        if params.get("IfNoneMatch") == "*" and where in self.objects:
            raise AwsFailure("PreconditionFailed", "At least one of the pre-conditions did not hold", 412)
        if "IfMatch" in params and params["IfMatch"] != _etag(self._found(params)):
            raise AwsFailure("PreconditionFailed", "At least one of the pre-conditions did not hold", 412)
        self.objects[where] = params["Body"]
        return {"ETag": _etag(params["Body"])}

    def _delete(self, params: dict[str, Any]) -> dict[str, Any]:
        self.objects.pop((params["Bucket"], params["Key"]), None)
        return {}

    def _list(self, params: dict[str, Any]) -> dict[str, Any]:
        """As S3 does: objects and, with a delimiter, folders, so many at a time."""
        bucket, prefix, delimiter = params["Bucket"], params.get("Prefix", ""), params.get("Delimiter")
        entries: dict[str, dict[str, Any]] = {}
        for key in self.keys(bucket, prefix):
            head, cut, _ = key[len(prefix) :].partition(delimiter) if delimiter else (key, "", "")
            entry = {"Prefix": f"{prefix}{head}/"} if cut else self._entry(bucket, key)
            entries[f"{prefix}{head}/" if cut else key] = entry
        first = int(params.get("ContinuationToken", "0"))
        last = first + min(params.get("MaxKeys", self.page), self.page)
        shown = list(entries.values())[first:last]
        more = {"NextContinuationToken": str(last)} if last < len(entries) else {}
        return {
            "Contents": [entry for entry in shown if "Key" in entry],
            "CommonPrefixes": [entry for entry in shown if "Prefix" in entry],
            "IsTruncated": bool(more),
            **more,
        }

    def _entry(self, bucket: str, key: str) -> dict[str, Any]:
        body = self.objects[bucket, key]
        return {"Key": key, "Size": len(body), "ETag": _etag(body), "LastModified": NOW}


def _etag(body: bytes) -> str:
    return f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'


class FakeSsm(Fake):
    service = "ssm"

    def __init__(self) -> None:
        super().__init__()
        self.history: dict[str, list[dict[str, Any]]] = {}
        self.on = {
            "GetParameter": self._get,
            "PutParameter": self._put,
            "DeleteParameter": self._delete,
            "GetParameterHistory": lambda params: {"Parameters": self.history[params["Name"]]},
        }

    def value(self, name: str) -> str:
        return str(self.history[name][-1]["Value"])

    def _get(self, params: dict[str, Any]) -> dict[str, Any]:
        if params["Name"] not in self.history:
            raise AwsFailure("ParameterNotFound", "")
        return {"Parameter": self.history[params["Name"]][-1]}

    def _put(self, params: dict[str, Any]) -> dict[str, Any]:
        versions = self.history.setdefault(params["Name"], [])
        if versions and not params.get("Overwrite"):
            raise AwsFailure("ParameterAlreadyExists", "The parameter already exists.")
        version = len(versions) + 1
        versions.append(
            {
                "Name": params["Name"],
                "Value": params["Value"],
                "Version": version,
                "Description": params.get("Description", ""),
                "LastModifiedDate": NOW - timedelta(days=1),
            }
        )
        return {"Version": version}

    def _delete(self, params: dict[str, Any]) -> dict[str, Any]:
        if params["Name"] not in self.history:
            raise AwsFailure("ParameterNotFound", "")
        del self.history[params["Name"]]
        return {}


class FakeSageMaker(Fake):
    service = "sagemaker"

    def __init__(self) -> None:
        super().__init__()
        self.tuning_jobs: dict[str, dict[str, Any]] = {}
        self.training_jobs: dict[str, dict[str, Any]] = {}
        self.packages: dict[str, dict[str, Any]] = {}
        self.endpoints: dict[str, str] = {}
        self.failed_trials: list[dict[str, Any]] = []
        self.serving = ""
        """The package behind the endpoint's present configuration."""
        self.refuse_with: AwsFailure | None = None
        self.on = {
            "CreateHyperParameterTuningJob": self._create_tuning,
            "DescribeHyperParameterTuningJob": self._describe_tuning,
            "ListHyperParameterTuningJobs": lambda params: {
                "HyperParameterTuningJobSummaries": _of_status(
                    self.tuning_jobs, "HyperParameterTuningJob", params
                )
            },
            "ListTrainingJobs": lambda params: {
                "TrainingJobSummaries": _of_status(self.training_jobs, "TrainingJob", params)
            },
            "ListTrainingJobsForHyperParameterTuningJob": lambda _: {
                "TrainingJobSummaries": self.failed_trials
            },
            "CreateTrainingJob": self._create_training,
            "DescribeTrainingJob": self._describe_training,
            "CreateModelPackage": self._create_package,
            "DescribeModelPackage": self._describe_package,
            "UpdateModelPackage": self._update_package,
            "DeleteModelPackage": lambda params: self.packages.pop(params["ModelPackageName"]) and {},
            "ListModelPackages": self._list_packages,
            "DescribeEndpoint": self._describe_endpoint,
            "DescribeEndpointConfig": lambda _: {
                "ProductionVariants": [{"ModelName": "DemoChampionModel-1"}]
            },
            "DescribeModel": lambda _: {"PrimaryContainer": {"ModelPackageName": self.serving}},
        }

    def _create_tuning(self, params: dict[str, Any]) -> dict[str, Any]:
        return self._create(self.tuning_jobs, "HyperParameterTuningJob", "hyper-parameter-tuning-job", params)

    def _create_training(self, params: dict[str, Any]) -> dict[str, Any]:
        return self._create(self.training_jobs, "TrainingJob", "training-job", params)

    def _create(self, jobs: dict[str, Any], kind: str, path: str, params: dict[str, Any]) -> dict[str, Any]:
        if self.refuse_with:
            raise self.refuse_with
        name = params[f"{kind}Name"]
        if name in jobs:
            raise AwsFailure("ResourceInUse", f"A job with the name, {name}, already exists.")
        arn = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:{path}/{name}"
        jobs[name] = {**params, f"{kind}Arn": arn, f"{kind}Status": "InProgress", "CreationTime": NOW}
        return {f"{kind}Arn": arn}

    def _describe_tuning(self, params: dict[str, Any]) -> dict[str, Any]:
        return self._find(self.tuning_jobs, params["HyperParameterTuningJobName"])

    def _describe_training(self, params: dict[str, Any]) -> dict[str, Any]:
        return self._find(self.training_jobs, params["TrainingJobName"])

    def _describe_package(self, params: dict[str, Any]) -> dict[str, Any]:
        return self._find(self.packages, params["ModelPackageName"])

    @staticmethod
    def _find(things: dict[str, Any], name: str) -> dict[str, Any]:
        if name not in things:
            raise AwsFailure("ValidationException", f"Could not find {name}.")
        return dict(things[name])

    def _create_package(self, params: dict[str, Any]) -> dict[str, Any]:
        for arn, package in self.packages.items():
            if package.get("ClientToken") == params["ClientToken"]:
                return {"ModelPackageArn": arn}
        arn = package_arn(len(self.packages) + 1, params["ModelPackageGroupName"])
        self.packages[arn] = {**params, "ModelPackageArn": arn, "CreationTime": NOW}
        return {"ModelPackageArn": arn}

    def _update_package(self, params: dict[str, Any]) -> dict[str, Any]:
        self.packages[params["ModelPackageArn"]] |= params
        return {"ModelPackageArn": params["ModelPackageArn"]}

    def _list_packages(self, params: dict[str, Any]) -> dict[str, Any]:
        keys = ("ModelPackageArn", "ModelPackageDescription", "ModelApprovalStatus", "CreationTime")
        summaries = [
            {key: package[key] for key in keys if key in package}
            for package in self.packages.values()
            if package["ModelPackageGroupName"] == params["ModelPackageGroupName"]
        ]
        return {"ModelPackageSummaryList": summaries}

    def _describe_endpoint(self, params: dict[str, Any]) -> dict[str, Any]:
        if params["EndpointName"] not in self.endpoints:
            raise AwsFailure("ValidationException", "Could not find endpoint")
        status = self.endpoints[params["EndpointName"]]
        return {"EndpointStatus": status, "EndpointConfigName": "DemoChampionConfig-1"}


def _of_status(jobs: dict[str, Any], kind: str, asked: dict[str, Any]) -> list[dict[str, Any]]:
    """The jobs whose name contains what is asked for, and that are in the status."""
    return [
        {f"{kind}Name": name}
        for name, job in jobs.items()
        if asked["NameContains"] in name and job[f"{kind}Status"] == asked["StatusEquals"]
    ]


class FakeSns(Fake):
    service = "sns"

    def __init__(self) -> None:
        super().__init__()
        self.on = {"Publish": lambda _: {"MessageId": "1"}}

    @property
    def mails(self) -> list[dict[str, Any]]:
        return self.called("Publish")


class FakeEvents(Fake):
    service = "events"

    def __init__(self) -> None:
        super().__init__()
        self.on = {"PutEvents": lambda _: {"FailedEntryCount": 0, "Entries": [{"EventId": "1"}]}}

    @property
    def put(self) -> list[dict[str, Any]]:
        return [entry for params in self.called("PutEvents") for entry in params["Entries"]]


class FakeEcr(Fake):
    """The repository `serving`, with the image that ENVIRONMENT names."""

    service = "ecr"

    def __init__(self) -> None:
        super().__init__()
        self.tags: dict[str, str] = {"1": "first"}
        """The image, as its manifest, behind each tag."""
        self.on = {
            "BatchGetImage": lambda params: {"images": [self._image(params["imageIds"][0])], "failures": []},
            "PutImage": self._put,
            "DescribeImages": lambda _: {
                "imageDetails": [{"imageTags": [tag]} for tag in self.tags] or [{"imageDigest": "untagged"}]
            },
            "BatchDeleteImage": self._delete,
        }

    def _image(self, image_id: dict[str, str]) -> dict[str, Any]:
        return {"imageManifest": self.tags[image_id["imageTag"]], "imageManifestMediaType": "application/x"}

    def _put(self, params: dict[str, Any]) -> dict[str, Any]:
        assert params["repositoryName"] == "serving"
        if self.tags.get(params["imageTag"]) == params["imageManifest"]:
            raise AwsFailure("ImageAlreadyExistsException", "Image with this digest and tag already exists.")
        self.tags[params["imageTag"]] = params["imageManifest"]
        return {}

    def _delete(self, params: dict[str, Any]) -> dict[str, Any]:
        for each in params["imageIds"]:
            del self.tags[each["imageTag"]]
        return {}


class FakeQuotas(Fake):
    """Service Quotas: `applied` to the account, and AWS's `defaults`; both by the quota's name."""

    service = "service-quotas"

    def __init__(self) -> None:
        super().__init__()
        self.applied: dict[str, float] = {}
        self.defaults: dict[str, float] = {}
        self.on = {
            "ListServiceQuotas": lambda _: self._listed(self.applied),
            "ListAWSDefaultServiceQuotas": lambda _: self._listed(self.defaults),
        }

    @staticmethod
    def _listed(values: dict[str, float]) -> dict[str, Any]:
        return {"Quotas": [{"QuotaName": name, "Value": value} for name, value in values.items()]}


@dataclass
class World:
    """All services of one deployment."""

    s3: FakeS3 = field(default_factory=FakeS3)
    ssm: FakeSsm = field(default_factory=FakeSsm)
    sagemaker: FakeSageMaker = field(default_factory=FakeSageMaker)
    sns: FakeSns = field(default_factory=FakeSns)
    events: FakeEvents = field(default_factory=FakeEvents)
    ecr: FakeEcr = field(default_factory=FakeEcr)
    service_quotas: FakeQuotas = field(default_factory=FakeQuotas)
    others: dict[str, Fake] = field(default_factory=dict)
    """What only some tests need."""

    def client(self, service: str) -> Any:
        return (self.others.get(service) or getattr(self, service.replace("-", "_"))).client


def package_arn(version: int, group: str = "demo") -> str:
    return f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:model-package/{group}/{version}"


def sagemaker_event(kind: str, detail: dict[str, Any], *, id: str = "e-1", time: str = "") -> dict[str, Any]:
    """An event as EventBridge delivers it."""
    return {
        "version": "0",
        "id": id,
        "detail-type": kind,
        "source": "aws.sagemaker",
        "account": ACCOUNT,
        "region": REGION,
        "time": time or "2026-11-20T12:00:00Z",
        "resources": [],
        "detail": detail,
    }


class Context:
    """What Lambda hands a handler besides the event."""

    def __init__(self, request_id: str = "11111111-2222-3333-4444-555555555555") -> None:
        self.aws_request_id = request_id
