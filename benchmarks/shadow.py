"""A shadow variant beside the champion: does a client get another answer, or wait longer?

On a local AWS of its own, two endpoints serve the same model (a ResNet-18 at 224 pixels, by the real training
code, in the real server): one alone, one with a shadow that is copied every request. The same pictures go to
both in turns, so that whatever else this machine does slows both. An answer that is an error ends the
benchmark.

* changed_answers: bodies from the shadowed endpoint that are not those from the other;
* slower: how much longer a request takes at the median, picture by picture, with a pause between two in
  which the shadow answers: on AWS it has instances of its own, here it shares the cores. The interval is that
  of 95 % of the medians of pairs drawn again;
* slower_at_once: the same in blocks where each request follows the one before at once, so that the shadow
  answers on the very cores that the champion works on;
* copied: the share of the requests that the shadow has answered.
"""

from __future__ import annotations

import io
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from benchmarks import harness
from benchmarks.serving_artifact import trained
from local_aws.core.store import Store
from local_aws.images.store import ImageStore
from local_aws.testing.local_server import LocalServer

IMAGE = "000000000000.dkr.ecr.us-east-1.amazonaws.com/serving:bench"
ALONE, SHADOWED = ENDPOINTS = ["alone", "shadowed"]
PICTURES = 20
PAIRS = 400
PAUSE_SECONDS = 0.15
BLOCKS = 6
DRAWN = 2000
SETTLE_SECONDS = 3.0
"""After a block: the copies that wait are answered, and slow no request of the other endpoint."""
START_SECONDS = 300.0


Times = npt.NDArray[np.float64]
"""Seconds of each pair of requests: alone, and shadowed."""


class Client:
    """Asks the endpoints, and keeps what they answered."""

    def __init__(self, server: LocalServer, pictures: list[bytes]) -> None:
        self._runtime = server.client("sagemaker-runtime")
        self._pictures = pictures

    def ask(self, endpoint: str, number: int) -> tuple[float, bytes]:
        """One picture: seconds and the answer."""
        began = time.perf_counter()
        answer = self._runtime.invoke_endpoint(
            EndpointName=endpoint,
            Body=self._pictures[number % len(self._pictures)],
            ContentType="image/jpeg",
            Accept="application/json",
        )
        body: bytes = answer["Body"].read()
        return time.perf_counter() - began, body


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="bench-shadow-") as folder, _serving(Path(folder)) as server:
        client = Client(server, _photos())
        for number in range(PICTURES):
            for endpoint in ENDPOINTS:
                client.ask(endpoint, number)
        time.sleep(SETTLE_SECONDS)
        pairs, changed = _paired(client)
        blocks, changed_too = _in_blocks(client)
        time.sleep(SETTLE_SECONDS + 12)  # metrics are published every ten seconds
        asked, copied = (_invocations(server, variant) for variant in ("main", "shadow"))
    ratio, low, high = _ratio(pairs)
    rows: list[harness.Row] = [
        {"system": endpoint, "requests": kind, "median_ms": 1000 * float(np.median(seconds))}
        for kind, of in (("paced", pairs), ("at_once", blocks))
        for endpoint, seconds in zip(ENDPOINTS, of.T, strict=True)
    ]
    summary = {
        "changed_answers": changed + changed_too,
        "answers": len(pairs) + len(blocks),
        "copied": round(copied / asked, 4) if asked else 0.0,
        "slower": round(ratio - 1, 4),
        "slower_interval": [round(low - 1, 4), round(high - 1, 4)],
        "slower_at_once": round(_ratio(blocks)[0] - 1, 4),
    }
    harness.publish("shadow", rows, summary)


def _paired(client: Client) -> tuple[Times, int]:
    """Each picture to both, now the one first, now the other: seconds, and how many answers differ."""
    chance, times, changed = random.Random(0), [], 0
    for number in range(PAIRS):
        found = {}
        for endpoint in chance.sample(ENDPOINTS, 2):
            found[endpoint] = client.ask(endpoint, number)
            time.sleep(PAUSE_SECONDS)
        times.append([found[endpoint][0] for endpoint in ENDPOINTS])
        changed += found[ALONE][1] != found[SHADOWED][1]
    return np.array(times), changed


def _in_blocks(client: Client) -> tuple[Times, int]:
    """All pictures to the one, one after the other, then to the other, and again the other way round."""
    times, changed = [], 0
    for block in range(BLOCKS):
        found = {}
        for endpoint in ENDPOINTS[:: 1 if block % 2 else -1]:
            found[endpoint] = [client.ask(endpoint, number) for number in range(PICTURES)]
            time.sleep(SETTLE_SECONDS)
        for alone, shadowed in zip(found[ALONE], found[SHADOWED], strict=True):
            times.append([alone[0], shadowed[0]])
            changed += alone[1] != shadowed[1]
    return np.array(times), changed


