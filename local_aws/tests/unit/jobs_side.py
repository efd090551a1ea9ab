"""The jobs side of the local AWS without a server: S3 in memory, events and metrics in lists.

The processes are real: an image here is a piece of Python that runs as a training container.
"""

import hashlib
import io
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from botocore.exceptions import ClientError
from botocore.response import StreamingBody

from local_aws import sagemaker
from local_aws.core import process
from local_aws.core.api import JsonService
from local_aws.core.context import LocalAws
from local_aws.core.errors import AwsError, ValidationException
from local_aws.core.store import Store
from local_aws.images.store import DOCKER_MANIFEST, Image, ImageStore
from local_aws.root_key import RootKey

ROLE = "arn:aws:iam::000000000000:role/training"
SCORE = {"Name": "score", "Regex": "score=([0-9.]+)"}


@dataclass
class MemoryS3:
    """As much of boto3's S3 client as jobs use. ``denied`` keys answer AccessDenied to reads."""

    objects: dict[tuple[str, str], bytes] = field(default_factory=dict)
    denied: set[str] = field(default_factory=set)
    reads: list[str] = field(default_factory=list)
    heads: list[str] = field(default_factory=list)
    may_list: bool = True

    def put(self, uri: str, body: bytes) -> None:
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        self.objects[bucket, key] = body

    def get(self, uri: str) -> bytes:
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        return self.objects[bucket, key]

    def names(self, uri: str) -> list[str]:
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        return sorted(name for where, name in self.objects if where == bucket and name.startswith(key))

    def _entry(self, bucket: str, key: str) -> dict[str, Any]:
        body = self.objects[bucket, key]
        modified = datetime(2026, 1, 1, tzinfo=UTC)
        etag = hashlib.sha256(body).hexdigest()
        return {"Key": key, "Size": len(body), "ETag": etag, "LastModified": modified}

    def list_objects_v2(self, Bucket: str, Prefix: str = "", MaxKeys: int = 1000) -> dict[str, Any]:
        if not self.may_list:
            raise ClientError({"Error": {"Code": "AccessDenied", "Message": "Denied"}}, "ListObjectsV2")
        if not any(bucket == Bucket for bucket, _ in self.objects):
            error = {"Code": "NoSuchBucket", "Message": "The specified bucket does not exist"}
            raise ClientError({"Error": error}, "ListObjectsV2")
        return {"Contents": [self._entry(Bucket, key) for key in self.names(f"s3://{Bucket}/{Prefix}")]}

    def get_paginator(self, name: str) -> Any:
        assert name == "list_objects_v2"
        paginate = lambda **request: [self.list_objects_v2(**request)]  # noqa: E731
        return type("Paginator", (), {"paginate": staticmethod(paginate)})

    def head_object(self, Bucket: str, Key: str) -> dict[str, Any]:
        self.heads.append(Key)
        return self._head(Bucket, Key)

    def _head(self, Bucket: str, Key: str) -> dict[str, Any]:
        if Key in self.denied:
            raise ClientError({"Error": {"Code": "403", "Message": "Forbidden"}}, "HeadObject")
        if (Bucket, Key) not in self.objects:
            raise ClientError({"Error": {"Code": "404", "Message": "Not Found"}}, "HeadObject")
        entry = self._entry(Bucket, Key)
        return {**entry, "ContentLength": entry["Size"]}

    def get_object(self, Bucket: str, Key: str) -> dict[str, Any]:
        self._head(Bucket, Key)
        self.reads.append(Key)
        body = self.objects[Bucket, Key]
        return {"Body": StreamingBody(io.BytesIO(body), len(body))}

    def upload_file(self, Filename: str, Bucket: str, Key: str, ExtraArgs: object = None) -> None:
        self.objects[Bucket, Key] = Path(Filename).read_bytes()

    def download_file(self, Bucket: str, Key: str, Filename: str) -> None:
        Path(Filename).write_bytes(self.objects[Bucket, Key])


@dataclass
class Heard:
    """Backend and CloudWatch: everything that was said."""

    events: list[tuple[str, dict[str, Any], list[str]]] = field(default_factory=list)
    metrics: list[dict[str, Any]] = field(default_factory=list)
    log: list[str] = field(default_factory=list)
    forbidden_roles: set[str] = field(default_factory=set)

    def role_credentials(self, role_arn: str, service: str, session: str) -> dict[str, str]:
        return {"AWS_ACCESS_KEY_ID": role_arn, "AWS_SECRET_ACCESS_KEY": session, "AWS_SESSION_TOKEN": "t"}

    def close(self) -> None:
        """As a writer of logs is closed."""

    def check_pass_role(self, role_arn: str, service: str) -> None:
        if role_arn in self.forbidden_roles:
            raise AwsError("AccessDeniedException", "is not authorized to perform: iam:PassRole")

    def put_event(
        self, source: str, detail_type: str, detail: Mapping[str, Any], resources: Sequence[str]
    ) -> None:
        self.events.append((detail_type, dict(detail), list(resources)))

    def put_metric_data(self, Namespace: str, MetricData: list[dict[str, Any]]) -> None:
        self.metrics += [{"Namespace": Namespace, **point} for point in MetricData]

    def write(self, line: str) -> None:
        self.log.append(line)


@dataclass
class Images:
    """Images that are pieces of Python."""

    root: Path
    programs: dict[str, str] = field(default_factory=dict)
    media_type: str = DOCKER_MANIFEST

    def resolve(self, uri: str) -> Image:
        if uri not in self.programs:
            raise ValidationException(f"the image {uri} was not built here")
        command = (sys.executable, "-c", textwrap.dedent(self.programs[uri]))
        return Image(uri, uri, self.root, command, (), {}, self.root, (), self.media_type)


