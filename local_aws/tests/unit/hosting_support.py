"""A LocalAws without a server, and a serving container of a few lines, for the tests of the hosting rooms."""

from __future__ import annotations

import io
import tarfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from local_aws.core import process
from local_aws.core.context import LocalAws
from local_aws.core.store import Store
from local_aws.images.store import ImageStore
from local_aws.root_key import RootKey

IMAGE = "000000000000.dkr.ecr.us-east-1.amazonaws.com/echo:1"
ROLE = "arn:aws:iam::000000000000:role/endpoint"

DOCKERFILE = """
FROM python:3.12
COPY serve.py /opt/serve.py
ENTRYPOINT ["python", "/opt/serve.py"]
"""
# Says which process and which model answered; obeys words in the body.
SERVER = """
import http.server, json, os, pathlib, sys, time

assert sys.argv[1:] == ["serve"], sys.argv
MODEL = pathlib.Path(os.environ["SAGEMAKER_BASE_DIR"], "model", "name.txt")
name = MODEL.read_text() if MODEL.exists() else "none"
if name == "broken":
    sys.exit("cannot load this model")
print("serving", name)

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # headers and body in one packet
    def log_message(self, *arguments): pass
    def answer(self, status, document):
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if "X-Amzn-SageMaker-Custom-Attributes" in self.headers:
            self.send_header("X-Amzn-SageMaker-Custom-Attributes",
                             "echo " + self.headers["X-Amzn-SageMaker-Custom-Attributes"])
        self.end_headers()
        self.wfile.write(body)
    def do_GET(self):
        self.answer(200 if name != "sick" else 500, {})
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if body == b"die":
            os._exit(3)
        if body.startswith(b"sleep "):
            time.sleep(float(body.split()[1]))
        if body.startswith(b"status "):
            return self.answer(int(body.split()[1]), {"error": {"code": "Told", "message": "as you say"}})
        environment = {key: os.environ.get(key) for key in ("COLOUR", "AWS_ACCESS_KEY_ID")}
        headers = {key.lower(): value for key, value in self.headers.items()}
        facts = {"model": name, "pid": os.getpid(), "bytes": len(body)}
        self.answer(200, {**facts, "env": environment, "headers": headers})

address = ("127.0.0.1", int(os.environ["SAGEMAKER_BIND_TO_PORT"]))
http.server.ThreadingHTTPServer(address, Handler).serve_forever()
"""


def archive(files: Mapping[str, str]) -> bytes:
    """A model.tar.gz with these files."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text.encode())
            tar.addfile(member, io.BytesIO(text.encode()))
    return out.getvalue()


class FakeBackend:
    """Any role will do; events are kept."""

    def __init__(self) -> None:
        self.events: list[tuple[str, dict[str, Any], tuple[str, ...]]] = []

    def role_credentials(self, role_arn: str, service: str, session: str) -> dict[str, str]:
        return {"AWS_ACCESS_KEY_ID": "AKIAROLE", "AWS_SECRET_ACCESS_KEY": "x", "AWS_SESSION_TOKEN": "y"}

    def check_pass_role(self, role_arn: str, service: str) -> None:
        return

    def put_event(
        self, source: str, detail_type: str, detail: Mapping[str, Any], resources: Sequence[str]
    ) -> None:
        self.events.append((detail_type, dict(detail), tuple(resources)))


class FakeS3:
    """Objects in a dictionary, by URL."""

    def __init__(self, objects: dict[str, bytes]) -> None:
        self.objects = objects

    def head_object(self, Bucket: str, Key: str) -> None:
        self._get(Bucket, Key)

    def download_file(self, Bucket: str, Key: str, Filename: str) -> None:
        Path(Filename).write_bytes(self._get(Bucket, Key))

    def put_object(self, Bucket: str, Key: str, Body: bytes, **members: Any) -> None:
        self.objects[f"s3://{Bucket}/{Key}"] = Body

    def _get(self, bucket: str, key: str) -> bytes:
        from botocore.exceptions import ClientError

        url = f"s3://{bucket}/{key}"
        if url not in self.objects:
            raise ClientError({"Error": {"Code": "404", "Message": "Not Found"}}, "GetObject")
        return self.objects[url]


class FakeCloudWatch:
    """Metric data that was put; alarms that are in ALARM."""

    def __init__(self) -> None:
        self.put: list[dict[str, Any]] = []
        self.raised: list[str] = []
        self.alarms: dict[str, dict[str, Any]] = {}

    def put_metric_alarm(self, **alarm: Any) -> None:
        self.alarms[alarm["AlarmName"]] = alarm

    def delete_alarms(self, AlarmNames: list[str]) -> None:
        for name in AlarmNames:
            del self.alarms[name]

    def put_metric_data(self, Namespace: str, MetricData: list[dict[str, Any]]) -> None:
        self.put.extend({"Namespace": Namespace, **datum} for datum in MetricData)

    def describe_alarms(self, AlarmNames: list[str], StateValue: str) -> dict[str, Any]:
        return {"MetricAlarms": [{"AlarmName": name} for name in AlarmNames if name in self.raised]}


class FakeLog:
    """A log stream in memory."""

    def __init__(self, lines: list[str]) -> None:
        self.lines = lines

    def write(self, line: str) -> None:
        self.lines.append(line)

    def close(self) -> None:
        return


class OfflineAws(LocalAws):
    """A LocalAws whose other services are the fakes above."""

    s3: FakeS3
    cloudwatch: FakeCloudWatch
    logs: dict[tuple[str, str], list[str]]

    def client(self, service: str, role_arn: str | None = None, session: str = "", trusted: str = "") -> Any:
        return {"s3": self.s3, "cloudwatch": self.cloudwatch}[service]

    def log(self, group: str, stream: str) -> Any:
        return FakeLog(self.logs.setdefault((group, stream), []))


def build_image(images: ImageStore, folder: Path) -> None:
    """Build the serving container as IMAGE."""
    source = folder / "source"
    source.mkdir(exist_ok=True)
    (source / "serve.py").write_text(SERVER)
    (source / "Dockerfile").write_text(DOCKERFILE)
    images.build(source, uri=IMAGE)


def offline_aws(folder: Path) -> OfflineAws:
    """A LocalAws in `folder` with the image built, and models named good, better, broken and sick in S3."""
    store = Store(folder / "state.db")
    images = ImageStore(store, folder / "images")
    build_image(images, folder)
    key = RootKey("LOCALAWSROOT", "secret")
    address = "http://127.0.0.1:9"
    aws = OfflineAws(store, folder, address, "000000000000", "us-east-1", key, images, FakeBackend())
    names = ("good", "better", "broken", "sick")
    objects = {f"s3://models/{name}.tar.gz": archive({"name.txt": name}) for name in names}
    for key, value in (("s3", FakeS3(objects)), ("cloudwatch", FakeCloudWatch()), ("logs", {})):
        object.__setattr__(aws, key, value)
    process.begin(folder / "processes")
    return aws


def until(true: Callable[[], Any], seconds: float = 120.0) -> Any:
    """Wait for something to become true and return it."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if value := true():
            return value
        time.sleep(0.02)
    raise AssertionError(f"not true within {seconds} s")
