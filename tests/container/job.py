"""One training job in containers of the training image, laid out and started as SageMaker does.

/opt/ml is mounted and `train` the only argument; the container is its image's user and reaches no network.
Two instances are two containers with a wire between them and no other way out.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from stacks.folders import Folders
from tests.container.container import RUNTIME
from tests.unit.training_code import samples
from tools.pins import ROOT

LIMITS = ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1000:1000"]
PATIENCE = 300
"""Seconds that a job may take."""


def lay_out(
    base: Path,
    hyperparameters: Mapping[str, str],
    *,
    instance_type: str = "ml.c7i.2xlarge",
    hosts: Sequence[str] = ("algo-1",),
    host: str = "algo-1",
) -> Path:
    """Make one instance's /opt/ml in `base`, with small pictures and this repository's training code.

    https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-training-algo-running-container.html
    """
    files = {
        "hyperparameters": dict(hyperparameters),
        "resourceconfig": {
            "current_host": host,
            "current_instance_type": instance_type,
            "hosts": list(hosts),
            "network_interface_name": "eth0",
        },
    }
    for folder in ("input/config", "input/data", "model", "output/data"):
        (base / folder).mkdir(parents=True)
    for name, content in files.items():
        (base / "input" / "config" / f"{name}.json").write_text(json.dumps(content))
    samples.dataset(base / "input" / "data")
    shutil.copytree(Folders(ROOT).job_code(), base / "input" / "data" / "code")
    return base


@dataclass
class Job:
    """A container of the training image on one instance's folders."""

    image: str
    base: Path
    network: str = "none"
    """Podman's name of it."""
    options: Sequence[str] = ()
    name: str = field(default_factory=lambda: f"classifier-job-{uuid.uuid4().hex[:8]}")

    def start(self, *arguments: str) -> None:
        command = [*RUNTIME, "run", "--detach", "--name", self.name, "--network", self.network, *LIMITS]
        mounted = ["--volume", f"{self.base}:/opt/ml", "--env", "TRAINING_JOB_NAME=demo-digits-1"]
        run = [*command, *mounted, *self.options, self.image, *(arguments or ("train",))]
        subprocess.run(run, check=True, stdout=subprocess.DEVNULL)

    def end(self) -> tuple[int, str]:
        """Wait for it; its exit code and its log."""
        done = subprocess.run(
            ["podman", "wait", self.name], check=True, capture_output=True, text=True, timeout=PATIENCE
        )
        return int(done.stdout), self.log()

    def log(self) -> str:
        done = subprocess.run(["podman", "logs", self.name], check=True, capture_output=True, text=True)
        return done.stdout + done.stderr

    def wait_for(self, words: str) -> None:
        """Until its log says so."""
        deadline = time.monotonic() + PATIENCE
        while words not in self.log():
            assert time.monotonic() < deadline, self.log()
            time.sleep(0.1)

    def signal(self, name: str) -> None:
        subprocess.run([*RUNTIME, "kill", "--signal", name, self.name], check=True, stdout=subprocess.DEVNULL)

    def remove(self) -> None:
        subprocess.run([*RUNTIME, "rm", "--force", "--time", "0", self.name], capture_output=True)

    @property
    def failure(self) -> str:
        """What SageMaker would show as the reason; empty where there is none."""
        path = self.base / "output" / "failure"
        return path.read_text() if path.exists() else ""


def run(image: str, base: Path, *arguments: str) -> tuple[Job, int, str]:
    """Start a job and wait for its end; the job, its exit code and its log."""
    job = Job(image, base)
    try:
        job.start(*arguments)
        return job, *job.end()
    finally:
        job.remove()


@contextmanager
def wire(hosts: Sequence[str]) -> Iterator[list[tuple[str, list[str]]]]:
    """For each of two hosts a network of podman's, and options by which it knows both by name."""
    spaces = [f"classifier-{uuid.uuid4().hex[:8]}" for _ in hosts]
    addresses = [f"10.213.77.{number}" for number in (1, 2)]
    known = [f"--add-host={host}:{address}" for host, address in zip(hosts, addresses, strict=True)]
    try:
        for space in spaces:
            _ip("netns", "add", space)
        first, second = spaces
        _ip("link", "add", "eth0", "netns", first, "type", "veth", "peer", "name", "eth0", "netns", second)
        for space, address in zip(spaces, addresses, strict=True):
            _ip("-n", space, "addr", "add", f"{address}/30", "dev", "eth0")
            for device in ("lo", "eth0"):
                _ip("-n", space, "link", "set", device, "up")
        yield [
            (f"ns:/run/netns/{space}", [f"--hostname={host}", *known])
            for space, host in zip(spaces, hosts, strict=True)
        ]
    finally:
        for space in spaces:
            subprocess.run(["ip", "netns", "del", space], capture_output=True)


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)
