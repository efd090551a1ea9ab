"""Models that fail in a chosen way, and callers who notice: for the tests and the benchmark of releases.

The faulty models are packages like any other; they run in a small image of their own, whose server does what
its artifact says: it does not start, answers 500, or takes its time.
"""

from __future__ import annotations

import io
import tarfile
import tempfile
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx

from local_aws.core.store import Store
from local_aws.images.store import ImageStore

FAULTY_IMAGE = "000000000000.dkr.ecr.us-east-1.amazonaws.com/faulty:1"
FAULTY_GPU_IMAGE = "000000000000.dkr.ecr.us-east-1.amazonaws.com/faulty-gpu:1"
_DOCKERFILE = 'FROM python:3.12\nCOPY serve.py /opt/serve.py\nENTRYPOINT ["python", "/opt/serve.py"]\n'
_SERVER = """
import http.server, json, os, pathlib, sys, time
name = pathlib.Path(os.environ["SAGEMAKER_BASE_DIR"], "model", "name.txt").read_text()
if name == "broken":
    sys.exit("cannot load this model")

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    def log_message(self, *arguments): pass
    def answer(self, status, document):
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def do_GET(self):
        self.answer(200, {})
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        if name == "slow":
            time.sleep(5)
        if name == "failing":
            return self.answer(500, {"error": {"code": "Broken", "message": "as it was told"}})
        model = {"name": "faulty", "version": name}
        self.answer(200, {"predicted_class": "x", "confidence": 1.0, "predictions": [], "model": model})

address = ("127.0.0.1", int(os.environ["SAGEMAKER_BIND_TO_PORT"]))
http.server.ThreadingHTTPServer(address, Handler).serve_forever()
"""


