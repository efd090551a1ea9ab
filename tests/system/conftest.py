"""One deployment for all system tests: the local AWS by default, a real account under `make verify-aws`.

The local one has its own home and port, so the tests run beside a demo that somebody left up. In an account
nothing is removed here but by the test that claims it: `verify_aws` cleans up, and knows whose everything is.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from cli.target import resolve
from tests.ports import free_port
from tests.system import recorded

REPOSITORY = Path(__file__).resolve().parents[2]
PROJECT = resolve("aws").project
DATASET = "system-test-digits"
# An alarm rings after a minute of errors here and not after two, so that a release bakes for a short time.
# Latency on a busy machine says nothing about a model, so that alarm is out of reach.
LOCAL_SETTINGS = {
    "on_destroy": "delete",
    "serving": {"alarm_minutes": 1, "bake_seconds": 30, "alarm_latency_ms": 60000},
    "drift": {"capture_percent": 100},
}

PROXIES = ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")


@dataclass
class Deployment:
    """What is deployed, and the ways in: the CLI as a process, boto3 as a client."""

    target: str
    home: Path
    environment: dict[str, str]
    outputs: dict[str, Any] = field(default_factory=dict)

    def cli(
        self, *arguments: str, check: bool = True, timeout: float = 1800
    ) -> subprocess.CompletedProcess[str]:
        calls = {name: os.environ[name] for name in (recorded.FILE,) if name in os.environ}
        program = "tests.system.recorded" if calls else "cli"
        done = subprocess.run(
            [sys.executable, "-m", program, "--target", self.target, *arguments],
            cwd=REPOSITORY,
            env=self.environment | calls,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        if check and done.returncode:
            pytest.fail(
                f"classifier {' '.join(arguments)} exited {done.returncode}:\n{done.stdout}\n{done.stderr}"
            )
        return done

    def client(self, service: str, **credentials: str) -> Any:
        options: dict[str, Any] = {
            "config": Config(retries={"max_attempts": 2}, read_timeout=120),
            **credentials,
        }
        if self.target == "local":
            key = json.loads((self.home / "aws" / "root-credentials.json").read_text())
            options = {
                "endpoint_url": f"http://127.0.0.1:{self.environment['CLASSIFIER_PORT']}",
                "region_name": "us-east-1",
                "aws_access_key_id": key["AccessKeyId"],
                "aws_secret_access_key": key["SecretAccessKey"],
                **options,
            }
        return boto3.client(service, **options)

    def invoke(self, function: str, payload: Any) -> dict[str, Any]:
        answer = self.client("lambda").invoke(
            FunctionName=f"{PROJECT}-{function}", Payload=json.dumps(payload)
        )
        body: dict[str, Any] = json.loads(answer["Payload"].read())
        return body

    def configure(self, settings: dict[str, Any]) -> None:
        """What the next `up` deploys; on the local AWS only, a real account's settings are its owner's."""
        path = self.home / "settings.json"
        path.write_text(json.dumps(settings))
        self.environment["CLASSIFIER_CONFIG"] = str(path)

    def refresh_outputs(self) -> dict[str, Any]:
        self.outputs = json.loads(self.cli("outputs", "--json").stdout)["data"]
        return self.outputs


@pytest.fixture(scope="session")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    target = os.environ.get("CLASSIFIER_TARGET", "local")
    if target != "local" and "VERIFY_AWS" not in os.environ:
        pytest.exit("In an account these tests are run by `make verify-aws`, which cleans up.", 2)
    with deploying(target, tmp_path_factory.mktemp("home"), LOCAL_SETTINGS) as deployed:
        yield deployed


@contextmanager
def deploying(target: str, home: Path, settings: dict[str, Any]) -> Iterator[Deployment]:
    """All stacks on a target while the block lasts; `settings` are for the local AWS."""
    environment = {**os.environ, "CLASSIFIER_TARGET": target, "CLASSIFIER_HOME": str(home)}
    deployed = Deployment(target, home, environment)
    if target == "local":
        environment["CLASSIFIER_PORT"] = str(free_port())
        # A proxy that nobody answers at: whatever on this machine asked this machine through it would fail.
        environment |= dict.fromkeys(PROXIES, "http://127.0.0.1:9")
        for name in ("NO_PROXY", "no_proxy"):
            environment.pop(name, None)
        deployed.configure(settings)
    try:
        deployed.cli("up", "--yes")
        deployed.refresh_outputs()
        yield deployed
    finally:
        if target == "local":
            deployed.cli("destroy", "--yes", check=False)
            deployed.cli("down", "--wipe", check=False)


@pytest.fixture(autouse=True, scope="session")
def calls_written_down() -> None:
    if recorded.FILE in os.environ:
        recorded.write_down()


@pytest.fixture(autouse=True)
def a_file_of_calls(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A test's calls in a file of its own, beside the one which has those of the deployment."""
    if recorded.FILE in os.environ:
        name = getattr(request.node, "originalname", request.node.name)
        file = Path(os.environ[recorded.FILE]).with_name(f"tests--{name}.jsonl")
        file.touch()  # one that makes no call is known to make none
        monkeypatch.setenv(recorded.FILE, str(file))