@dataclass(frozen=True)
class InMemoryAws(LocalAws):
    """LocalAws whose clients go nowhere."""

    s3: MemoryS3
    heard: Heard

    def client(self, service: str, *_: object, **__: object) -> Any:
        return {"s3": self.s3, "cloudwatch": self.heard}[service]

    def log(self, group: str, stream: str) -> Any:
        self.heard.log.append(f"{group} {stream.rpartition('-')[0]}")
        return self.heard


@dataclass(frozen=True)
class JobsSide:
    """SageMaker with its jobs, and what it heard and stored."""

    aws: InMemoryAws
    svc: JsonService
    images: Images

    @property
    def s3(self) -> MemoryS3:
        return self.aws.s3

    @property
    def heard(self) -> Heard:
        return self.aws.heard

    def call(self, operation: str, **request: Any) -> dict[str, Any]:
        return self.svc.call(operation, request)

    def restarted(self) -> "JobsSide":
        """A new server over the same state: the old one is gone, without a last word of its jobs."""
        process.end()
        for thread in threading.enumerate():
            if thread.name.startswith(("training ", "tuning ")):
                thread.join(20)
        svc = sagemaker.service(self.aws)
        svc.start()
        return JobsSide(self.aws, svc, self.images)

    def train(self, name: str, **members: Any) -> None:
        self.call("CreateTrainingJob", **training_request(name, **members))

    def describe(self, name: str) -> dict[str, Any]:
        return self.call("DescribeTrainingJob", TrainingJobName=name)

    def trained(self, name: str, **members: Any) -> dict[str, Any]:
        """Train, wait until the end is told, and describe."""
        self.train(name, **members)
        until(lambda: self.end_is_told("TrainingJob", name))
        return self.describe(name)

    def describe_tuning(self, name: str) -> dict[str, Any]:
        return self.call("DescribeHyperParameterTuningJob", HyperParameterTuningJobName=name)

    def tuned(self, name: str, **members: Any) -> dict[str, Any]:
        """Tune, wait until the end is told, and describe."""
        self.call("CreateHyperParameterTuningJob", **tuning_request(name, **members))
        until(lambda: self.end_is_told("HyperParameterTuningJob", name), 60)
        return self.describe_tuning(name)

    def end_is_told(self, kind: str, name: str) -> bool:
        """The job's last event has been sent, which comes just after its status is stored."""
        return any(
            detail.get(f"{kind}Name") == name and detail[f"{kind}Status"] not in ("InProgress", "Stopping")
            for _, detail, _ in list(self.heard.events)
        )

    def children(self, name: str, **request: Any) -> list[dict[str, Any]]:
        answer = self.call(
            "ListTrainingJobsForHyperParameterTuningJob",
            **{"HyperParameterTuningJobName": name, "MaxResults": 100, **request},
        )
        return list(answer["TrainingJobSummaries"])


def make_jobs_side(folder: Path) -> JobsSide:
    images = Images(folder)
    aws = InMemoryAws(
        store=Store(folder / "store.db"),
        root=folder / "state",
        endpoint_url="http://127.0.0.1:4566",
        account="000000000000",
        region="us-east-1",
        root_key=RootKey("LOCALAWSROOT", "secret"),
        images=cast(ImageStore, images),
        backend=cast(Any, heard := Heard()),
        s3=MemoryS3(),
        heard=heard,
    )
    return JobsSide(aws, sagemaker.service(aws), images)


def training_request(name: str, **members: Any) -> dict[str, Any]:
    return {
        "TrainingJobName": name,
        "AlgorithmSpecification": {
            "TrainingImage": "program",
            "TrainingInputMode": "File",
            "MetricDefinitions": [SCORE],
        },
        "RoleArn": ROLE,
        "OutputDataConfig": {"S3OutputPath": "s3://artifacts/jobs"},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
        "StoppingCondition": {"MaxRuntimeInSeconds": 60},
        **members,
    }


def tuning_request(
    name: str,
    ranges: Mapping[str, Any] | None = None,
    jobs: int | None = 3,
    parallel: int = 2,
    config: Mapping[str, Any] | None = None,
    definition: Mapping[str, Any] | None = None,
    **members: Any,
) -> dict[str, Any]:
    job = training_request(name)
    del job["TrainingJobName"]
    limits = {"MaxParallelTrainingJobs": parallel}
    if jobs is not None:
        limits["MaxNumberOfTrainingJobs"] = jobs
    x = {"ContinuousParameterRanges": [{"Name": "x", "MinValue": "0", "MaxValue": "1"}]}
    return {
        "HyperParameterTuningJobName": name,
        "HyperParameterTuningJobConfig": {
            "Strategy": "Random",
            "HyperParameterTuningJobObjective": {"Type": "Maximize", "MetricName": "score"},
            "ResourceLimits": limits,
            "ParameterRanges": x if ranges is None else ranges,
            **(config or {}),
        },
        "TrainingJobDefinition": {**job, "StaticHyperParameters": {"epochs": "1"}, **(definition or {})},
        **members,
    }


def s3_channel(name: str, uri: str, kind: str = "S3Prefix") -> dict[str, Any]:
    return {"ChannelName": name, "DataSource": {"S3DataSource": {"S3DataType": kind, "S3Uri": uri}}}


def until(condition: Callable[[], bool], seconds: float = 120.0) -> None:
    """Wait for something another thread does; fails loudly instead of hanging."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)