def build_faulty_image(state: Path) -> None:
    """Put the image, under the names of both flavours, into the store of the local AWS of `state`."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder)
        (source / "serve.py").write_text(_SERVER)
        (source / "Dockerfile").write_text(_DOCKERFILE)
        store = ImageStore(Store(state / "local_aws.db"), state / "local_aws" / "images")
        for uri in (FAULTY_IMAGE, FAULTY_GPU_IMAGE):
            store.build(source, uri=uri)


@dataclass
class Registry:
    """The registry of a deployed project, as a person with boto3 uses it."""

    client: Callable[[str], Any]
    project: str
    artifacts: str

    def register(self, image: str, model_url: str) -> str:
        """A new version, waiting for approval; answers its ARN."""
        container = {"Image": image, "ModelDataUrl": model_url}
        package = self.client("sagemaker").create_model_package(
            ModelPackageGroupName=self.project,
            ModelApprovalStatus="PendingManualApproval",
            InferenceSpecification={
                "Containers": [container],
                "SupportedContentTypes": ["image/png"],
                "SupportedResponseMIMETypes": ["application/json"],
                "SupportedRealtimeInferenceInstanceTypes": ["ml.c7i.large"],
            },
            ClientToken=uuid.uuid4().hex,
        )
        return str(package["ModelPackageArn"])

    def faulty(self, how: str) -> str:
        """A version that is `broken` (does not start), `failing` (answers 500), `slow` (5 s a picture), or
        anything else (answers well).
        """
        key = f"jobs/{self.project}-{how}/output/model.tar.gz"
        self.client("s3").put_object(Bucket=self.artifacts, Key=key, Body=_archive(how))
        return self.register(FAULTY_IMAGE, f"s3://{self.artifacts}/{key}")

    def again(self, arn: str) -> str:
        """A new version with the image and the model of another."""
        package = self.client("sagemaker").describe_model_package(ModelPackageName=arn)
        (container,) = package["InferenceSpecification"]["Containers"]
        return self.register(container["Image"], container["ModelDataUrl"])

    def decide(self, arn: str, status: str) -> None:
        """Approve or reject a version, as the console does."""
        self.client("sagemaker").update_model_package(ModelPackageArn=arn, ModelApprovalStatus=status)

    def status(self, arn: str) -> tuple[str, str]:
        """A version's approval status and the reason."""
        package = self.client("sagemaker").describe_model_package(ModelPackageName=arn)
        return package["ModelApprovalStatus"], package.get("ApprovalDescription", "")

    def champion(self) -> str:
        name = f"/{self.project}/champion"
        return str(self.client("ssm").get_parameter(Name=name)["Parameter"]["Value"])

    def stack(self) -> tuple[str, str]:
        """The Serving stack's status and the champion it serves."""
        name = f"{self.project}-serving"
        stack = self.client("cloudformation").describe_stacks(StackName=name)["Stacks"][0]
        outputs = {each["OutputKey"]: each["OutputValue"] for each in stack.get("Outputs", [])}
        return stack["StackStatus"], outputs.get("Champion", "")

    def promote(self, arn: str, seconds: float = 300) -> float:
        """Approve, and wait until all agree that it serves; answers the seconds that took."""
        began = time.monotonic()
        self.decide(arn, "Approved")
        until(lambda: self.agreement() == arn, seconds, lambda: f"{arn}: {self.told(arn)}")
        return time.monotonic() - began

    def refused(self, arn: str, seconds: float = 300) -> float:
        """Approve, and wait until it was taken back and all agree again; answers the seconds that took."""
        began = time.monotonic()
        self.decide(arn, "Approved")
        until(
            lambda: self.status(arn)[0] == "Rejected" and self.agreement() not in ("", arn),
            seconds,
            lambda: f"{arn}: {self.told(arn)}",
        )
        return time.monotonic() - began

    def agreement(self) -> str:
        """What stack, parameter and registry all say is served; empty while they differ or are at work."""
        status, serving = self.stack()
        champion = self.champion()
        if status.endswith("_IN_PROGRESS") or serving != champion:
            return ""
        approved = champion == "none" or self.status(champion)[0] == "Approved"
        return champion if approved else ""

    def agreed(self) -> bool:
        """Whether they tell the same story, and nothing is under way."""
        return bool(self.agreement())

    def told(self, arn: str) -> str:
        return f"{self.status(arn)}, champion {self.champion()}, stack {self.stack()}"


@dataclass
class Load:
    """Callers who ask the API for a picture's class again and again while the block lasts."""

    url: str
    key: str
    picture: bytes
    callers: int = 3
    pause: float = 0.2
    statuses: Counter[int] = field(default_factory=Counter)
    versions: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> Load:
        self._stop.clear()
        self._threads = [threading.Thread(target=self._call, daemon=True) for _ in range(self.callers)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(90)

    @property
    def requests(self) -> int:
        return sum(self.statuses.values())

    def _call(self) -> None:
        headers = {"x-api-key": self.key, "content-type": "image/png"}
        with httpx.Client(timeout=60, trust_env=False) as client:
            while not self._stop.wait(self.pause):
                try:
                    answer = client.post(
                        f"{self.url.rstrip('/')}/classify", content=self.picture, headers=headers
                    )
                except httpx.HTTPError as error:
                    self.statuses[0] += 1
                    self.failures.append(f"{type(error).__name__}: {error}")
                    continue
                self.statuses[answer.status_code] += 1
                if answer.status_code == 200:
                    self.versions[str(answer.json()["model"]["version"])] += 1
                else:
                    self.failures.append(f"{answer.status_code}: {answer.text[:300]}")


def until(holds: Callable[[], bool], seconds: float, otherwise: Callable[[], str]) -> None:
    """Return as soon as it holds; fail after `seconds` with what is the case then."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:.0f} s: {otherwise()}")
        time.sleep(0.3)


def _archive(name: str) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        member = tarfile.TarInfo("name.txt")
        member.size = len(name.encode())
        tar.addfile(member, io.BytesIO(name.encode()))
    return out.getvalue()