def _ratio(times: Times) -> tuple[float, float, float]:
    """Of the medians, shadowed to alone, with the interval in which 95 % of those of drawn pairs lie."""
    rng = np.random.default_rng(0)
    drawn = times[rng.integers(0, len(times), (DRAWN, len(times)))]
    ratios = np.median(drawn[:, :, 1], axis=1) / np.median(drawn[:, :, 0], axis=1)
    low, high = np.percentile(ratios, [2.5, 97.5])
    medians = np.median(times, axis=0)
    return float(medians[1] / medians[0]), float(low), float(high)


@contextmanager
def _serving(folder: Path) -> Iterator[LocalServer]:
    """A local AWS with both endpoints in service."""
    artifact = _artifact(folder)
    server = LocalServer(folder / "aws")
    _build_image(server.state, folder)
    server.start()
    try:
        _endpoints(server, artifact)
        yield server
    finally:
        server.end()


def _build_image(state: Path, folder: Path) -> None:
    """The real server, from this checkout."""
    source = folder / "image"
    source.mkdir()
    (source / "Dockerfile").write_text(
        f"FROM python:3.13\nENV PYTHONPATH={harness.ROOT}\n"
        f'ENTRYPOINT ["{sys.executable}", "-m", "inference_code"]\n'
    )
    store = ImageStore(Store(state / "local_aws.db"), state / "local_aws" / "images")
    store.build(source, uri=IMAGE)


def _endpoints(server: LocalServer, artifact: bytes) -> None:
    s3, sagemaker, iam = (server.client(name) for name in ("s3", "sagemaker", "iam"))
    s3.create_bucket(Bucket="models")
    s3.put_object(Bucket="models", Key="model.tar.gz", Body=artifact)
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "sagemaker.amazonaws.com"},
                "Action": "sts:AssumeRole",
            }
        ],
    }
    role = iam.create_role(RoleName="endpoint", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    rights = {"Effect": "Allow", "Action": ["s3:*", "logs:*", "ecr:*", "cloudwatch:*"], "Resource": "*"}
    iam.put_role_policy(
        RoleName="endpoint",
        PolicyName="all",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [rights]}),
    )
    container = {"Image": IMAGE, "ModelDataUrl": "s3://models/model.tar.gz"}
    sagemaker.create_model(ModelName="model", ExecutionRoleArn=role, PrimaryContainer=container)
    variant = {
        "ModelName": "model",
        "InstanceType": "ml.c7i.large",
        "InitialInstanceCount": 1,
        "InitialVariantWeight": 1.0,
    }
    seen, shadow = {**variant, "VariantName": "main"}, {**variant, "VariantName": "shadow"}
    for endpoint, more in ((ALONE, {}), (SHADOWED, {"ShadowProductionVariants": [shadow]})):
        sagemaker.create_endpoint_config(EndpointConfigName=endpoint, ProductionVariants=[seen], **more)
        sagemaker.create_endpoint(EndpointName=endpoint, EndpointConfigName=endpoint)
        _until_in_service(sagemaker, endpoint)


def _until_in_service(sagemaker: Any, endpoint: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while (found := sagemaker.describe_endpoint(EndpointName=endpoint))["EndpointStatus"] != "InService":
        if found["EndpointStatus"] == "Failed" or time.monotonic() > deadline:
            raise RuntimeError(f"{endpoint}: {found['EndpointStatus']} {found.get('FailureReason', '')}")
        time.sleep(0.5)


def _invocations(server: LocalServer, variant: str) -> float:
    now = time.time()
    points = server.client("cloudwatch").get_metric_statistics(
        Namespace="AWS/SageMaker",
        MetricName="Invocations",
        Dimensions=[
            {"Name": "EndpointName", "Value": SHADOWED},
            {"Name": "VariantName", "Value": variant},
        ],
        StartTime=now - 7200,
        EndTime=now + 60,
        Period=60,
        Statistics=["Sum"],
    )["Datapoints"]
    return float(sum(point["Sum"] for point in points))


def _artifact(folder: Path) -> bytes:
    """model.tar.gz by the real training code; its weights change nothing in the time."""
    for split, count in (("train", 8), ("valid", 4), ("test", 4)):
        for label, colour in (("red", (200, 40, 40)), ("blue", (40, 40, 200))):
            into = folder / "pictures" / split / label
            into.mkdir(parents=True)
            for number in range(count):
                shade = tuple(max(0, each - 5 * number) for each in colour)
                Image.new("RGB", (256, 256), shade).save(into / f"{number}.png")
    model = trained(folder, folder / "pictures", "resnet18", epochs=1, output=subprocess.DEVNULL)
    packed = folder / "model.tar.gz"
    subprocess.run(["tar", "-czf", str(packed), "-C", str(model), "."], check=True)
    return packed.read_bytes()


def _photos() -> list[bytes]:
    """Pictures of different noise: each is answered with its own confidences."""
    rng = np.random.default_rng(0)
    pictures = []
    for _ in range(PICTURES):
        grain = Image.fromarray(rng.integers(0, 256, (24, 32, 3), dtype=np.uint8))
        out = io.BytesIO()
        grain.resize((500, 375), Image.Resampling.BICUBIC).save(out, "JPEG", quality=90)
        pictures.append(out.getvalue())
    return pictures


if __name__ == "__main__":
    main()
